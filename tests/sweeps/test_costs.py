"""Tests of a sweep's estimated cost."""

import pytest

from kancli.config.compose import compose
from kancli.config.presets import Presets, builtin_folder
from kancli.sweeps.costs import total_seconds


def seconds_of(*words):
    return total_seconds([compose(words, Presets([builtin_folder()])).settings])


def test_training_costs_its_steps_samples_and_members():
    words = ("width=in-5-out", "figures=none")
    plain = seconds_of("task=f2", "train=none", *words)
    once = seconds_of("task=f2", "train.steps=100", *words) - plain
    assert once > 0
    assert seconds_of("task=f2", "train.steps=300", *words) - plain == pytest.approx(3 * once)
    assert seconds_of("task=f2", "train.steps=100", "task.n=8000", *words) - plain > 2 * once


def test_an_equation_has_more_steps_of_more_terms():
    words = ("width=in-5-out", "figures=none", "inputs=uniform")
    equation = seconds_of("task=helmholtz", *words) - seconds_of("task=helmholtz", "train=none", *words)
    function = seconds_of("task=f2", *words) - seconds_of("task=f2", "train=none", *words)
    assert equation / function == pytest.approx(5000 / 2000 * 8 * 4096 / 4000, rel=1e-6)
