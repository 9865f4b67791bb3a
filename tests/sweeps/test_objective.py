"""Objectives: names that no run of a config has are refused before the first run."""

import pytest

from kancli.config.compose import compose
from kancli.errors import ConfigError, NonFiniteError
from kancli.sweeps.objective import check_names, objective_faults, objective_of
from kancli.sweeps.table import select_statistics
from tests.alike import slow_but

NETWORK = ["width=2-3-2", "inputs.n=20", "figures=none"]
BASIC = ["rough", "propagation_signal", "layer0_output_std", "layer1_edge_distance"]
FULL = ["gradient_vanishes", "propagation_gradient", "jacobian_max", "ntk_trace_share_coef", "layer1_gradient_gain"]
NONE = [
    *("nope", "", "layer0", "layer0_nope", "layer01_output_std", "layer-1_output_std", "layer²_output_std"),
    *(f"layer{500 * '9'}_output_std", "xlayer0_output_std", "ntk_eigenvalues", "status", "seconds", "propagation"),
]


def faults_of(presets, name, *words):
    return objective_faults(compose([*NETWORK, f"objective='{name}'", *words], presets).settings)


@pytest.mark.parametrize("n_seeds", [1, 3])
@pytest.mark.parametrize("level", slow_but(1, ["full", "basic", "none"]))
def test_the_names_of_a_config_are_those_in_the_table_of_its_run(kan_run, presets, level, n_seeds):
    run = kan_run(*NETWORK, f"stats={level}", f"n_seeds={n_seeds}")
    statistics = select_statistics(run.json("stats.json"))
    with_value = {name for name, value in statistics.items() if value is not None}
    for name in sorted({*with_value, *BASIC, *FULL}):
        assert (faults_of(presets, name, f"stats={level}") == []) == (name in with_value), name
    expected = {"none": [], "basic": BASIC, "full": [*BASIC, *FULL]}[level]
    assert with_value >= {"non_finite", *expected}


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_statistic_is_told(presets, name):
    with pytest.raises(ConfigError, match="no statistic"):
        check_names([name])
    if name:
        (fault,) = faults_of(presets, name, "stats=full")
        assert "no statistic; allowed: " in fault


def test_layers_and_levels_that_a_config_lacks_are_told(presets):
    assert faults_of(presets, "layer1_output_std") == []
    assert faults_of(presets, "layer2_output_std") == [
        "objective=layer2_output_std: allowed: layer0 to layer1, as many as the width has"
    ]
    assert faults_of(presets, "layer0_gradient_gain") == [
        "objective=layer0_gradient_gain: stats=basic does not compute it; add stats=full"
    ]
    assert len(objective_faults(compose(["objective=[rugh,layer9_output_std,rough]"], presets).settings)) == 2
    assert faults_of(presets, "rough", "stats=none") == [
        "objective=rough: stats=none does not compute it; add stats=basic"
    ]


@pytest.mark.parametrize("words", [[], ["-m", "seed=1,2"], ["-m", "noise_scale=0.1,0.2", "seed=1,2"]])
@pytest.mark.parametrize("name", ["layer9_output_std", "gradient_vanishes", "layer1_nope"])
def test_a_run_or_a_sweep_is_refused_before_it_starts(kan_run, tmp_path, words, name):
    done = kan_run(*words, *NETWORK, f"objective={name}")
    assert (done.code, len(done.err.splitlines())) == (2, 1), done.err
    assert done.err.startswith(f"kan-run: objective={name}: ")
    assert not list(tmp_path.iterdir())


def test_values_of_a_run():
    statistics = {"rough": 1.5, "linear": 0.5, "layer0_edge_distance": None}
    assert objective_of(statistics, ["rough"]) == 1.5
    assert objective_of(statistics, ["linear", "rough"]) == (0.5, 1.5)
    with pytest.raises(ConfigError, match="no such statistic of this run"):
        objective_of(statistics, ["ntk_trace_share_bias"])
    with pytest.raises(NonFiniteError, match="has no value in this run"):
        objective_of(statistics, ["layer0_edge_distance"])
