"""Statistics of the backward pass of an MLP: those of `gradients`, by the same definitions, in closed form.

Shapes: s members (1 for a single model), n samples, c outputs of the network, i and o nodes before and after a layer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from kancli.kan.base_functions import base_function, derivative_of
from kancli.kan.edge_sums import apply_elementwise
from kancli.kan.mlp import MLP
from kancli.kan.threads import one_blas_thread
from kancli.stats.gradients import GradientStats, jacobian_statistics, joined, kernel_statistics, shares
from kancli.stats.parameters import as_array
from kancli.stats.running_moments import Array


@np.errstate(all="ignore")
def measure_mlp_gradients(model: MLP, x: Tensor) -> GradientStats:
    """Measure gradients, Jacobian and kernel at the samples x `[(s,) n, n_0]`; see `gradients.measure_gradients`.

    The parameters are `weight` and `bias`; a layer has no moments of its edges' slopes.
    """
    traces, n_members = model.trace(x), model.n_members or 1
    silu, slope = base_function("silu"), derivative_of(base_function("silu"))
    entering, slopes, weights = [], [], []
    for layer, trace in zip(model.layers, traces, strict=True):
        values = trace.preacts.double().cpu().reshape(n_members, *trace.preacts.shape[-2:])
        entering.append(as_array(apply_elementwise(silu, values)) if layer.activation else as_array(values))
        slopes.append(as_array(apply_elementwise(slope, values)) if layer.activation else None)
        weights.append(as_array(layer.weight).reshape(n_members, layer.n_out, layer.n_in))
    with one_blas_thread():
        parts = [
            _measure(
                [values[member] for values in entering],
                [None if values is None else values[member] for values in slopes],
                [values[member] for values in weights],
            )
            for member in range(n_members)
        ]
    layers, nodes = (zip(*(getattr(part, name) for part in parts), strict=True) for name in ("layers", "nodes"))
    return GradientStats(
        [joined(layer) for layer in layers],
        [],
        [np.concatenate(layer) for layer in nodes],
        joined([part.jacobian for part in parts]),
        joined([part.ntk for part in parts]),
    )


def _measure(entering: Sequence[Array], slopes: Sequence[Array | None], weights: Sequence[Array]) -> GradientStats:
    """Measure one member, as an ensemble of one.

    Args:
        entering: what the weights of each layer multiply, `[n, i]`.
        slopes: its derivatives by the values entering; None for 1.
        weights: `[o, i]`.
    """
    n, n_last = len(entering[0]), len(weights[-1])
    jacobian = np.broadcast_to(np.eye(n_last), (n, n_last, n_last))  # [n, c, o], dy/d(values leaving)
    kernel, traces = np.zeros((n, n)), {"weight": 0.0, "bias": 0.0}
    layers, nodes, leaving_rms = [], [], n_last**-0.5
    for u, slope, weight in zip(reversed(entering), reversed(slopes), reversed(weights), strict=True):
        by_node, by_input = (jacobian**2).sum(axis=(1, 2)), (u**2).sum(axis=1)  # [n]
        sums = {"weight": (by_node * by_input).sum(), "bias": by_node.sum()}
        sizes = {"weight": weight.size, "bias": len(weight)}
        gradient = {name: np.sqrt(sums[name] / (n * n_last * sizes[name])) for name in sums}
        traces = {name: traces[name] + sums[name] for name in sums}
        flat = jacobian.reshape(n, -1)
        kernel += (flat @ flat.T) * (u @ u.T + 1)
        jacobian = jacobian @ weight if slope is None else (jacobian @ weight) * slope[:, None]
        square = (jacobian**2).sum(axis=1).mean(axis=0) / n_last  # [i]
        rms = np.sqrt(square.mean())
        entry = {"gradient": {"values": rms, **gradient}, "gradient_gain": rms / leaving_rms}
        layers.append(_as_arrays(entry))
        nodes.append(np.sqrt(square)[None])
        leaving_rms = rms
    ntk = kernel_statistics(kernel[None]) | {"trace_share": shares(_as_arrays(traces))}
    return GradientStats(layers[::-1], [], nodes[::-1], jacobian_statistics(jacobian[None]), ntk)


def _as_arrays(values: dict) -> dict:
    """Numbers as arrays `[1]`."""
    return {name: _as_arrays(value) if isinstance(value, dict) else np.array([value]) for name, value in values.items()}
