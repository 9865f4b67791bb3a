"""Least-squares fits of spline coefficients, through one float64 pseudo-inverse whatever the number of curves.

torch's CPU `lstsq` is not used: with its default driver, torch 2.13 cuts every matrix of a batch but the first off at
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
    condition: float  # greatest over least singular value that counts
    rank: int

    def solve(self, y: Tensor) -> Tensor:
        """Coefficients `[..., K]`, float64, of the curves with values y `[..., n]`."""
        with one_thread():
            return y.double() @ self.matrix.T


def pseudo_inverse(collocation: Tensor) -> PseudoInverse:
    """Invert a collocation matrix `[n, K]`: the values of K bases at n places.

    By singular values, those below max(n, K) eps of the greatest taken for 0 (Golub and Van Loan, Matrix Computations,
    section 5.5).
    """
    matrix = collocation.double()
    with one_thread():
        u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
        counts = s > s[0] * max(matrix.shape) * torch.finfo(torch.float64).eps
        inverse = torch.where(counts, 1 / torch.where(counts, s, 1.0), 0.0)
        solution = (vh.T * inverse) @ u.T
    return PseudoInverse(solution, float(s[0] / s[counts][-1]), int(counts.sum()))


@functools.lru_cache(maxsize=64)
def knot_inverse(grid_range: tuple[float, float], grid: int, k: int) -> PseudoInverse:
    """The solver for curves given at the G + 1 knots of the grid: A is `[G + 1, G + k]`, of full row rank."""
    knots = splines.extended_knots(grid_range, grid, k)
    return pseudo_inverse(splines.basis(knots[k : k + grid + 1], grid_range, grid, k))
