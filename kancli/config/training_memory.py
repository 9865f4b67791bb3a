"""Estimate the memory of a training in bytes. The factors were measured on two cores."""

from __future__ import annotations

import importlib.util
import itertools
from typing import TYPE_CHECKING

from kancli.config.memory import fit_bytes
from kancli.config.processors import usable_processors
from kancli.training.options import read_refinements

if TYPE_CHECKING:
    from kancli.config.settings import Settings

# Copies of all parameters: values, gradients and their sums, tables, a saved state, and what the optimiser keeps.
COPIES, LBFGS_COPIES = 10, 30
KERNEL_BYTES = 100_000_000  # of numba with its kernels, loaded
KERNEL_BASE_FUNCTIONS = ("silu", "identity", "zero")  # as in training.kernels, which loads torch
BLOCK_NUMBERS = 2**20  # as in training.dense


def training_bytes(settings: Settings, item: int) -> int:
    """What training adds to a run.

    Args:
        item: bytes per number.
    """
    if not settings.trains:
        return 0
    train, size, members = settings.training, settings.network_size, settings.n_seeds
    grid = read_refinements(train.refine)[-1][1] if train.refine else size.grid
    edges = sum(n_in * n_out for n_in, n_out in itertools.pairwise(size.width))
    n_parameters = edges * (grid + size.k + 2)
    copies = LBFGS_COPIES if train.optimizer == "lbfgs" else COPIES
    vectors = copies * item * members * n_parameters
    refit = fit_bytes(size.width, grid + size.k, (size.k + 1) * grid) if train.refine else 0
    return vectors + max(refit, _step_bytes(settings, item, edges, n_parameters))


def _step_bytes(settings: Settings, item: int, edges: int, n_parameters: int) -> int:
    """The forward and the backward pass of a step: of all samples and members at once by automatic differentiation, of
    a block of samples in each thread otherwise."""
    train, size, members = settings.training, settings.network_size, settings.n_seeds
    n = min(settings.task.n_train, train.batch or settings.task.n_train)
    nodes = sum(size.width[:-1])
    if not settings.model.is_kan:
        return 8 * item * members * n * (nodes + size.width[-1])
    numbers = 3.5 * edges + 17 * nodes * (size.k + 1)  # of a sample
    is_uniform = not (train.adapt_every or train.lamb or settings.grid.adapts or settings.init.standardises)
    if is_uniform and size.k > 0 and _has_kernel(settings):
        return KERNEL_BYTES
    if not is_uniform or size.k < 2 or settings.task.is_equation:
        return round(item * members * n * numbers)
    block = max(64, BLOCK_NUMBERS // max(width * size.n_basis for width in size.width[:-1]))
    gradients = -(-n // block) * members * n_parameters
    return round(item * (usable_processors() * min(n, block) * numbers + gradients))


def _has_kernel(settings: Settings) -> bool:
    wanted = settings.train.compile is not False and settings.base_fun in KERNEL_BASE_FUNCTIONS
    return wanted and importlib.util.find_spec("numba") is not None
