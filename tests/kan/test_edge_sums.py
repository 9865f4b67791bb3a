"""Runs computed together: each is to the bit what it is alone."""

import numpy as np
import pytest
import torch

from kancli.config.validation import validate
from kancli.runs.batch import compute_together
from kancli.runs.experiment import compute
from kancli.runs.result import parameters_of
from kancli.sweeps.batches import shape_of
from tests.alike import slow_but

BASE = {"figures": {"names": []}, "width": [3, 4, 2]}
FAMILIES = {
    "seeds": [{"seed": seed} for seed in (3, 4, 9, 2)],
    "knobs": [{"init": {"scheme": "default", "noise_scale": scale}, "seed": 1} for scale in (0.1, 1.0, 10)],
    "schemes": [{"init": {"scheme": name}} for name in ("default", "efficient_kan", "pykan_0_2_8")],
    "schemes with a bias": [
        {"init": {"scheme": name}, "seed": seed}
        for name in ("pykan_0_0_5", "baseline", "glorot", "glorot_fine")
        for seed in (0, 1)
    ],
    "draws of the source": [{"init": {"scheme": "pykan_0_2_8", "stream": "source"}, "seed": seed} for seed in (0, 1)],
    "standardised bases": [{"init": {"scheme": "lecun_norm", "gain": gain}} for gain in (0.5, 1)],
    "samplers": [{"inputs": {"kind": kind}} for kind in ("normal", "uniform", "sobol")],
    "knots of their own": [{"seed": seed, "grid": {"adapt": "samples"}} for seed in (0, 1)],
    "float64 and all statistics": [{"seed": s, "dtype": "float64", "stats": {"level": "full"}} for s in (0, 5)],
    "few activations, no statistics": [
        {"seed": seed, "activations": {"n": 5}, "stats": {"level": "none"}} for seed in (0, 1)
    ],
    "no activations": [{"seed": seed, "activations": {"n": 0}} for seed in (0, 1)],
    "values that overflow": [
        {"seed": 1, "init": {"scheme": "default", "noise_scale": scale}} for scale in (1.0, 1e38, 0.1)
    ],
    "verdicts": [{"verdicts": {"rough": [bound, None]}} for bound in (1.1, 3)],
    "several chunks": [
        {"seed": seed, "width": [30, 400, 1], "inputs": {"kind": "normal", "n": 400}} for seed in (0, 1)
    ],
}


QUICK = ("seeds", "schemes", "standardised bases", "knots of their own", "values that overflow")


@pytest.mark.parametrize("family", slow_but(len(QUICK), [*QUICK, *sorted(FAMILIES.keys() - set(QUICK))]))
def test_each_run_is_what_it_is_alone(family):
    runs = [validate({**BASE, **given}) for given in FAMILIES[family]]
    assert len({shape_of(each) for each in runs}) == 1
    for settings, found in zip(runs, compute_together(runs), strict=True):
        alone = compute(settings)
        assert found.stats == alone.stats
        assert found.non_finite == alone.non_finite
        parameters = parameters_of(found.model), parameters_of(alone.model)
        for mine, theirs in (parameters, (found.activations, alone.activations)):
            assert list(mine) == list(theirs)
            for name, tensor in mine.items():
                assert tensor.dtype == theirs[name].dtype
                assert torch.equal(tensor.nan_to_num(7), theirs[name].nan_to_num(7)), name
        assert np.isfinite(sum(found.seconds.values()))


APART = {
    "width": {"width": [3, 5, 2]},
    "grid": {"grid": {"size": 7}},
    "number of samples": {"inputs": {"kind": "normal", "n": 99}},
    "statistics": {"stats": {"level": "full"}},
    "a bias": {"init": {"scheme": "pykan_0_0_5"}},
    "standardised bases": {"init": {"scheme": "lecun_norm"}},
}


@pytest.mark.parametrize("what", APART)
def test_what_does_not_go_together(what):
    assert shape_of(validate({**BASE, **APART[what]})) != shape_of(validate(BASE))


@pytest.mark.parametrize("given", [{"n_seeds": 2}, {"figures": {"names": ["network"]}}])
def test_ensembles_and_runs_with_figures_go_alone(given):
    assert shape_of(validate({**BASE, **given})) is None
