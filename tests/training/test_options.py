"""Tests of the keys of training."""

import pytest

from kancli.schema import read
from kancli.training.options import Train, read_refinements


def test_auto_and_null_stand_for_adam_with_a_task():
    train = Train().resolved(task=True)
    assert (train.optimizer, train.lr, train.steps, train.every) == ("adam", 1e-3, 2000, 20)
    assert Train().resolved(task=False).optimizer == "none"
    assert Train().resolved(task=True, equation=True).steps == 5000


def test_what_is_given_stays():
    train = Train(optimizer="lbfgs", lr=0.5, every=3).resolved(task=True)
    assert (train.optimizer, train.lr, train.steps, train.every) == ("lbfgs", 0.5, 50, 3)


def test_refinements_are_pairs_of_step_and_grid():
    assert read_refinements("500:6,1000:9") == [(500, 6), (1000, 9)]


@pytest.mark.parametrize("given", ["500", "500:6,400:9", "0:6", "5:0", "a:b", "5:6,", ""])
def test_other_refinements_are_faults(given):
    faults = []
    assert read(Train, {"refine": given}, "train.", faults) is None
    assert "such as 500:6,1000:9" in faults[0]
