"""Tests of a sweep's estimated cost."""

import pytest

from kancli.config.compose import compose
from kancli.config.presets import Presets, builtin_folder
from kancli.sweeps.costs import total_seconds


def seconds_of(*words):
    return total_seconds([compose(words, Presets([builtin_folder()])).settings])


def test_training_costs_its_steps_samples_and_members():
    words = ("width=in-5-out", "figures=none", "train.compile=false")
    plain = seconds_of("task=f2", "train=none", *words)
    assert seconds_of("task=f2", "train.steps=100", "n_seeds=3", *words) - plain > 2.9 * (
        seconds_of("task=f2", "train.steps=100", *words) - plain
    )
    once = seconds_of("task=f2", "train.steps=100", *words) - plain
    assert once > 0
    assert seconds_of("task=f2", "train.steps=300", *words) - plain == pytest.approx(3 * once)
    assert seconds_of("task=f2", "train.steps=100", "task.n=8000", *words) - plain > 1.5 * once
    assert seconds_of("task=f2", "train.steps=100", "train.batch=400", *words) - plain < 0.6 * once


@pytest.mark.parametrize(
    ("words", "milliseconds"),  # of a step on two quiet cores; see tests/benchmarks/README.md
    [
        (("task=f1", "width=in-8-8-out"), 1.0),
        (("task=f1", "width=in-32-32-32-out", "grid=20"), 7.9),
        (("task=burgers", "width=in-8-8-out"), 4.9),
    ],
)
def test_a_step_of_numbas_kernels_costs_what_was_measured(monkeypatch, words, milliseconds):
    monkeypatch.setattr("kancli.sweeps.costs._has_numba", lambda: True)
    words = (*words, "figures=none", "stats=none", "init=glorot")
    step = (seconds_of(*words, "train.steps=1000") - seconds_of(*words, "train=none")) / 1000
    assert milliseconds / 1.5 < 1000 * step / 2 < 1.5 * milliseconds
    assert seconds_of(*words, "train.compile=false") > 4 * seconds_of(*words)
    lecun_norm = seconds_of(*words[:-1], "init=lecun_norm")
    assert lecun_norm > 5 * seconds_of(*words)


def test_an_equation_has_more_steps_of_more_terms():
    words = ("width=in-5-out", "figures=none", "inputs=uniform", "train.compile=false")
    equation = seconds_of("task=helmholtz", *words) - seconds_of("task=helmholtz", "train=none", *words)
    function = seconds_of("task=f2", *words) - seconds_of("task=f2", "train=none", *words)
    assert equation / function == pytest.approx(5000 / 2000 * 8 * 4096 / 4000, rel=0.3)
