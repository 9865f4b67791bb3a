"""Statistics of the backward pass: gradients, the Jacobian from inputs to outputs, and the neural tangent kernel.

They are exact and in float64, without a backward pass for each output: the slope of every edge at every sample is
known in closed form, so Jacobians are products of matrices of slopes; and the derivative of a layer's value
with respect to a parameter is one of the terms that the layer adds up.

Shapes: s members (1 for a single model), n samples, c outputs of the network, i and o nodes before and after a layer, K
basis functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kancli.kan.edge_sums import apply_elementwise
from kancli.kan.layer import KANLayer
from kancli.kan.network import KAN
from kancli.kan.threads import one_blas_thread, thread_pool
from kancli.stats.running_moments import Array
from kancli.stats.slopes import SlopeMoments, slope_moments

MIN_EIGENVALUE = 1e-9  # of the largest: smaller eigenvalues count as this in a condition number
MAX_SLOPES = 2**22  # slopes of one layer held at a time
MAX_GROUP = 2**18  # numbers in the kernels, or in the splines, of the members processed at a time


@dataclass(frozen=True)
class GradientStats:
    """Statistics of the backward pass by their names in stats.json, `[s]` unless noted otherwise."""

    layers: list[dict[str, Any]]  # by name, or by name and name
    slopes: list[SlopeMoments]  # per layer
    nodes: list[Array]  # per layer [s, i]: rms gradient with respect to the value of each node entering
    jacobian: dict[str, Array]
    ntk: dict[str, Any]  # `eigenvalues` [s, n], `trace_share` by tensor


def measure_gradients(model: KAN, x: Tensor) -> GradientStats:
    """Measure gradients, Jacobian and kernel at the samples x `[(s,) n, n_0]`.

    Gradients are those of u.y, y the outputs and u a random unit vector: the root of the mean of their squares over
    samples, entries and u; exactly, as the mean of u u^T is 1/c. For each layer:

    `gradient`: with respect to the values entering it (`values`), and to each of its parameters (`coef`, `scale_base`,
        `scale_sp`, `bias`).
    `gradient_gain`: gradient with respect to the values entering over that with respect to the values leaving.

    For the network:

    `jacobian`: `median`, `min` and `max` of the singular values of dy/dx `[c, n_0]` over all samples; and `condition`,
        the median over samples of the largest over the smallest; NaN where there is one.
    `ntk`: the empirical neural tangent kernel summed over outputs, K = sum_c J_c J_c^T, J_c `[n, parameters]` the
        derivatives of output c by coef, scale_base, scale_sp and bias (Jacot, Gabriel and Hongler 2018): its
        `eigenvalues`, in descending order; `trace`; `trace_share`, the parts of the trace that come from the tensors of
        each name, over the whole; `largest`; `condition`, largest over max(smallest, 1e-9 largest);
        and `effective_rank`, (trace)^2 / sum of squared eigenvalues. A low condition is not by itself good.

    The mean and variance of standardised bases are treated as constants.
    """
    exact = model.ensemble_in_float64()
    n_members = exact.n_members or 1
    x = x.double().cpu()
    x = x if x.dim() > 2 else x.expand(n_members, *x.shape)
    n, max_edges = x.shape[-2], max(layer.n_in * layer.n_out for layer in model.layers)
    size = max(1, MAX_GROUP // (n * max(n, max_edges)))
    groups = [slice(begin, min(begin + size, n_members)) for begin in range(0, n_members, size)]

    def measure(group: slice) -> GradientStats:
        with torch.no_grad(), np.errstate(all="ignore"):
            return _measure(exact.member(group).cpu(), x[group])

    # One BLAS thread per worker, so that the bits depend neither on the number of threads nor on the other members.
    with one_blas_thread(), thread_pool() as workers:
        parts = list(workers.map(measure, groups))
    layers = zip(*(part.layers for part in parts), strict=True)
    nodes = zip(*(part.nodes for part in parts), strict=True)
    slopes = zip(*(part.slopes for part in parts), strict=True)
    return GradientStats(
        [joined(layer) for layer in layers],
        [SlopeMoments(*map(np.concatenate, zip(*layer, strict=True))) for layer in slopes],
        [np.concatenate(layer) for layer in nodes],
        joined([part.jacobian for part in parts]),
        joined([part.ntk for part in parts]),
    )


def joined(parts: Sequence[Any]) -> Any:
    """Statistics of groups of members, or dicts of them, as those of all."""
    if isinstance(parts[0], dict):
        return {name: joined([part[name] for part in parts]) for name in parts[0]}
    return np.concatenate(parts)


def _measure(model: KAN, x: Tensor) -> GradientStats:
    entering = [x]
    for layer in model.layers[:-1]:
        entering.append(layer(entering[-1]))
    (s, n, _), n_last = x.shape, model.width[-1]
    jacobian = np.broadcast_to(np.eye(n_last), (s, n, n_last, n_last))  # [s, n, c, o], dy/d(values leaving)
    kernel = np.zeros((s, n, n))
    layers, nodes, slopes, traces = [], [], [], {}
    leaving_rms = np.full(s, n_last**-0.5)  # rms gradient with respect to the values leaving
    for layer, values in zip(reversed(model.layers), reversed(entering), strict=True):
        terms = _terms(layer, values)
        gradient = _by_parameters(layer, terms, jacobian)
        for name, rms in gradient.items():
            n_entries = getattr(layer, name).numel() // s
            traces[name] = traces.get(name, 0.0) + rms**2 * (n * n_entries * n_last)
        _add_kernel_(kernel, layer, terms, jacobian)
        jacobian, squares = _through(layer, values, jacobian)
        slopes.append(slope_moments(layer, values, squares))
        square = (jacobian**2).sum(axis=2).mean(axis=1) / n_last  # [s, i]
        entering_rms = np.sqrt(square.mean(axis=-1))
        nodes.append(np.sqrt(square))
        layers.append({"gradient": {"values": entering_rms, **gradient}, "gradient_gain": entering_rms / leaving_rms})
        leaving_rms = entering_rms
    ntk = kernel_statistics(kernel) | {"trace_share": shares(traces)}
    return GradientStats(layers[::-1], slopes[::-1], nodes[::-1], jacobian_statistics(jacobian), ntk)


@dataclass(frozen=True)
class _Terms:
    """Derivatives of a layer's values with respect to its parameters; and the parameter scale_sp."""

    bases: Array  # [s, n, i, K], standardised where the scheme does so
    base: Array  # [s, n, i]       b(x)
    spline: Array  # [s, n, i, o]  before scale_sp, 0 for edges that are off
    scale_sp: Array  # [s, i, o]   0 for edges that are off
    mask: Array | None  # [s, i, o] 1.0, or 0.0 for edges that are off; None where all are on

    def member(self, index: int) -> _Terms:
        """The terms of one member, with its axis."""
        arrays = vars(self).values()
        return _Terms(*(None if array is None else array[index : index + 1] for array in arrays))  # pyright: ignore


def _terms(layer: KANLayer, x: Tensor) -> _Terms:
    bases = layer.local_basis(x).dense()
    if (standard := layer.basis_statistics) is not None:
        bases = (bases - standard.mean.unsqueeze(1)) * standard.inverse_std.unsqueeze(1)
    tensors = (bases, apply_elementwise(layer.base_fun, x), layer.spline(x), layer.masked_scales()[1])
    bases, base, spline, scale_sp = (tensor.detach().numpy() for tensor in tensors)
    if layer.mask is None:
        return _Terms(bases, base, spline, scale_sp, None)
    mask = layer.mask.double().numpy()
    return _Terms(bases, base, spline * mask[:, None], scale_sp, mask)


def _through(layer: KANLayer, x: Tensor, jacobian: Array) -> tuple[Array, Array]:
    """dy/dx `[s, n, c, i]` from dy/dvalues `[s, n, c, o]`; and the sum of the squared slopes of all edges, `[s, n]`."""
    step = max(1, MAX_SLOPES // (layer.n_in * layer.n_out * len(x)))
    chunks = [slice(begin, begin + step) for begin in range(0, x.shape[1], step)]
    parts, squares = [], []
    for rows in chunks:
        slopes = layer.slopes(x[:, rows]).numpy()  # [s, rows, i, o]
        parts.append(np.matmul(jacobian[:, rows], slopes.swapaxes(-2, -1)))
        np.square(slopes, out=slopes)  # no longer needed: their memory is
        squares.append(slopes.reshape(*slopes.shape[:2], -1).sum(axis=-1))
    return np.concatenate(parts, axis=1), np.concatenate(squares, axis=1)


def _by_parameters(layer: KANLayer, terms: _Terms, jacobian: Array) -> dict[str, Array]:
    """rms gradient with respect to each parameter, `[s]`."""
    s, n, n_last, n_out = jacobian.shape
    square = (jacobian**2).sum(axis=2) / n_last  # [s, n, o]
    of_bases = np.matmul((terms.bases**2).mean(axis=-1), terms.scale_sp**2)  # [s, n, o], summed over inputs
    of_base = terms.base**2
    sums = {
        "scale_base": of_base.sum(axis=-1, keepdims=True) if terms.mask is None else np.matmul(of_base, terms.mask),
        "scale_sp": (terms.spline**2).sum(axis=2),
        "coef": of_bases,
    }
    gradients = {
        name: np.sqrt((factor * square).reshape(s, -1).sum(axis=-1) / (n * layer.n_in * n_out))
        for name, factor in sums.items()
    }
    if layer.bias is not None:
        gradients["bias"] = np.sqrt(square.reshape(s, -1).mean(axis=-1))
    return gradients


def _add_kernel_(kernel: Array, layer: KANLayer, terms: _Terms, jacobian: Array) -> None:
    """Add a layer's part to the kernel `[s, n, n]`: the sum over c, i, o and the parameters p of edge (i, o) of D D^T,
    D `[n]` = dy_c/dvalue_o dphi_io/dp. The order of summation of a member does not depend on the other members."""
    shares_scale = (terms.scale_sp == terms.scale_sp[..., :1]).all(axis=(1, 2)).tolist()
    if len(set(shares_scale)) == 2:
        for member in range(len(shares_scale)):
            one = slice(member, member + 1)
            _add_kernel_(kernel[one], layer, terms.member(member), jacobian[one])
        return
    s, n, _, n_out = jacobian.shape
    shared = [np.zeros((s, n, 0))]  # derivatives that are equal for all o
    if terms.mask is None:
        shared.append(terms.base)
    if layer.bias is not None:
        shared.append(np.ones((s, n, 1)))
    if shares_scale[0]:
        shared.append((terms.bases * terms.scale_sp[:, None, :, :1]).reshape(s, n, -1))
    by_value = _squared(jacobian.reshape(s, n, -1))
    by_value *= _squared(np.concatenate(shared, axis=-1))
    kernel += by_value
    for output in range(n_out):
        own = [terms.spline[..., output]]  # [s, n, i]
        if terms.mask is not None:
            own.append(terms.base * terms.mask[:, None, :, output])
        if not shares_scale[0]:
            own.append((terms.bases * terms.scale_sp[:, None, :, output, None]).reshape(s, n, -1))
        columns = np.concatenate(own, axis=-1)
        if jacobian.shape[2] == 1:
            kernel += _squared(jacobian[..., output] * columns)
        else:
            kernel += _squared(jacobian[..., output]) * _squared(columns)


def _squared(columns: Array) -> Array:
    """Sum over p of columns_p columns_p^T, `[s, n, p]` to `[s, n, n]`."""
    return np.matmul(columns, columns.swapaxes(1, 2))


def shares(parts: dict[str, Array]) -> dict[str, Array]:
    """Each part over the sum of all."""
    total = sum(parts.values())
    return {name: part / total for name, part in parts.items()}


def jacobian_statistics(jacobian: Array) -> dict[str, Array]:
    """The entry `jacobian`, `[s]` each, of dy/dx `[s, n, c, n_0]`."""
    is_vector = min(jacobian.shape[-2:]) == 1
    if is_vector:
        values = np.sqrt((jacobian**2).sum(axis=(-2, -1)))[..., None]
    else:
        finite = np.isfinite(jacobian.sum(axis=(-2, -1)))[..., None]
        values = np.linalg.svd(np.where(finite[..., None], jacobian, 0.0), compute_uv=False)
        values = np.where(finite, values, np.nan)  # [s, n, r]
    pooled = values.reshape(len(values), -1)
    return {
        "median": np.median(pooled, axis=-1),
        "min": pooled.min(axis=-1),
        "max": pooled.max(axis=-1),
        "condition": np.median(values[..., 0] / (np.nan if is_vector else values[..., -1]), axis=-1),
    }


def kernel_statistics(kernel: Array) -> dict[str, Array]:
    """The entry `ntk` but for `trace_share`, of kernels `[s, n, n]`."""
    trace = kernel.trace(axis1=-2, axis2=-1)
    finite = np.isfinite(kernel.sum(axis=(-2, -1)))[:, None]
    values = np.linalg.eigvalsh(np.where(finite[..., None], kernel, 0.0))[:, ::-1]
    values = np.where(finite, np.maximum(values, 0.0), np.nan)  # [s, n]
    largest = values[:, 0]
    return {
        "eigenvalues": values,
        "trace": trace,
        "largest": largest,
        "condition": largest / np.maximum(values[:, -1], MIN_EIGENVALUE * largest),
        "effective_rank": trace**2 / (values**2).sum(axis=-1),
    }
