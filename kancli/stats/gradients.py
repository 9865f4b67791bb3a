"""What happens on the way back: gradients, the Jacobian from inputs to outputs, and the neural tangent kernel.

All of it is exact and in float64, without a backward pass for each output: the slope of every edge at every sample is
known in closed form, so Jacobians are products of matrices of slopes; and the derivative of a layer's value by a
parameter is one of the terms that the layer adds up.

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

FLOOR = 1e-9  # of the largest eigenvalue: smaller ones count as this much in a condition number
SLOPES = 2**22  # numbers in the slopes of one layer that are looked at together
GROUP = 2**18  # numbers in the kernels, or in the splines, of the members that are looked at together


@dataclass(frozen=True)
class GradientStats:
    """What was found on the way back; numbers by name, `[s]` unless said otherwise."""

    layers: list[dict[str, Any]]  # names, or names of names
    nodes: list[Array]  # per layer [s, i]: rms gradient by the value of each node entering
    jacobian: dict[str, Array]
    ntk: dict[str, Array]  # `eigenvalues` [s, n]


def measure_gradients(model: KAN, x: Tensor) -> GradientStats:
    """Measure at the samples x `[(s,) n, n_0]`.

    Gradients are those of u.y, y the outputs and u a random unit vector: the root of the mean of their squares over
    samples, entries and u; exactly, as the mean of u u^T is 1/c. Of each layer:

    `gradient`: by the values entering it (`values`), and by each of its parameters (`coef`, `scale_base`, `scale_sp`,
        `bias`).
    `gradient_gain`: that by the values entering over that by the values leaving.

    `jacobian`: singular values of dy/dx, `[c, n_0]`: their `median`, `min` and `max` over samples and all of them, and
        `condition`, the median over samples of the largest over the smallest.
    `ntk`: the empirical neural tangent kernel summed over outputs, K = sum_c J_c J_c^T, J_c `[n, parameters]` the
        derivatives of output c by coef, scale_base, scale_sp and bias (Jacot, Gabriel and Hongler 2018): its
        `eigenvalues`, falling; `trace`; `largest`; `condition`, largest over max(smallest, 1e-9 largest); and
        `effective_rank`, (trace)^2 / sum of squared eigenvalues. A low condition is not by itself good.

    The mean and variance by which a scheme standardises its bases are taken for constants.
    """
    exact = model.ensemble_in_float64()
    n_members = exact.n_members or 1
    x = x.double().cpu()
    x = x if x.dim() > 2 else x.expand(n_members, *x.shape)
    n, most_edges = x.shape[-2], max(layer.n_in * layer.n_out for layer in model.layers)
    size = max(1, GROUP // (n * max(n, most_edges)))
    groups = [slice(begin, min(begin + size, n_members)) for begin in range(0, n_members, size)]

    def found(group: slice) -> GradientStats:
        with torch.no_grad(), np.errstate(all="ignore"):
            return _measure(exact.member(group).cpu(), x[group])

    # Threads that each compute on one: the bits depend neither on how many there are nor on the other members.
    with one_blas_thread(), thread_pool() as workers:
        parts = list(workers.map(found, groups))
    layers = zip(*(part.layers for part in parts), strict=True)
    nodes = zip(*(part.nodes for part in parts), strict=True)
    return GradientStats(
        [_joined(each) for each in layers],
        [np.concatenate(each) for each in nodes],
        _joined([part.jacobian for part in parts]),
        _joined([part.ntk for part in parts]),
    )


def _joined(parts: Sequence[Any]) -> Any:
    if isinstance(parts[0], dict):
        return {name: _joined([each[name] for each in parts]) for name in parts[0]}
    return np.concatenate(parts)


def _measure(model: KAN, x: Tensor) -> GradientStats:
    entering = [x]
    for layer in model.layers[:-1]:
        entering.append(layer(entering[-1]))
    (s, n, _), n_last = x.shape, model.width[-1]
    jacobian = np.broadcast_to(np.eye(n_last), (s, n, n_last, n_last))  # [s, n, c, o], of y by the values leaving
    kernel = np.zeros((s, n, n))
    layers, nodes = [], []
    leaving = np.full(s, n_last**-0.5)  # rms gradient by the values leaving
    for layer, values in zip(reversed(model.layers), reversed(entering), strict=True):
        terms = _terms(layer, values)
        gradient = _by_parameters(layer, terms, jacobian)
        _add_kernel_(kernel, layer, terms, jacobian)
        jacobian = _through(layer, values, jacobian)
        square = (jacobian**2).sum(axis=2).mean(axis=1) / n_last  # [s, i]
        by_values = np.sqrt(square.mean(axis=-1))
        nodes.append(np.sqrt(square))
        layers.append({"gradient": {"values": by_values, **gradient}, "gradient_gain": by_values / leaving})
        leaving = by_values
    return GradientStats(layers[::-1], nodes[::-1], _singular(jacobian), _spectrum(kernel))


@dataclass(frozen=True)
class _Terms:
    """The derivatives of a layer's values by its parameters; and the parameter scale_sp."""

    bases: Array  # [s, n, i, K], standardised where the scheme does so
    base: Array  # [s, n, i]       b(x)
    spline: Array  # [s, n, i, o]  before scale_sp
    scale_sp: Array  # [s, i, o]


def _terms(layer: KANLayer, x: Tensor) -> _Terms:
    bases = layer.local_basis(x).dense()
    if (standard := layer.basis_statistics) is not None:
        bases = (bases - standard.mean.unsqueeze(1)) * standard.inverse_std.unsqueeze(1)
    tensors = (bases, apply_elementwise(layer.base_fun, x), layer.spline(x), layer.scale_sp)
    return _Terms(*(each.detach().numpy() for each in tensors))


def _through(layer: KANLayer, x: Tensor, jacobian: Array) -> Array:
    """dy/dx `[s, n, c, i]` from dy/dvalues `[s, n, c, o]`."""
    step = max(1, SLOPES // (layer.n_in * layer.n_out * len(x)))
    chunks = [slice(begin, begin + step) for begin in range(0, x.shape[1], step)]
    parts = [np.matmul(jacobian[:, rows], layer.slopes(x[:, rows]).transpose(-2, -1).numpy()) for rows in chunks]
    return np.concatenate(parts, axis=1)


def _by_parameters(layer: KANLayer, terms: _Terms, jacobian: Array) -> dict[str, Array]:
    """rms gradient by each parameter, `[s]`."""
    s, n, n_last, n_out = jacobian.shape
    square = (jacobian**2).sum(axis=2) / n_last  # [s, n, o]
    of_bases = np.matmul((terms.bases**2).mean(axis=-1), terms.scale_sp**2)  # [s, n, o], summed over inputs
    sums = {
        "scale_base": (terms.base**2).sum(axis=-1, keepdims=True),
        "scale_sp": (terms.spline**2).sum(axis=2),
        "coef": of_bases,
    }
    found = {
        name: np.sqrt((each * square).reshape(s, -1).sum(axis=-1) / (n * layer.n_in * n_out))
        for name, each in sums.items()
    }
    if layer.bias is not None:
        found["bias"] = np.sqrt(square.reshape(s, -1).mean(axis=-1))
    return found


def _add_kernel_(kernel: Array, layer: KANLayer, terms: _Terms, jacobian: Array) -> None:
    """Add a layer's share of the kernel `[s, n, n]`: the sum over c, i, o and the parameters p of edge (i, o) of D D^T,
    D `[n]` = dy_c/dvalue_o dphi_io/dp. What is added in which order depends on the member alone."""
    alike = (terms.scale_sp == terms.scale_sp[..., :1]).all(axis=(1, 2)).tolist()
    if len(set(alike)) == 2:
        for member in range(len(alike)):
            one = slice(member, member + 1)
            part = _Terms(*(each[one] for each in vars(terms).values()))
            _add_kernel_(kernel[one], layer, part, jacobian[one])
        return
    s, n, _, n_out = jacobian.shape
    shared = [terms.base]  # what is the same for all o
    if layer.bias is not None:
        shared.append(np.ones((s, n, 1)))
    if alike[0]:
        shared.append((terms.bases * terms.scale_sp[:, None, :, :1]).reshape(s, n, -1))
    by_value = _squared(jacobian.reshape(s, n, -1))
    by_value *= _squared(np.concatenate(shared, axis=-1))
    kernel += by_value
    for output in range(n_out):
        own = [terms.spline[..., output]]  # [s, n, i]
        if not alike[0]:
            own.append((terms.bases * terms.scale_sp[:, None, :, output, None]).reshape(s, n, -1))
        columns = np.concatenate(own, axis=-1)
        if jacobian.shape[2] == 1:
            kernel += _squared(jacobian[..., output] * columns)
        else:
            kernel += _squared(jacobian[..., output]) * _squared(columns)


def _squared(columns: Array) -> Array:
    """`[s, n, p]` to `[s, n, n]`: the sum over p of columns_p columns_p^T."""
    return np.matmul(columns, columns.swapaxes(1, 2))


def _singular(jacobian: Array) -> dict[str, Array]:
    if min(jacobian.shape[-2:]) == 1:
        values = np.sqrt((jacobian**2).sum(axis=(-2, -1)))[..., None]
    else:
        finite = np.isfinite(jacobian.sum(axis=(-2, -1)))[..., None]
        values = np.linalg.svd(np.where(finite[..., None], jacobian, 0.0), compute_uv=False)
        values = np.where(finite, values, np.nan)  # [s, n, r]
    everything = values.reshape(len(values), -1)
    return {
        "median": np.median(everything, axis=-1),
        "min": everything.min(axis=-1),
        "max": everything.max(axis=-1),
        "condition": np.median(values[..., 0] / values[..., -1], axis=-1),
    }


def _spectrum(kernel: Array) -> dict[str, Array]:
    trace = kernel.trace(axis1=-2, axis2=-1)
    finite = np.isfinite(kernel.sum(axis=(-2, -1)))[:, None]
    values = np.linalg.eigvalsh(np.where(finite[..., None], kernel, 0.0))[:, ::-1]
    values = np.where(finite, np.maximum(values, 0.0), np.nan)  # [s, n]
    largest = values[:, 0]
    return {
        "eigenvalues": values,
        "trace": trace,
        "largest": largest,
        "condition": largest / np.maximum(values[:, -1], FLOOR * largest),
        "effective_rank": trace**2 / (values**2).sum(axis=-1),
    }
