"""The best jobs of a search."""

import pytest

from kancli.sweeps.best import MAX_BEST, best_rows
from kancli.sweeps.row import Row


def row(number, status="complete", **statistics):
    return Row(number, str(number), status, None, "kan-run", {}, [], statistics, 1.0)


COMPLETE = [row(0, a=3.0, b=1.0), row(1, a=1.0, b=2.0), row(2, a=2.0, b=3.0)]
ROWS = [*COMPLETE, row(3, a=None, b=0.0), row(4, "failed", a=0.0, b=0.0)]


@pytest.mark.parametrize(
    ("objective", "directions", "numbers"),
    [
        (["a"], ["minimize"], [1, 2, 0]),
        (["a"], ["maximize"], [0, 2, 1]),
        (["a", "b"], ["minimize", "minimize"], [0, 1, 2]),
        (["a", "b"], ["maximize", "minimize"], [0, 1, 2]),
        (["a", "b"], ["minimize", "maximize"], [1, 2, 0]),
    ],
)
def test_order_of_the_best(objective, directions, numbers):
    assert [found.number for found in best_rows(ROWS, objective, directions)] == numbers


def test_only_a_screenful():
    rows = [row(number, a=float(number % 7)) for number in range(40)]
    found = best_rows(rows, ["a"], ["minimize"])
    assert [best.number for best in found] == [*range(0, 40, 7), *range(1, 40, 7)][:MAX_BEST]
