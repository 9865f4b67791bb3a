"""The neural tangent kernel, from the derivatives of each layer.

Shapes: s members, n samples, c outputs of the network, i and o nodes before and after a layer, K basis functions, p any
number of columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kancli.stats.running_moments import Array

MAX_COLUMNS = 2**9  # of derivatives that are multiplied at a time
MIN_TRIANGLE = 64  # columns


@dataclass(frozen=True)
class Derivatives:
    """Derivatives of a layer's values with respect to its parameters; and the parameter scale_sp."""

    bases: Array  # [(s,) n, i, K], standardised where the scheme does so
    base: Array  # [(s,) n, i]       b(x)
    spline: Array  # [(s,) n, i, o]  before scale_sp, 0 for edges that are off
    scale_sp: Array  # [(s,) i, o]   0 for edges that are off
    mask: Array | None  # [(s,) i, o] 1.0, or 0.0 for edges that are off; None where all are on
    has_bias: bool

    def member(self, index: int) -> Derivatives:
        """Those of one member, without the member axis."""
        mask = None if self.mask is None else self.mask[index]
        bases, base, spline, scale_sp = (
            values[index] for values in (self.bases, self.base, self.spline, self.scale_sp)
        )
        return Derivatives(bases, base, spline, scale_sp, mask, self.has_bias)

    @property
    def shares_scale(self) -> bool:
        """Whether all edges out of an input have one scale_sp: then all outputs have the same derivatives by coef."""
        return bool((self.scale_sp == self.scale_sp[:, :1]).all())


def add_to_kernel_(kernel: Array, derivatives: Derivatives, jacobian: Array) -> None:
    """Add a layer's part to the kernel `[n, n]` of one member: the sum over c, i, o and the parameters p of edge (i, o)
    of D D^T, D `[n]` = dy_c/dvalue_o dphi_io/dp.

    Args:
        derivatives: without the member axis.
        jacobian: dy_c/dvalue_o, `[n, c, o]`.
    """
    n, n_last, n_out = jacobian.shape
    by_value = _squared(jacobian.reshape(n, -1))
    by_value *= _squared(_shared(derivatives))
    kernel += by_value
    shares_scale = derivatives.shares_scale
    n_columns = derivatives.scale_sp.shape[0] * (1 if shares_scale else 1 + derivatives.bases.shape[-1])
    # With one output of the network, the columns of many of the layer's outputs in one product; else one by one.
    step = max(1, MAX_COLUMNS // n_columns) if n_last == 1 else 1
    for begin in range(0, n_out, step):
        outputs = slice(begin, begin + step)
        own = _own(derivatives, outputs, shares_scale)
        if n_last == 1:
            kernel += _squared((own * jacobian[..., outputs]).reshape(n, -1))
        else:
            kernel += _squared(jacobian[..., begin]) * _squared(own[..., 0])


def _shared(derivatives: Derivatives) -> Array:
    """The derivatives that are equal for all outputs, `[n, p]`."""
    columns = [derivatives.base[:, :0]]
    if derivatives.mask is None:
        columns.append(derivatives.base)
    if derivatives.has_bias:
        columns.append(np.ones((len(derivatives.base), 1)))
    if derivatives.shares_scale:
        columns.append((derivatives.bases * derivatives.scale_sp[:, :1]).reshape(len(derivatives.base), -1))
    return np.concatenate(columns, axis=1)


def _own(derivatives: Derivatives, outputs: slice, shares_scale: bool) -> Array:
    """The other derivatives for some outputs, `[n, p, o]`."""
    columns = [derivatives.spline[..., outputs]]
    if derivatives.mask is not None:
        columns.append(derivatives.base[..., None] * derivatives.mask[:, outputs])
    if not shares_scale:
        of_coef = derivatives.bases[..., None] * derivatives.scale_sp[:, None, outputs]  # [n, i, K, o]
        columns.append(of_coef.reshape(len(of_coef), -1, of_coef.shape[-1]))
    return columns[0] if len(columns) == 1 else np.concatenate(columns, axis=1)


def _squared(columns: Array) -> Array:
    """Sum over p of columns_p columns_p^T, `[n, p]` to `[n, n]`."""
    if columns.shape[1] == 1:
        return columns * columns.T
    # Of an array and itself numpy computes a triangle and copies it: for few columns that takes longer than all.
    return columns @ (columns if columns.shape[1] >= MIN_TRIANGLE else columns.copy()).T
