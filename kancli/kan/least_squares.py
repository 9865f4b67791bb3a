"""Least-squares fits of spline coefficients, by one float64 pseudo-inverse for any number of curves.

torch's CPU `lstsq` is not used: with its default driver, torch 2.13 truncates all but the first matrix of a batch to a
low rank (pytorch issue 187411), and its bits depend on the number of threads.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from kancli.kan import splines
from kancli.kan.threads import one_thread


@dataclass(frozen=True)
class PseudoInverse:
    """The minimum-norm least-squares solver of a collocation matrix A `[n, K]`."""

    matrix: Tensor  # [K, n], float64
    condition: float  # largest over smallest singular value that is not truncated; 1 for A = 0
    rank: int

    def solve(self, y: Tensor) -> Tensor:
        """Coefficients `[..., K]`, float64, of curves with values y `[..., n]`."""
        with one_thread():
            return y.double() @ self.matrix.T


def pseudo_inverse(collocation: Tensor) -> PseudoInverse:
    """Pseudo-inverse of a collocation matrix `[n, K]`, the values of K bases at n points.

    Singular values below max(n, K) eps times the largest are truncated (Golub and Van Loan, Matrix Computations,
    section 5.5).
    """
    matrix = collocation.double()
    with one_thread():
        u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
        kept = s > s[0] * max(matrix.shape) * torch.finfo(torch.float64).eps
        inverse = torch.where(kept, 1 / torch.where(kept, s, 1.0), 0.0)
        solution = (vh.T * inverse) @ u.T
    rank = int(kept.sum())
    return PseudoInverse(solution, float(s[0] / s[rank - 1]) if rank else 1.0, rank)


@functools.lru_cache(maxsize=64)
def knot_inverse(grid_range: tuple[float, float], grid: int, k: int) -> PseudoInverse:
    """Solver for curves given at the G + 1 knots of the grid; A is `[G + 1, G + k]`, of full row rank."""
    return pseudo_inverse(knot_collocation(grid_range, grid, k))


def knot_collocation(grid_range: tuple[float, float], grid: int, k: int) -> Tensor:
    """The values A of the bases at the G + 1 knots of the grid, `[G + 1, G + k]`."""
    knots = splines.extended_knots(grid_range, grid, k)
    return splines.basis(knots[k : k + grid + 1], grid_range, grid, k)
