"""Small networks and data for tests of training."""

from dataclasses import dataclass

import torch

from kancli.kan import network
from kancli.kan.base_functions import base_function
from kancli.tasks.task import Differential, Regression, Samples


def kan(width=(2, 4, 1), grid=5, k=3, *, n_members=None, seed=0, dtype=torch.float64, bias=False, size=0.3, **options):
    """A model with normal parameters; a member's are those of the single model of seed + its number."""
    base = options.pop("base", "silu")
    shape = {"grid": grid, "k": k, "base_fun": base_function(base), "base_name": base, "bias": bias}
    model = network.KAN(width, **shape, dtype=dtype, n_members=n_members, **options)
    for member in range(n_members or 1):
        generator = torch.Generator().manual_seed(seed + member)
        with torch.no_grad():
            for parameter in model.parameters():
                part = parameter if n_members is None else parameter[member]
                part.copy_(size * torch.randn(part.shape, generator=generator, dtype=torch.float64))
    return model


def regression(n=60, n_in=2, n_out=1, seed=5, low=-1.0, high=1.0):
    """Data of a smooth function, with a test set and a mesh."""

    def samples(count):
        x = low + (high - low) * torch.rand(count, n_in, generator=generator, dtype=torch.float64)
        y = torch.stack([torch.sin((2 + out) * x.sum(-1)) + x[:, 0] ** 2 for out in range(n_out)], dim=-1)
        return Samples(x, y)

    generator = torch.Generator().manual_seed(seed)
    return Regression(samples(n), samples(n // 2), samples(n // 3))


@dataclass(frozen=True)
class Burgers(Differential):
    """u_t + u u_x - nu u_xx = 0."""

    nu: float = 0.1

    def residual(self, x, u):
        return u[(0,)] + u[()] * u[(1,)] - self.nu * u[(1, 1)]


def burgers(n=6, rba="published", **options):
    """A small mesh; the reference solution is made up."""
    t, x = torch.meshgrid(
        torch.linspace(0, 1, n, dtype=torch.float64), torch.linspace(-1, 1, n, dtype=torch.float64), indexing="ij"
    )
    points = torch.stack([t.flatten(), x.flatten()], dim=-1)
    start = points[points[:, 0] == 0]
    boundary = Samples(start, -torch.sin(torch.pi * start[:, 1:]))
    mesh = Samples(points, torch.cos(points.sum(-1, keepdim=True)))
    return Burgers(points, boundary, mesh, ((0,), (1,), (1, 1)), rba, **options)
