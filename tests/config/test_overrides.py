"""Spellings of overrides, their precedence, and the answers to mistakes."""

import re
from pathlib import Path

import pytest

from kancli.config.nested import flatten
from kancli.config.presets import Presets, builtin_folder
from kancli.errors import ConfigError
from tests.config.compositions import compose_both_ways, compose_with_hydra, find_faults

SPELLINGS = [
    (["width=[2,5,1]"], {"width": [2, 5, 1]}),
    (["width=2-5-1"], {"width": [2, 5, 1]}),
    (["width='[3,1]'"], None),
    (["width=wide"], {"width": [2, 64, 1]}),
    (["grid=7"], {"grid.size": 7, "grid.range": [-1, 1]}),
    (["grid='7'"], {"grid.size": 7, "grid.range": [-1, 1]}),
    (["grid=coarse"], {"grid.size": 3, "grid.range": [-1, 1]}),
    (["grid.size=9", "grid.range=[0,2]"], {"grid.size": 9, "grid.range": [0, 2]}),
    (["grid={size:4}"], {"grid.size": 4, "grid.range": [-1, 1]}),
    (["grid=7", "grid=coarse"], {"grid.size": 3, "grid.range": [-1, 1]}),
    (["grid=coarse", "grid=7"], {"grid.size": 7, "grid.range": [-1, 1]}),
    (["k=2"], {"k": 2}),
    (["k=linear"], {"k": 1}),
    (["+k=2"], {"k": 2}),
    (["++seed=3"], {"seed": 3}),
    (["init=linear", "noise_scale=1.0"], {"base_fun": "identity"}),
    (["inputs=uniform", "inputs.n=7"], {"inputs": {"kind": "uniform", "n": 7, "low": -1, "high": 1, "seed": None}}),
    (["figures=none"], {}),
    (["figures=[network]"], {}),
    (["experiment=off_grid"], {"inputs": {"kind": "normal", "n": 1000, "mean": 0, "std": 2, "seed": None}}),
    (["+experiment=off_grid", "inputs.n=5"], {"inputs": {"kind": "normal", "n": 5, "mean": 0, "std": 2, "seed": None}}),
    (["experiment=off_grid", "inputs=uniform", "inputs.std=1"], None),
]


@pytest.mark.slow
@pytest.mark.parametrize(("overrides", "expected"), SPELLINGS, ids=[" ".join(words) for words, _ in SPELLINGS])
def test_spellings(presets, overrides, expected):
    if expected is None:
        assert find_faults(presets, *overrides)
        return
    config = compose_both_ways(presets, *overrides)
    values = {**config, **dict(flatten(config))}
    assert {name: values[name] for name in expected} == expected


@pytest.mark.parametrize("order", [["init=linear", "noise_scale=1.0"], ["noise_scale=1.0", "init=linear"]])
def test_value_takes_precedence_over_preset_in_any_order(presets, order):
    assert compose_both_ways(presets, *order)["init"] == {
        "scheme": "default",
        "noise_scale": 1.0,
        "noise_scale_base": 0,
    }


ORDERS = [
    ("grid=coarse", "grid.size=7", "grid.size", 7),
    ("width=wide", "grid=7", "width", [2, 64, 1]),
    ("init=noisy", "noise_scale=3", "init.noise_scale", 3),
    ("init=noisy", "init.scheme=glorot", "init.scheme", "glorot"),
    ("inputs=uniform", "inputs.n=7", "inputs.n", 7),
    ("inputs=file", "inputs.path=d.csv", "inputs.path", "d.csv"),
    ("figures=none", "figures.names=[network]", "figures.names", ["network"]),
    ("stats=full", "stats.ntk.n=7", "stats.ntk.n", 7),
    ("stats=full", "stats.level=basic", "stats.level", "basic"),
    ("k=linear", "grid=fine", "k", 1),
]


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "value", "key", "expected"), ORDERS)
def test_a_preset_and_a_value_may_come_in_either_order(presets, tmp_path, monkeypatch, preset, value, key, expected):
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text("1,2\n")
    config = compose_both_ways(presets, preset, value)
    assert dict(flatten(config))[key] == expected
    assert compose_both_ways(presets, value, preset) == config
    # ... and in the file of an experiment.
    folder = tmp_path / "experiment"
    folder.mkdir()
    lines = [word.replace("=", ": ", 1) for word in (preset, value)]
    for name, text in (("a", lines), ("b", lines[::-1])):
        (folder / f"{name}.yaml").write_text("\n".join(text) + "\n")
    mine = Presets([builtin_folder(), tmp_path])
    assert compose_both_ways(mine, "experiment=a") == compose_both_ways(mine, "experiment=b") == config


@pytest.mark.slow
@pytest.mark.parametrize("name", ["1", "1.5", "1e3", "null", "true", "010"])
def test_presets_may_have_names_that_look_like_values(tmp_path, name):
    for group, text in (("experiment", "seed: 3\n"), ("init", "scheme: default\nnoise_scale: 0.5\n")):
        (tmp_path / group).mkdir()
        (tmp_path / group / f"{name}.yaml").write_text(text)
    mine = Presets([builtin_folder(), tmp_path])
    assert compose_both_ways(mine, f"experiment={name}")["seed"] == 3
    assert compose_both_ways(mine, f"init={name}")["init"]["noise_scale"] == 0.5


def test_command_line_takes_precedence_over_experiment(presets, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# mine\nwidth: 3-1\ngrid: 7\nk: linear\ninit: noisy\nseed: 5\n")
    mine = Presets([builtin_folder(), tmp_path])
    config = compose_both_ways(mine, "experiment=mine")
    assert (config["width"], config["grid"]["size"], config["k"], config["seed"]) == ([3, 1], 7, 1, 5)
    assert config["init"]["noise_scale"] == 1
    config = compose_both_ways(mine, "experiment=mine", "width=wide", "grid=coarse", "k=2", "init=symmetric", "seed=0")
    assert (config["width"], config["grid"]["size"], config["k"], config["seed"]) == ([2, 64, 1], 3, 2, 0)
    assert config["init"]["noise_scale"] == 0.1


def test_typed_preset_replaces_values_of_experiment(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("noise_scale: 0.3\nbase_fun: tanh\ngrid.range: [-2, 2]\n")
    mine = Presets([builtin_folder(), tmp_path])
    config = compose_both_ways(mine, "experiment=mine", "init=linear", "grid=coarse")
    assert (config["init"]["noise_scale"], config["base_fun"]) == (0, "identity")
    assert (config["grid"]["size"], config["grid"]["range"]) == (3, [-2, 2]), "coarse says nothing of the range"
    config = compose_both_ways(mine, "experiment=mine", "init=linear", "noise_scale=2")
    assert config["init"]["noise_scale"] == 2
    assert compose_both_ways(mine, "experiment=mine")["init"]["noise_scale"] == 0.3


def test_typed_value_takes_precedence_after_a_preset_replaces_the_experiments(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("grid: 7\n")
    mine = Presets([builtin_folder(), tmp_path])
    config = compose_both_ways(mine, "experiment=mine", "noise_scale=2", "grid=coarse", "init=linear")
    assert (config["grid"]["size"], config["init"]["noise_scale"]) == (3, 2)


WRONG = [
    ("init=lin", ["init=lin", "linear", "did you mean linear?"]),
    ("init=2", ["init=2", "linear"]),
    ("init=null", ["init=null", "linear"]),
    ("init=off", ["init=off", "linear"]),
    ("init=", ["init='' (empty)", "linear"]),
    ("width=", ["width='' (empty)", "2-5-1"]),
    ("width=null", ["width=null", "2-5-1"]),
    ("width=true", ["width=true", "2-5-1"]),
    ("width=2-x-1", ["width=2-x-1", "2-5-1"]),
    ("width=2,5,1", ["width=2,5,1", "width=2-5-1", "add -m"]),
    ("width=[2,5", ["width=[2,5", "quote"]),
    ("grid=corse", ["grid=corse", "did you mean coarse?"]),
    ("grid=2.5", ["grid=2.5", "integer"]),
    ("grid=true", ["grid=true", "coarse"]),
    ("k=cubc", ["k=cubc", "did you mean cubic?"]),
    ("seed=1,2", ["seed=1,2", "add -m"]),
    ("seed=range(3)", ["seed=range(3)", "add -m"]),
    ("linear", ["linear", "KEY=VALUE"]),
    ("=3", ["=3", "KEY=VALUE"]),
    ("experiment=refrence", ["experiment=refrence", "did you mean reference?"]),
    ("figures=off", ["figures=off", "none"]),
    ("seed.foo=1", ["seed={foo:1}", "integer"]),
    ("init.scheme=other", ["init.scheme=other", "default"]),
    ("~init.scheme", ["~init.scheme", "give it a value"]),
]


@pytest.mark.parametrize(("override", "expected"), WRONG, ids=[override for override, _ in WRONG])
def test_mistakes(presets, override, expected):
    (fault,) = find_faults(presets, override)
    assert "\n" not in fault
    for text in expected:
        assert text in fault
    with pytest.raises(ConfigError, match=re.escape(fault)):
        compose_with_hydra(presets, override)


def test_subkey_of_a_list(presets):
    (fault,) = find_faults(presets, "width.x=1")
    assert fault.startswith("width={x:1}: ")
    assert "2-5-1" in fault
    with pytest.raises(ConfigError, match="Index 'x'"):  # OmegaConf rejects the update before validation
        compose_with_hydra(presets, "width.x=1")
