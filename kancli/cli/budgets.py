"""The budgets of `kan-run explain`: the expected size of signal and gradient in each layer, by quadrature; nothing is
drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from rich import box
from rich.table import Table

from kancli.config.settings import Settings
from kancli.inits.initialise import edge_laws
from kancli.kan.basis_statistics import STANDARD_EPS
from kancli.kan.quadrature import UNIT_INTERVAL, BaseMoments, base_moments, basis_rule
from kancli.stats.budgets import InputMoments, LayerLaw, backward_budget, budget

INPUTS = {"uniform": "U(-1, 1)", "normal": "N(0, 1)"}


class LawBudget(NamedTuple):
    """Expected mean squares of one layer, over the draws and over inputs x of `input_distribution`."""

    square: float
    """E[y²], with y the value of a node."""
    base: float
    """Part of the base branches in E[y²]."""
    spline: float
    """Part of the spline branches in E[y²]; the rest is that of the bias."""
    backward: float
    """Sum over the layer's outputs of E[(dy/dx)²] for one input x."""


def input_distribution(settings: Settings) -> str:
    """The inputs that a budget is for: those of the scheme's law, else uniform over the grid."""
    default = "uniform" if settings.grid.range == UNIT_INTERVAL else "grid"
    return getattr(settings.init, "distribution", None) or default


def budgets(settings: Settings) -> Iterator[LawBudget]:
    """The budget of each layer, for inputs x that are independent; NaN where the laws give none.

    Where a scheme standardises the bases, B_m is the standardised one.
    """
    distribution = input_distribution(settings)
    base = base_moments(settings.base_fun, distribution, settings.grid.range)
    for size in settings.layer_sizes():
        laws, mask = settings.init.laws(size), settings.init.mask(size)
        law = LayerLaw.of(edge_laws(laws, mask))
        weight, values, slopes = basis_rule(size.grid_range, size.grid, size.k, distribution)
        if settings.init.standardises:
            mean = weight @ values
            spread = (weight @ values**2 - mean**2 + STANDARD_EPS) ** 0.5
            values, slopes = (values - mean) / spread, slopes / spread
        # Edges that are on, of each output.
        n_edges = [size.n_in] * size.n_out if mask is None else [sum(column) for column in zip(*mask, strict=True)]
        spline, spline_slope = (float(weight @ laws["coef"].combined_variance(basis)) for basis in (values, slopes))
        share = sum(n_edges) / size.n_in  # outputs of an input
        yield LawBudget(
            *map(float, budget(law, _input_moments(base, spline, n_edges))),
            backward=float(backward_budget(law, share * base.slope, share * spline_slope)),
        )


def _input_moments(base: BaseMoments, spline: float, n_edges: list[int]) -> InputMoments:
    """The moments for independent inputs.

    Args:
        spline: Var[sum_m coef_m B_m(x)].
        n_edges: the edges that are on, of each output.
    """
    n, pairs = sum(n_edges) / len(n_edges), sum(n * (n - 1) for n in n_edges) / len(n_edges)
    return InputMoments(
        base_sum=n * base.mean,
        base_sum_square=n * base.value + pairs * base.mean**2,
        base_square=n * base.value,
        spline_variance=n * spline,
    )


def has_budgets(settings: Settings) -> bool:
    """Whether the laws are such that `budgets` holds."""
    return all(math.isfinite(expected.square) for expected in budgets(settings))


def budget_tables(settings: Settings) -> list[Table | str]:
    """The budgets of all layers, ready to print, or the reason why there are none."""
    if not has_budgets(settings):
        return ["no budgets: they need coefficients of mean 0 and one law for all edges"]
    table = Table("layer", "E[y²]", "of the base", "of the spline", "backward", box=box.SIMPLE_HEAD, show_edge=False,
                  pad_edge=False)  # fmt: skip
    for layer, numbers in enumerate(budgets(settings)):
        table.add_row(str(layer), *(f"{number:.4g}" for number in numbers))
    low, high = settings.grid.range
    inputs = INPUTS.get(input_distribution(settings), f"U({low:g}, {high:g})")
    return [
        table,
        "E[y²]: mean square of a node's value; backward: sum over a layer's outputs of (dy/dx)² for one input; both in "
        f"expectation over the draws, with x ~ {inputs} entering each layer, base {settings.base_fun}",
    ]
