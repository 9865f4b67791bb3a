"""The expected size of signal and gradient in each layer under a scheme's laws, by quadrature; nothing is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rich import box
from rich.table import Table

from kancli.config.settings import Settings
from kancli.config.validation import layer_sizes
from kancli.kan.basis_statistics import STANDARD_EPS
from kancli.kan.quadrature import UNIT_INTERVAL, base_moments, basis_rule


class Budget(NamedTuple):
    """Expected mean squares of one layer, over the draws and over inputs x of `input_distribution`."""

    base: float
    """Share of the base branches in E[y²], with y the value of a node."""
    spline: float
    """Share of the spline branches in E[y²]."""
    backward: float
    """Sum over the layer's outputs of E[(dy/dx)²] for one input x."""


INPUTS = {"uniform": "U(-1, 1)", "normal": "N(0, 1)"}


def input_distribution(settings: Settings) -> str:
    """The inputs that a budget is for: those of the scheme's law, else uniform over the grid."""
    default = "uniform" if settings.grid.range == UNIT_INTERVAL else "grid"
    return getattr(settings.init, "distribution", None) or default


def budgets(settings: Settings) -> Iterator[Budget]:
    """The budget of each layer.

    With S(x) the variance of an edge's sum_m coef_m B_m(x) under the law, and S' the same with B_m':
    E[y²]    = n_in (E[scale_base²] E[R²] + E[scale_sp²] E[S]) + n_in (n_in - 1) E[scale_base]² E[R]²;
    backward = n_out (E[scale_base²] E[R'²] + E[scale_sp²] E[S']).
    The coefficients must have mean 0, so that base and spline do not correlate. Where a scheme standardises the
    bases, B_m is the standardised one.
    """
    distribution = input_distribution(settings)
    base = base_moments(settings.base_fun, distribution, settings.grid.range)
    for size in layer_sizes(settings):
        laws = settings.init.laws(size)
        weight, values, slopes = basis_rule(size.grid_range, size.grid, size.k, distribution)
        if settings.init.standardises:
            mean = weight @ values
            spread = (weight @ values**2 - mean**2 + STANDARD_EPS) ** 0.5
            values, slopes = (values - mean) / spread, slopes / spread
        mean_square = {name: law.mean**2 + law.std**2 for name, law in laws.items()}
        between_edges = size.n_in * (size.n_in - 1) * laws["scale_base"].mean ** 2 * base.mean**2
        spline, slope = (
            float(weight @ laws["coef"].combined_variance(basis) * mean_square["scale_sp"])
            for basis in (values, slopes)
        )
        yield Budget(
            base=size.n_in * mean_square["scale_base"] * base.value + between_edges,
            spline=size.n_in * spline,
            backward=size.n_out * (mean_square["scale_base"] * base.slope + slope),
        )


def has_budgets(settings: Settings) -> bool:
    """Whether the laws are such that `budgets` holds."""
    laws = [settings.init.laws(size) for size in layer_sizes(settings)]
    return not any(law["coef"].mean or ("bias" in law and (law["bias"].mean or law["bias"].std)) for law in laws)


def budget_tables(settings: Settings) -> list[Table | str]:
    """The budgets of all layers, ready to print, or the reason why there are none."""
    if not has_budgets(settings):
        return ["no budgets: they need coefficients of mean 0 and no bias"]
    table = Table("layer", "E[y²]", "of the base", "of the spline", "backward", box=box.SIMPLE_HEAD, show_edge=False,
                  pad_edge=False)  # fmt: skip
    for layer, budget in enumerate(budgets(settings)):
        numbers = (budget.base + budget.spline, *budget)
        table.add_row(str(layer), *(f"{number:.4g}" for number in numbers))
    low, high = settings.grid.range
    inputs = INPUTS.get(input_distribution(settings), f"U({low:g}, {high:g})")
    return [
        table,
        "E[y²]: mean square of a node's value; backward: sum over a layer's outputs of (dy/dx)² for one input; both in "
        f"expectation over the draws, with x ~ {inputs} entering each layer, base {settings.base_fun}",
    ]
