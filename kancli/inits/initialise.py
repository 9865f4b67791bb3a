"""Draw the parameters of a model by the laws of a scheme."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kancli.inits.laws import Constant
from kancli.inits.scheme import LayerSize, Scheme
from kancli.seeding import stream, streams

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from kancli.inits.laws import Law
    from kancli.kan.layer import KANLayer
    from kancli.kan.network import KAN


BLOCK_NUMBERS = 2**18  # a tensor of more is drawn in blocks


def size_of(layer: KANLayer) -> LayerSize:
    """What the laws of a layer may depend on."""
    return LayerSize(layer.n_in, layer.n_out, layer.grid, layer.k, layer.grid_range, layer.base_name or layer.base_fun)


def declared(model: KAN, scheme: Scheme) -> list[dict[str, tuple[float, float, float, float]]]:
    """Per layer and tensor what the laws say: mean, std, and of one member's tensor the standard errors of its mean and
    of its mean squared distance from the law's mean."""
    leading = 0 if model.n_members is None else 1

    def told(law: Law, tensor: Tensor) -> tuple[float, float, float, float]:
        shape = tuple(tensor.shape[leading:])
        return law.mean, law.std, law.mean_error(shape), law.variance_error(shape)

    return [
        {name: told(law, getattr(layer, name)) for name, law in scheme.laws(size_of(layer)).items()}
        for layer in model.layers
    ]


def init_(model: KAN, scheme: Scheme, *, seed: int | Sequence[int]) -> KAN:
    """Fill every parameter of `model` in place by the laws of `scheme`, and return it.

    Every tensor of every layer has a stream of its own, named "layer {l}/{tensor}", a large one several. Values are
    drawn on the CPU in float64, then cast and moved.

    Args:
        seed: the seed of all these streams; required. Member i of an ensemble is drawn with seed + i, or with the
            i-th of several.

    Raises:
        ValueError: the scheme's laws are not those of the layer's tensors.
    """
    import numpy as np
    import torch

    seeds = range(seed, seed + (model.n_members or 1)) if isinstance(seed, int) else seed
    sizes = [size_of(layer) for layer in model.layers]
    given = [draws for each in seeds if (draws := scheme.source_draws(sizes, each)) is not None]
    for number, (layer, size) in enumerate(zip(model.layers, sizes, strict=True)):
        laws = scheme.laws(size)
        if set(laws) != {name for name, _ in layer.named_parameters()}:
            raise ValueError(f"{type(scheme).__name__}.laws gives {', '.join(laws)}: not the layer's tensors")
        for name, law in laws.items():
            tensor: Tensor = getattr(layer, name)
            on_cpu = tensor.detach().cpu()  # the tensor itself, where it lies there
            values = on_cpu.numpy() if model.n_members is not None else on_cpu.unsqueeze(0).numpy()
            with np.errstate(over="ignore"):  # what float32 cannot hold is reported with the statistics
                if given:
                    for member, draws in enumerate(given):
                        values[member] = draws[number][name]
                elif isinstance(law, Constant):
                    values[...] = law.value
                else:
                    _draw(law, values, seeds, f"layer {number}/{name}")
            if tensor.device.type != "cpu":
                with torch.no_grad():
                    tensor.copy_(on_cpu)
    return model


def _draw(law: Law, values: np.ndarray, seeds: Sequence[int], purpose: str) -> None:
    """Fill `[s, ...]` in place, a member a seed.

    A large tensor is drawn in blocks of rows, each from a stream of its own, several at a time: the blocks depend on
    the tensor's shape alone, so the numbers do not depend on how many threads there are.
    """
    rows = max(1, BLOCK_NUMBERS // math.prod(values.shape[2:]))
    blocks = [slice(begin, begin + rows) for begin in range(0, values.shape[1], rows)]
    if len(blocks) == 1:
        for member, generator in enumerate(streams(seeds, purpose)):
            values[member] = law.sample(values.shape[1:], generator=generator)
        return

    from kancli.kan.threads import thread_pool

    def fill(job: tuple[int, int]) -> None:
        member, number = job
        target = values[member, blocks[number]]
        generator = stream(seeds[member], f"{purpose}/block {number}" if number else purpose)
        target[...] = law.rows(blocks[number]).sample(target.shape, generator=generator)

    with thread_pool() as workers:
        for _ in workers.map(fill, itertools.product(range(len(seeds)), range(len(blocks)))):
            pass
