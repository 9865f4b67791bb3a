"""The data and residuals of partial differential equations."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from kancli.tasks import references
from kancli.tasks.sampling import regular_axis, regular_mesh
from kancli.tasks.task import Differential, Samples

SIDE = 64  # of the collocation mesh; as many places on each part of the border
POISSON_SIDE = 21
POISSON_WEIGHT = 0.01  # of the residual in pykan's example
# Of the mesh for the error: coarser than the study's 201 x 512, with the same error to three digits.
N_TIMES, N_PLACES = 101, 256
N_SIDE = 200

Derivatives = Mapping[tuple[int, ...], Tensor]


@dataclass(frozen=True)
class Poisson(Differential):
    """u_xx + u_yy = -2 pi^2 sin(pi x) sin(pi y)."""

    def residual(self, x: Tensor, u: Derivatives) -> Tensor:
        return u[(0, 0)] + u[(1, 1)] + 2 * math.pi**2 * _sines(x, 1)


@dataclass(frozen=True)
class Helmholtz(Differential):
    """u_xx + u_yy + u = (1 - 17 pi^2) sin(pi x) sin(4 pi y)."""

    def residual(self, x: Tensor, u: Derivatives) -> Tensor:
        return u[(0, 0)] + u[(1, 1)] + u[()] - (1 - 17 * math.pi**2) * _sines(x, 4)


@dataclass(frozen=True)
class Burgers(Differential):
    """u_t + u u_x = 0.01/pi u_xx, with x0 = t and x1 = x."""

    def residual(self, x: Tensor, u: Derivatives) -> Tensor:
        return u[(0,)] + u[()] * u[(1,)] - references.BURGERS_VISCOSITY * u[(1, 1)]


@dataclass(frozen=True)
class AllenCahn(Differential):
    """u_t = 1e-4 u_xx + 5 (u - u^3), with x0 = t and x1 = x."""

    def residual(self, x: Tensor, u: Derivatives) -> Tensor:
        reaction = references.ALLEN_CAHN_RATE * (u[()] - u[()] ** 3)
        return u[(0,)] - references.ALLEN_CAHN_DIFFUSION * u[(1, 1)] - reaction


def differential(name: str, rba: str) -> Differential:
    """The data of an equation of `pdes.EQUATIONS`, with its residual-based weights."""
    return _BUILDERS[name](rba)


def _sines(x: Tensor, frequency: int) -> Tensor:
    """sin(pi x0) sin(frequency pi x1), `[..., 1]`."""
    return torch.sin(math.pi * x[..., :1]) * torch.sin(frequency * math.pi * x[..., 1:])


def _poisson(rba: str) -> Differential:
    return Poisson(
        regular_mesh([(-1, 1)] * 2, [POISSON_SIDE] * 2),
        _square_border(POISSON_SIDE),
        _solution(1),
        ((0, 0), (1, 1)),
        rba,
        POISSON_WEIGHT,
    )


def _helmholtz(rba: str) -> Differential:
    mesh = regular_mesh([(-1, 1)] * 2, [SIDE] * 2)
    return Helmholtz(mesh, _square_border(SIDE), _solution(4), ((0, 0), (1, 1)), rba)


def _burgers(rba: str) -> Differential:
    border = _evolution_border(lambda x: -torch.sin(math.pi * x), 0.0)
    reference = torch.from_numpy(references.burgers_mesh(N_TIMES, N_PLACES))
    return Burgers(_evolution_mesh(SIDE, SIDE), border, _reference(reference), ((0,), (1,), (1, 1)), rba)


def _allen_cahn(rba: str) -> Differential:
    border = _evolution_border(lambda x: x**2 * torch.cos(math.pi * x), -1.0)
    reference = torch.from_numpy(references.allen_cahn_mesh(N_TIMES, N_PLACES))
    return AllenCahn(_evolution_mesh(SIDE, SIDE), border, _reference(reference), ((0,), (1, 1)), rba)


def _solution(frequency: int) -> Samples:
    mesh = regular_mesh([(-1, 1)] * 2, [N_SIDE] * 2)
    return Samples(mesh, _sines(mesh, frequency))


def _square_border(side: int) -> Samples:
    """The four sides of [-1, 1]^2, with values 0."""
    along = regular_axis(-1, 1, side)
    ends = [torch.full_like(along, end) for end in (-1.0, 1.0)]
    sides = [torch.stack([end, along], -1) for end in ends] + [torch.stack([along, end], -1) for end in ends]
    x = torch.cat(sides)
    return Samples(x, torch.zeros(len(x), 1, dtype=torch.float64))


def _evolution_mesh(n_times: int, n_places: int) -> Tensor:
    return regular_mesh([(0, 1), (-1, 1)], [n_times, n_places])


def _evolution_border(initial: Callable[[Tensor], Tensor], end: float) -> Samples:
    """u(0, x) = initial(x), then u(t, -1) = u(t, 1) = end."""
    places = regular_axis(-1, 1, SIDE)
    times = regular_axis(0, 1, SIDE)
    parts = [torch.stack([torch.zeros_like(places), places], -1)]
    parts += [torch.stack([times, torch.full_like(times, side)], -1) for side in (-1.0, 1.0)]
    values = torch.cat([initial(places), torch.full((2 * SIDE,), end, dtype=torch.float64)])
    return Samples(torch.cat(parts), values.unsqueeze(-1))


def _reference(values: Tensor) -> Samples:
    """A solution `[N_TIMES, N_PLACES]` as samples."""
    return Samples(_evolution_mesh(N_TIMES, N_PLACES), values.reshape(-1, 1))


_BUILDERS: dict[str, Callable[[str], Differential]] = {
    "poisson": _poisson,
    "allen_cahn": _allen_cahn,
    "burgers": _burgers,
    "helmholtz": _helmholtz,
}
