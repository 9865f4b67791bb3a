"""The plain composition gives the same config as Hydra's, and files are read with clear faults."""

import random
import re

import pytest

from kancli.config.compose import compose
from kancli.config.interpolations import plain_config
from kancli.config.nested import flatten
from kancli.config.presets import Presets, builtin_folder
from kancli.errors import ConfigError
from tests.config.compositions import compose_both_ways, compose_with_hydra, find_faults


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides", [["inputs=uniform"], ["init=linear", "grid=7"], ["init=glorot", "inputs=sobol"], []]
)
def test_printed_config_can_be_an_experiment(kan_run, tmp_path, overrides):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "printed.yaml").write_text(kan_run("--cfg", "job", *overrides).out)
    mine = Presets([builtin_folder(), tmp_path])
    assert compose_both_ways(mine, "experiment=printed") == compose_both_ways(mine, *overrides)


def test_experiment_in_hydras_spelling(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "theirs.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /init: linear\n  - override /width: deep\n  - _self_\n"
        "grid:\n  size: 9\n  range: [-2, 2]\ninit:\n  noise_scale: 0.5\ninputs:\n  n: 12\n"
    )
    config = compose_both_ways(Presets([builtin_folder(), tmp_path]), "+experiment=theirs")
    assert config["base_fun"] == "identity"
    assert config["init"]["noise_scale"] == 0.5
    assert len(config["width"]) == 10
    assert (config["grid"]["size"], config["grid"]["range"]) == (9, [-2, 2])
    assert config["inputs"]["n"] == 12


def test_preset_of_a_user(tmp_path):
    (tmp_path / "init").mkdir()
    (tmp_path / "init" / "calm.yaml").write_text("# My own.\nscheme: default\nnoise_scale: 0.01\nnoise_scale_base: 0\n")
    mine = Presets([builtin_folder(), tmp_path])
    assert "calm" in mine.options("init")
    assert compose_both_ways(mine, "init=calm")["init"]["noise_scale"] == 0.01


def test_interpolations_are_left_to_hydra(presets):
    composed = compose(["seed=${k}"], presets)
    assert not composed.plain
    assert plain_config(compose_with_hydra(presets, "seed=${k}"))["seed"] == 3


def test_record_holds_the_typed_words(presets):
    config = compose_with_hydra(presets, "width=2-5-1", "grid=7", "noise_scale=1", "hydra.run.dir=here")
    assert list(config.hydra.overrides.task) == ["width=2-5-1", "grid=7", "noise_scale=1"]
    assert list(config.hydra.overrides.hydra) == ["hydra.run.dir=here"]
    assert config.hydra.job.override_dirname == "grid=7,noise_scale=1,width=2-5-1"
    assert config.hydra.runtime.choices["grid"] == "7"
    assert config.hydra.runtime.choices["init"] == "default"


def test_faults_name_bad_preset_files(tmp_path):
    (tmp_path / "experiment").mkdir()
    for name, text, expected in [
        ("broken", "a: [1\n", "not YAML"),
        ("list", "- 1\n- 2\n", "KEY: VALUE"),
        ("bytes", "\x00", "bytes.yaml"),
        ("twice", "seed: 1\nseed: 2\n", "twice.yaml"),
        ("bare", "4\n", "KEY: VALUE"),
        ("nested", "experiment: off_grid\n", "names an experiment itself"),
    ]:
        (tmp_path / "experiment" / f"{name}.yaml").write_text(text)
        mine = Presets([builtin_folder(), tmp_path])
        (fault,) = find_faults(mine, f"experiment={name}")
        assert expected in fault
    (tmp_path / "width").mkdir()
    (tmp_path / "width" / "mine.yaml").write_text("width: [2, 3, 1]\n")
    (tmp_path / "experiment" / "odd.yaml").write_text("defaults:\n  - /nothing: here\n")
    mine = Presets([builtin_folder(), tmp_path])
    (fault,) = find_faults(mine, "width=mine")
    assert "# @package _global_" in fault
    assert any("nothing" in fault for fault in find_faults(mine, "experiment=odd"))


@pytest.mark.slow
def test_both_compositions_agree_on_generated_overrides(presets):
    """For sixty random command lines both compositions give the same config or the same faults."""
    choose = random.Random(0)
    parts = {
        "width": ["2-5-1", "[3,2]", "wide", "deep", "default"],
        "grid": ["3", "fine", "coarse", "12"],
        "k": ["1", "cubic", "0", "linear"],
        "init": ["linear", "noisy", "default", "symmetric"],
        "inputs": ["normal", "uniform", "sobol", "grid"],
        "figures": ["none", "all", "[network]"],
        "experiment": ["off_grid", "deep_linear", "null"],
        "noise_scale": ["0", "1e-3", "10"],
        "noise_scale_base": ["0.5", "1"],
        "inputs.n": ["16", "64", "81"],
        "inputs.std": ["2"],
        "grid.range": ["[-2,2]", "[0,1.5]"],
        "base_fun": ["tanh", "zero"],
        "seed": ["7", "1e2"],
        "figures.title": ["'a, b'", "null"],
        "activations.n": ["0", "10"],
    }
    agreed = 0
    for _ in range(60):
        keys = choose.sample(sorted(parts), choose.randint(0, 6))
        overrides = [f"{key}={choose.choice(parts[key])}" for key in keys]
        if wrong := find_faults(presets, *overrides):
            with pytest.raises(ConfigError, match=re.escape(wrong[0])) as raised:
                compose_with_hydra(presets, *overrides)
            assert raised.value.faults == wrong, overrides
        else:
            assert plain_config(compose_with_hydra(presets, *overrides)) == compose(overrides, presets).config, (
                overrides
            )
            agreed += 1
    assert agreed > 20


INTERPOLATIONS = [
    ("seed=${oc.env:VALUE}", "7", "seed", 7),
    ("noise_scale=${oc.env:VALUE}", "1e-3", "init.noise_scale", 0.001),
    ("grid=${oc.env:VALUE}", "7", "grid.size", 7),
    ("width=${oc.env:VALUE}", "3-4-1", "width", [3, 4, 1]),
    ("figures.title=${oc.env:VALUE}", "seven", "figures.title", "seven"),
    ("figures.title=${hydra:runtime.choices.init}", "", "figures.title", "default"),
    ("figures.title=${hydra:job.name}", "", "figures.title", "kan-run"),
]


@pytest.mark.parametrize(("word", "variable", "key", "expected"), INTERPOLATIONS)
def test_interpolations(presets, monkeypatch, word, variable, key, expected):
    monkeypatch.setenv("VALUE", variable)
    config = plain_config(compose_with_hydra(presets, word))
    assert dict(flatten(config))[key] == expected


def test_interpolation_without_a_value(presets, monkeypatch):
    monkeypatch.setenv("VALUE", "many")
    with pytest.raises(ConfigError, match="seed=many: allowed: integer"):
        compose_with_hydra(presets, "seed=${oc.env:VALUE}")
    with pytest.raises(ConfigError, match=r"\$\{hydra:job.num\}: has no value here"):
        compose_with_hydra(presets, "figures.title=${hydra:job.num}")
