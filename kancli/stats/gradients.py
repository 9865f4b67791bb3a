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

from kancli.kan.edge_sums import EdgeTerms
from kancli.kan.layer import KANLayer, LayerTrace
from kancli.kan.network import KAN
from kancli.kan.threads import one_blas_thread, thread_pool
from kancli.stats.running_moments import Array
from kancli.stats.slopes import SlopeMoments, slope_moments
from kancli.stats.tangent_kernel import Derivatives, add_to_kernel_

MIN_EIGENVALUE = 1e-9  # of the largest: smaller eigenvalues count as this in a condition number
MAX_SLOPES = 2**22  # slopes of one layer held at a time
MAX_GROUP = 2**17  # numbers in the splines of the members processed at a time


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
    max_edges = max(layer.n_in * layer.n_out for layer in model.layers)
    groups = _groups(n_members, max(1, MAX_GROUP // (x.shape[-2] * max_edges)), torch.get_num_threads())

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


def _groups(n_members: int, max_size: int, threads: int) -> list[slice]:
    """Members in groups of one size, as many for each thread."""
    n_groups = -(-n_members // (max_size * threads)) * threads
    size = -(-n_members // n_groups)
    return [slice(begin, min(begin + size, n_members)) for begin in range(0, n_members, size)]


def joined(parts: Sequence[Any]) -> Any:
    """Statistics of groups of members, or dicts of them, as those of all."""
    if isinstance(parts[0], dict):
        return {name: joined([part[name] for part in parts]) for name in parts[0]}
    return np.concatenate(parts)


def _measure(model: KAN, x: Tensor) -> GradientStats:
    traces = model.trace(x)
    (s, n, _), n_last = x.shape, model.width[-1]
    jacobian = np.broadcast_to(np.eye(n_last), (s, n, n_last, n_last))  # [s, n, c, o], dy/d(values leaving)
    kernel, sums = np.zeros((s, n, n)), {}
    layers, nodes, slopes = [], [], []
    leaving_rms = np.full(s, n_last**-0.5)  # rms gradient with respect to the values leaving
    for layer in reversed(model.layers):
        trace = traces.pop()  # the values of a layer's edges take much memory
        terms = _terms(layer, trace)
        gradient = _by_parameters(layer, terms, jacobian)
        for name, rms in gradient.items():
            n_entries = getattr(layer, name).numel() // s
            sums[name] = sums.get(name, 0.0) + rms**2 * (n * n_entries * n_last)
        for member in range(s):
            add_to_kernel_(kernel[member], terms.member(member), jacobian[member])
        slope_terms, table = layer.slope_terms(trace.preacts)
        jacobian, squares = _through(slope_terms, table, jacobian)
        slopes.append(slope_moments(layer, slope_terms, squares))
        square = (jacobian**2).sum(axis=2).mean(axis=1) / n_last  # [s, i]
        entering_rms = np.sqrt(square.mean(axis=-1))
        nodes.append(np.sqrt(square))
        layers.append({"gradient": {"values": entering_rms, **gradient}, "gradient_gain": entering_rms / leaving_rms})
        leaving_rms = entering_rms
    ntk = kernel_statistics(kernel) | {"trace_share": shares(sums)}
    return GradientStats(layers[::-1], slopes[::-1], nodes[::-1], jacobian_statistics(jacobian), ntk)


def _terms(layer: KANLayer, trace: LayerTrace) -> Derivatives:
    bases = trace.terms.bases.dense()
    if (standard := layer.basis_statistics) is not None:
        bases = (bases - standard.mean.unsqueeze(1)) * standard.inverse_std.unsqueeze(1)
    tensors = (bases, trace.base, trace.spline, layer.masked_scales()[1])
    bases, base, spline, scale_sp = (tensor.detach().numpy() for tensor in tensors)
    has_bias = layer.bias is not None
    if layer.mask is None:
        return Derivatives(bases, base, spline, scale_sp, None, has_bias)
    mask = layer.mask.double().numpy()
    return Derivatives(bases, base, spline * mask[:, None], scale_sp, mask, has_bias)


def _through(terms: EdgeTerms, table: Tensor, jacobian: Array) -> tuple[Array, Array]:
    """dy/dx `[s, n, c, i]` from dy/dvalues `[s, n, c, o]`; and the sum of the squared slopes of all edges, `[s, n]`.

    Args:
        terms, table: of `KANLayer.slope_terms`.
    """
    s, n, n_in = terms.first.shape
    step = max(1, MAX_SLOPES // (n_in * jacobian.shape[-1] * s))
    parts, squares = [], []
    for begin in range(0, n, step):
        rows = slice(begin, begin + step)
        slopes = terms.of_samples(rows).per_edge(table).numpy()  # [s, rows, i, o]
        parts.append(np.matmul(jacobian[:, rows], slopes.swapaxes(-2, -1)))
        np.square(slopes, out=slopes)  # no longer needed: their memory is
        squares.append(slopes.reshape(*slopes.shape[:2], -1).sum(axis=-1))
    return np.concatenate(parts, axis=1), np.concatenate(squares, axis=1)


def _by_parameters(layer: KANLayer, terms: Derivatives, jacobian: Array) -> dict[str, Array]:
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
    values = np.linalg.eigvalsh(kernel if finite.all() else np.where(finite[..., None], kernel, 0.0))[:, ::-1]
    values = np.where(finite, np.maximum(values, 0.0), np.nan)  # [s, n]
    largest = values[:, 0]
    return {
        "eigenvalues": values,
        "trace": trace,
        "largest": largest,
        "condition": largest / np.maximum(values[:, -1], MIN_EIGENVALUE * largest),
        "effective_rank": trace**2 / (values**2).sum(axis=-1),
    }
