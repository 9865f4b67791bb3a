"""The laws that the code of pykan implements, in two generations; its documentation differs (see `reference`).

Liu et al., github.com/KindXiaoming/pykan: `kan/KAN.py`, `kan/KANLayer.py` at 0.0.5; `kan/MultKAN.py`,
`kan/KANLayer.py` at 0.2.8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from kancli.inits.knot_noise import KnotNoise
from kancli.inits.laws import Constant, Law, Masked, Normal, Uniform
from kancli.inits.scheme import STREAM, STREAM_HELP, LayerSize, Scheme
from kancli.schema import Real, Truth, key

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True)
class Pykan005(Scheme):
    """pykan 0.0.1 to 0.0.5.

    scale_base = 1/sqrt(n_in) + (2 randn - 1) noise_scale_base ~ N(1/sqrt(n_in) - noise_scale_base, 2 noise_scale_base);
    scale_sp   = 1;
    coef       minimum-norm fit of noise U(±noise_scale/(2 G)) at the G + 1 knots;
    bias       0, trainable.

    The factor 2 randn - 1 is normal where a uniform one was meant: at n_in = 100 the mean of scale_base is 0.
    """

    has_bias: ClassVar[bool] = True
    fits_knots: ClassVar[bool] = True

    noise_scale: float = key(0.1, Real(low=0), "full width of the noise at the knots, times G")
    noise_scale_base: float = key(0.1, Real(low=0), "half the standard deviation of scale_base, and minus its bias")
    stream: str = key("kancli", STREAM, STREAM_HELP)

    def is_finite(self, size: LayerSize) -> bool:
        return True

    def laws(self, size: LayerSize) -> dict[str, Law]:
        return {
            "scale_base": Normal(1 / math.sqrt(size.n_in) - self.noise_scale_base, 2 * self.noise_scale_base),
            "scale_sp": Constant(1.0),
            "coef": _knot_noise(self.noise_scale, size),
            "bias": Constant(0.0),
        }

    def source_draws(self, sizes: Sequence[LayerSize], seed: int) -> list[dict[str, np.ndarray]] | None:
        """In the library's order: scale_base, noise, and one Linear(n_out, 1) that it then multiplies by 0."""
        if self.stream != "source":
            return None
        import torch

        generator = torch.Generator().manual_seed(seed)
        draws = []
        for size in sizes:
            edges = size.n_in * size.n_out  # flattened with the input running fastest
            normal = torch.randn(edges, generator=generator)
            # float32 tensors with float64 scalars, as in the library.
            scale_base = 1 / math.sqrt(size.n_in) + (normal * 2 - 1) * self.noise_scale_base
            noise = (torch.rand(edges, size.grid + 1, generator=generator) - 1 / 2) * self.noise_scale / size.grid
            torch.empty(1, size.n_out).uniform_(-1, 1, generator=generator)  # the Linear's draw
            coef = _source_fit(noise, size)
            shape = (size.n_out, size.n_in)
            draws.append({
                "scale_base": scale_base.reshape(shape).T.contiguous().numpy(),
                "scale_sp": torch.ones(size.n_in, size.n_out).numpy(),
                "coef": coef.reshape(*shape, -1).transpose(0, 1).contiguous().numpy(),
                "bias": torch.zeros(size.n_out).numpy(),
            })  # fmt: skip
        return draws


@dataclass(frozen=True)
class Pykan028(Scheme):
    """pykan 0.2.8.

    scale_base = (scale_base_mu + scale_base_sigma u)/sqrt(n_in), u ~ U(-1, 1): centre and half-width of a uniform,
                 where its documentation says N(mu, sigma^2);
    scale_sp   = 1/sqrt(n_in);
    coef       minimum-norm fit of noise U(±noise_scale/(2 G)) at the G + 1 knots.

    With `sparse_init` an edge is kept if it joins an input to its nearest output or an output to its nearest input,
    nodes of a layer lying at (i + 1/2)/n. A mask switches the others off for good; their scale_base keeps its law,
    their scale_sp is 0.
    """

    fits_knots: ClassVar[bool] = True

    noise_scale: float = key(0.3, Real(low=0), "full width of the noise at the knots, times G")
    scale_base_mu: float = key(0.0, Real(), "centre of scale_base, times sqrt(n_in)")
    scale_base_sigma: float = key(1.0, Real(low=0), "half-width of scale_base, times sqrt(n_in)")
    sparse_init: bool = key(False, Truth(), "keep only edges between nearest nodes")
    stream: str = key("kancli", STREAM, STREAM_HELP)

    def is_finite(self, size: LayerSize) -> bool:
        return True

    def laws(self, size: LayerSize) -> dict[str, Law]:
        root = math.sqrt(size.n_in)
        low, high = self.scale_base_mu - self.scale_base_sigma, self.scale_base_mu + self.scale_base_sigma
        scale_base, scale_sp = Uniform(low / root, high / root), Constant(1 / root)
        coef = _knot_noise(self.noise_scale, size)
        if not self.sparse_init:
            return {"scale_base": scale_base, "scale_sp": scale_sp, "coef": coef}
        kept = nearest_edges(size.n_in, size.n_out)
        return {"scale_base": scale_base, "scale_sp": Masked(scale_sp, kept), "coef": coef}

    @property
    def has_mask(self) -> bool:
        return self.sparse_init

    def mask(self, size: LayerSize) -> Sequence[Sequence[bool]] | None:
        return nearest_edges(size.n_in, size.n_out) if self.sparse_init else None

    @property
    def revision(self) -> int:
        return int(self.sparse_init)  # 1: a mask, where both scales were 0

    def source_draws(self, sizes: Sequence[LayerSize], seed: int) -> list[dict[str, np.ndarray]] | None:
        """In the library's order: noise, then scale_base."""
        if self.stream != "source":
            return None
        import torch

        generator = torch.Generator().manual_seed(seed)
        draws = []
        for size in sizes:
            shape = (size.n_in, size.n_out)
            root = math.sqrt(size.n_in)
            noise = (torch.rand(size.grid + 1, *shape, generator=generator) - 1 / 2) * self.noise_scale / size.grid
            coef = _source_fit(noise.permute(1, 2, 0), size)
            uniform = torch.rand(*shape, generator=generator) * 2 - 1
            scale_base = self.scale_base_mu * 1 / root + self.scale_base_sigma * uniform * 1 / root
            mask = torch.ones(shape)
            if self.sparse_init:
                mask = torch.tensor(nearest_edges(*shape)).float()
            scale_sp = torch.ones(shape) * 1.0 * 1 / root * mask
            draws.append({"scale_base": scale_base.numpy(), "scale_sp": scale_sp.numpy(),
                          "coef": coef.contiguous().numpy()})  # fmt: skip
        return draws


SCHEMES = {"pykan_0_0_5": Pykan005, "pykan_0_2_8": Pykan028}


def _knot_noise(noise_scale: float, size: LayerSize) -> KnotNoise:
    return KnotNoise(noise_scale / (2 * size.grid), size.grid_range, size.grid, size.k)


def nearest_edges(n_in: int, n_out: int) -> tuple[tuple[bool, ...], ...]:
    """Mask `[n_in][n_out]` of the edges on which either node is the other's nearest; the first of equals counts."""

    def position(node: int, count: int) -> float:
        return (node + 0.5) / count

    def nearest(x: float, count: int) -> int:
        return min(range(count), key=lambda node: abs(position(node, count) - x))

    kept = [[False] * n_out for _ in range(n_in)]
    for i in range(n_in):
        kept[i][nearest(position(i, n_in), n_out)] = True
    for j in range(n_out):
        kept[nearest(position(j, n_out), n_in)][j] = True
    return tuple(map(tuple, kept))


def _source_fit(noise: Tensor, size: LayerSize) -> Tensor:
    """Coefficients `[..., K]`, float32, of noise `[..., G + 1]` at the knots.

    The exact fit instead of the library's `torch.linalg.lstsq`, whose last bits vary from call to call (with the
    alignment of the operands) and which is wrong for larger grids in torch 2.13 (pytorch issue 187411).
    """
    from kancli.kan.least_squares import knot_inverse

    return knot_inverse(size.grid_range, size.grid, size.k).solve(noise).float()
