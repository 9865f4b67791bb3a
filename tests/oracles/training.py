"""Training restated: dense bases by the recursion of Cox and de Boor, automatic differentiation, torch.optim.

Nothing is shared with the package. A network is a list of layers, each a dict of coef `[i, o, K]`, scale_base and
scale_sp `[i, o]`, and bias `[o]` or None.
"""

import torch

DERIVATIVES = {"f": (), "f_t": (0,), "f_x": (1,), "f_xx": (1, 1)}


def bases(x, knots, k):
    """All bases at x `[n, i]`, `[n, i, K]`; differentiable by x."""
    x = x.unsqueeze(-1)
    values = ((x >= knots[:-1]) & (x < knots[1:])).to(x.dtype)
    for order in range(1, k + 1):
        rising = (x - knots[: -order - 1]) / (knots[order:-1] - knots[: -order - 1])
        falling = (knots[order + 1 :] - x) / (knots[order + 1 :] - knots[1:-order])
        values = rising * values[..., :-1] + falling * values[..., 1:]
    return values


def forward(layers, x, knots, k, base=torch.nn.functional.silu):
    """x `[n, i]` to `[n, o]`."""
    for layer in layers:
        spline = torch.einsum("nim,iom->nio", bases(x, knots, k), layer["coef"])
        y = (layer["scale_base"] * base(x).unsqueeze(-1) + layer["scale_sp"] * spline).sum(1)
        x = y if layer.get("bias") is None else y + layer["bias"]
    return x


def copy_of(model, member=None, dtype=torch.float64):
    """The parameters of one member of a model as trainable leaves."""
    layers = []
    for layer in model.layers:
        own = {}
        for name, tensor in layer.named_parameters(recurse=False):
            tensor = tensor.detach() if member is None else tensor.detach()[member]
            own[name] = tensor.clone().to(dtype).requires_grad_()
        layers.append(own)
    return layers


def train(layers, loss_of, steps, make=torch.optim.Adam, only=None, **options):
    """Losses before each step, and after the last; `loss_of(step)` is the loss of a step."""
    leaves = [tensor for layer in layers for name, tensor in layer.items() if only is None or name in only]
    optimiser = make(leaves, **options)
    losses = []
    for step in range(steps):
        optimiser.zero_grad()
        loss = loss_of(step)
        loss.backward()
        losses.append(float(loss.detach()))
        optimiser.step()
    return [*losses, float(loss_of(steps).detach())]


def knots_of(model, dtype=torch.float64):
    """The uniform knots of a model, from its range, grid and k alone."""
    layer = model.layers[0]
    low, high = layer.grid_range
    numbers = torch.arange(-layer.k, layer.grid + layer.k + 1, dtype=dtype)
    return low + numbers * (high - low) / layer.grid
