"""Sample the parameters of a model from the laws of a scheme."""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kancli.inits.draws import fill_compiled, use_compiled
from kancli.inits.laws import Constant, Masked, RowInvariant, Uniform
from kancli.inits.normal_scores import score_sums
from kancli.inits.scheme import LayerSize, Scheme
from kancli.seeding import stream, streams

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from kancli.inits.laws import Law
    from kancli.kan.layer import KANLayer
    from kancli.kan.layered import Layer
    from kancli.kan.network import KAN


BLOCK_NUMBERS = 2**18  # larger tensors are sampled in blocks of rows of about this many numbers


def size_of(layer: KANLayer) -> LayerSize:
    """The properties of a layer that its laws may depend on."""
    return LayerSize(layer.n_in, layer.n_out, layer.grid, layer.k, layer.grid_range, layer.base_name or layer.base_fun)


class DeclaredMoments(NamedTuple):
    """What a law declares for the tensor of one member."""

    mean: float
    std: float
    mean_error: float  # standard error of the tensor's mean
    variance_error: float  # standard error of its mean squared distance from the law's mean
    scores: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, int] | None]  # `score_sums` of tensors `[s, ...]`
    edge: Law | None  # its law in `edge_laws`


def declared(model: KAN, scheme: Scheme) -> list[dict[str, DeclaredMoments]]:
    """Expected statistics of each layer's tensors, by tensor."""
    layers = []
    for layer in model.layers:
        laws = scheme.laws(size := size_of(layer))
        edges = edge_laws(laws, scheme.mask(size))
        layers.append({name: moments_of(law, edges[name], layer, name) for name, law in laws.items()})
    return layers


def moments_of(law: Law, edge: Law | None, layer: Layer, name: str) -> DeclaredMoments:
    """What a law declares for a tensor of a layer.

    Args:
        edge: its law in `edge_laws`.
    """
    import torch

    tensor = getattr(layer, name)
    shape = tuple(tensor.shape if layer.n_members is None else tensor.shape[1:])
    scores = functools.partial(score_sums, law, eps=torch.finfo(tensor.dtype).eps)
    return DeclaredMoments(law.mean, law.std, law.mean_error(shape), law.variance_error(shape), scores, edge)


def edge_laws(laws: Mapping[str, Law], mask: Sequence[Sequence[bool]] | None) -> dict[str, Law | None]:
    """The law of each tensor on the edges that a mask leaves on; None where it differs from edge to edge."""

    def on_edge(law: Law) -> Law | None:
        if isinstance(law, Masked):
            return law.law if mask is not None and law.kept == tuple(map(tuple, mask)) else None
        return law if isinstance(law, RowInvariant) or law.rows(slice(0, 1)) is law else None

    return {name: on_edge(law) for name, law in laws.items()}


def init_(model: KAN, scheme: Scheme, *, seed: int | Sequence[int]) -> KAN:
    """Fill every parameter of `model` in place from the laws of `scheme`, and return it.

    Every tensor of every layer has its own stream, "layer {l}/{tensor}"; a large tensor has one for each block. Values
    are sampled on the CPU in float64, then cast and moved.

    Args:
        seed: seed of the streams; member i of an ensemble gets seed + i, or the i-th of several seeds.

    Raises:
        ValueError: the scheme's laws are not those of the layer's tensors, or a layer lacks the scheme's mask.
    """
    seeds = range(seed, seed + (model.n_members or 1)) if isinstance(seed, int) else seed
    sizes = [size_of(layer) for layer in model.layers]
    compiled = use_compiled(model)
    source_draws = [draws for seed in seeds if (draws := scheme.source_draws(sizes, seed)) is not None]
    for number, (layer, size) in enumerate(zip(model.layers, sizes, strict=True)):
        laws = scheme.laws(size)
        if (mask := scheme.mask(size)) is not None:
            with _as_array(_required_mask(layer), ensemble=False) as values:
                values[...] = mask
        if set(laws) != {name for name, _ in layer.named_parameters(recurse=False)}:
            raise ValueError(f"{type(scheme).__name__}.laws gives {', '.join(laws)}: not the layer's tensors")
        if not source_draws:
            fill_(layer, laws, seeds, number, compiled=compiled)
            continue
        for name in laws:
            with _as_array(getattr(layer, name), ensemble=model.n_members is not None) as values:
                for member, draws in enumerate(source_draws):
                    values[member] = draws[number][name]
    return model


def fill_(layer: Layer, laws: Mapping[str, Law], seeds: Sequence[int], number: int, *, compiled: bool = False) -> None:
    """Fill the tensors of a layer in place from their laws, one seed for each member.

    Args:
        number: of the layer, for its streams.
        compiled: whether kernels may sample large tensors.
    """
    for name, law in laws.items():
        with _as_array(getattr(layer, name), ensemble=layer.n_members is not None) as values:
            if isinstance(law, Constant):
                values[...] = law.value
            else:
                _sample_(law, values, seeds, f"layer {number}/{name}", compiled=compiled)


def _required_mask(layer: KANLayer) -> Tensor:
    if layer.mask is None:
        raise ValueError("the scheme has a mask, which the layer lacks: build it with masked=True")
    return layer.mask


@contextlib.contextmanager
def _as_array(tensor: Tensor, *, ensemble: bool) -> Iterator[np.ndarray]:
    """Context manager: a CPU array `[s, ...]` whose values become those of the tensor."""
    import numpy as np
    import torch

    # cpu() shares memory with a tensor on the CPU. One on meta holds no values to start from.
    on_cpu = torch.empty_like(tensor, device="cpu") if tensor.is_meta else tensor.detach().cpu()
    with np.errstate(over="ignore"):  # the statistics report values beyond the dtype
        yield on_cpu.numpy() if ensemble else on_cpu.unsqueeze(0).numpy()
    if tensor.device.type != "cpu":
        with torch.no_grad():
            tensor.copy_(on_cpu)


def _sample_(law: Law, values: np.ndarray, seeds: Sequence[int], purpose: str, *, compiled: bool) -> None:
    """Fill `[s, ...]` in place, with one seed for each member.

    A large tensor is sampled in blocks of rows, each with its own stream, on several threads. The blocks depend on the
    tensor's shape alone, so the values do not depend on the number of threads.
    """
    import numpy as np

    n_rows = max(1, BLOCK_NUMBERS // math.prod(values.shape[2:]))
    blocks = [slice(start, start + n_rows) for start in range(0, values.shape[1], n_rows)]
    if len(blocks) == 1:
        shape, generators = values.shape[1:], streams(seeds, purpose)
        if type(law) is Uniform:  # to spread each member's few numbers would take longer than to draw them
            units = np.empty(values.shape)
            for member, generator in enumerate(generators):
                generator.random(out=units[member])
            values[...] = law.spread(units)
            return
        for member, generator in enumerate(generators):
            values[member] = law.sample(shape, generator=generator)
        return

    from kancli.kan.threads import thread_pool

    def fill(member_and_block: tuple[int, int]) -> None:
        member, number = member_and_block
        block = values[member, blocks[number]]
        generator = stream(seeds[member], f"{purpose}/block {number}" if number else purpose)
        rows = law.rows(blocks[number])
        if not (compiled and fill_compiled(rows, block, generator=generator)):
            block[...] = rows.sample(block.shape, generator=generator)

    with thread_pool() as workers:
        for _ in workers.map(fill, itertools.product(range(len(seeds)), range(len(blocks)))):
            pass
