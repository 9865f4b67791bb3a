"""The forward pass of jaxKAN's base layer (srigas/jaxKAN 0.3.7, `jaxkan/layers/Spline.py`), restated in numpy.

Every edge has an entry of its own, out-major (edge j n_in + i), with the grid repeated for each; the bases come from
the recursion of Cox and de Boor over the extended knots.
"""

import numpy as np


def layer(x, c_basis, c_spl, c_res, bias, residual, low=-1.0, high=1.0, k=3):
    """x `[n, i]`, c_basis `[o * i, K]`, c_spl and c_res `[o * i]`, bias `[o]` to `[n, o]`."""
    n, n_in = x.shape
    n_out = len(bias)
    size = c_basis.shape[1] - k
    knots = low + (high - low) / size * np.arange(-k, size + k + 1)
    each = np.tile(x.T, (n_out, 1))  # [o * i, n]
    place, t = each[:, None, :], knots[None, :, None]
    bases = ((place >= t[:, :-1]) & (place < t[:, 1:])).astype(x.dtype)
    for order in range(1, k + 1):
        rising = (place - t[:, : -order - 1]) / (t[:, order:-1] - t[:, : -order - 1])
        falling = (t[:, order + 1 :] - place) / (t[:, order + 1 :] - t[:, 1:-order])
        bases = rising * bases[:, :-1] + falling * bases[:, 1:]
    phi = c_spl[:, None] * np.einsum("em,emn->en", c_basis, bases) + c_res[:, None] * residual(each)
    return phi.reshape(n_out, n_in, n).sum(1).T + bias
