"""Spellings, and that the plain composition comes to the config that Hydra comes to."""

import random

import pytest
from hydra.types import RunMode

from kancli.config.compose import CONFIG_NAME, compose
from kancli.config.hydra import create_hydra, plain_config
from kancli.config.nested import flatten
from kancli.config.presets import Presets, builtin_folder
from kancli.errors import ConfigError


def by_hydra(presets, *overrides):
    hydra = create_hydra(presets)
    return hydra.compose_config(CONFIG_NAME, list(overrides), run_mode=RunMode.RUN, with_log_configuration=False)


def both(presets, *overrides):
    """The config by either way of composing, after checking that they agree."""
    made = compose(overrides, presets)
    assert made.plain
    assert made.settings
    config = plain_config(by_hydra(presets, *overrides))
    assert config == made.config
    return config


def faults(presets, *overrides):
    try:
        compose(overrides, presets).settings  # noqa: B018
    except ConfigError as error:
        return error.faults
    return []


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
    (["inputs=uniform", "inputs.n=7"], {"inputs": {"kind": "uniform", "n": 7, "low": -1, "high": 1}}),
    (["figures=none"], {}),
    (["figures=[network]"], {}),
    (["experiment=off_grid"], {"inputs": {"kind": "normal", "n": 1000, "mean": 0, "std": 2}}),
    (["+experiment=off_grid", "inputs.n=5"], {"inputs": {"kind": "normal", "n": 5, "mean": 0, "std": 2}}),
    (["experiment=off_grid", "inputs=uniform", "inputs.std=1"], None),
]


@pytest.mark.parametrize(("overrides", "wanted"), SPELLINGS, ids=[" ".join(each) for each, _ in SPELLINGS])
def test_spellings(presets, overrides, wanted):
    if wanted is None:
        assert faults(presets, *overrides)
        return
    config = both(presets, *overrides)
    values = {**config, **dict(flatten(config))}
    assert {name: values[name] for name in wanted} == wanted


@pytest.mark.parametrize("order", [["init=linear", "noise_scale=1.0"], ["noise_scale=1.0", "init=linear"]])
def test_a_value_beats_a_preset_in_any_order(presets, order):
    assert both(presets, *order)["init"] == {"scheme": "default", "noise_scale": 1.0, "noise_scale_base": 0}


def test_the_command_line_beats_the_experiment(presets, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# mine\nwidth: 3-1\ngrid: 7\nk: linear\ninit: noisy\nseed: 5\n")
    mine = Presets([builtin_folder(), tmp_path])
    config = both(mine, "experiment=mine")
    assert (config["width"], config["grid"]["size"], config["k"], config["seed"]) == ([3, 1], 7, 1, 5)
    assert config["init"]["noise_scale"] == 1
    config = both(mine, "experiment=mine", "width=wide", "grid=coarse", "k=2", "init=symmetric", "seed=0")
    assert (config["width"], config["grid"]["size"], config["k"], config["seed"]) == ([2, 64, 1], 3, 2, 0)
    assert config["init"]["noise_scale"] == 0.1


def test_a_typed_preset_beats_what_an_experiment_sets(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("noise_scale: 0.3\nbase_fun: tanh\ngrid.range: [-2, 2]\n")
    mine = Presets([builtin_folder(), tmp_path])
    config = both(mine, "experiment=mine", "init=linear", "grid=coarse")
    assert (config["init"]["noise_scale"], config["base_fun"]) == (0, "identity")
    assert (config["grid"]["size"], config["grid"]["range"]) == (3, [-2, 2]), "coarse says nothing of the range"
    config = both(mine, "experiment=mine", "init=linear", "noise_scale=2")
    assert config["init"]["noise_scale"] == 2
    assert both(mine, "experiment=mine")["init"]["noise_scale"] == 0.3


def test_a_typed_value_beats_presets_after_an_experiment_lost_its_own_to_one(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("grid: 7\n")
    mine = Presets([builtin_folder(), tmp_path])
    config = both(mine, "experiment=mine", "noise_scale=2", "grid=coarse", "init=linear")
    assert (config["grid"]["size"], config["init"]["noise_scale"]) == (3, 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides", [["inputs=uniform"], ["init=linear", "grid=7"], ["init=glorot", "inputs=sobol"], []]
)
def test_a_printed_config_is_an_experiment(kan_run, tmp_path, overrides):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "printed.yaml").write_text(kan_run("--cfg", "job", *overrides).out)
    mine = Presets([builtin_folder(), tmp_path])
    assert both(mine, "experiment=printed") == both(mine, *overrides)


def test_an_experiment_in_hydras_own_spelling(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "theirs.yaml").write_text(
        "# @package _global_\n"
        "defaults:\n  - override /init: linear\n  - override /width: deep\n  - _self_\n"
        "grid:\n  size: 9\n  range: [-2, 2]\ninit:\n  noise_scale: 0.5\ninputs:\n  n: 12\n"
    )
    config = both(Presets([builtin_folder(), tmp_path]), "+experiment=theirs")
    assert config["base_fun"] == "identity"
    assert config["init"]["noise_scale"] == 0.5
    assert len(config["width"]) == 10
    assert (config["grid"]["size"], config["grid"]["range"]) == (9, [-2, 2])
    assert config["inputs"]["n"] == 12


def test_a_users_own_preset(tmp_path):
    (tmp_path / "init").mkdir()
    (tmp_path / "init" / "calm.yaml").write_text("# My own.\nscheme: default\nnoise_scale: 0.01\nnoise_scale_base: 0\n")
    mine = Presets([builtin_folder(), tmp_path])
    assert "calm" in mine.options("init")
    assert both(mine, "init=calm")["init"]["noise_scale"] == 0.01


def test_interpolations_are_left_to_hydra(presets):
    made = compose(["seed=${k}"], presets)
    assert not made.plain
    assert plain_config(by_hydra(presets, "seed=${k}"))["seed"] == 3


def test_the_record_is_of_what_was_typed(presets):
    config = by_hydra(presets, "width=2-5-1", "grid=7", "noise_scale=1", "hydra.run.dir=here")
    assert list(config.hydra.overrides.task) == ["width=2-5-1", "grid=7", "noise_scale=1"]
    assert list(config.hydra.overrides.hydra) == ["hydra.run.dir=here"]
    assert config.hydra.job.override_dirname == "grid=7,noise_scale=1,width=2-5-1"
    assert config.hydra.runtime.choices["grid"] == "7"
    assert config.hydra.runtime.choices["init"] == "default"


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
    ("width.x=1", ["width={x:1}", "2-5-1"]),
    ("init.scheme=other", ["init.scheme=other", "default"]),
    ("~init.scheme", ["~init.scheme", "give it a value"]),
]


@pytest.mark.parametrize(("override", "wanted"), WRONG, ids=[override for override, _ in WRONG])
def test_mistakes(presets, override, wanted):
    made = faults(presets, override)
    (fault,) = made
    assert "\n" not in fault
    for words in wanted:
        assert words in fault
    with pytest.raises(ConfigError):
        by_hydra(presets, override)


def test_bad_files_are_named(tmp_path):
    (tmp_path / "experiment").mkdir()
    for name, text, words in [
        ("broken", "a: [1\n", "not YAML"),
        ("list", "- 1\n- 2\n", "KEY: VALUE"),
        ("bytes", "\x00", "bytes.yaml"),
        ("twice", "seed: 1\nseed: 2\n", "twice.yaml"),
        ("bare", "4\n", "KEY: VALUE"),
        ("nested", "experiment: off_grid\n", "names an experiment itself"),
    ]:
        (tmp_path / "experiment" / f"{name}.yaml").write_text(text)
        mine = Presets([builtin_folder(), tmp_path])
        (fault,) = faults(mine, f"experiment={name}")
        assert words in fault
    (tmp_path / "width").mkdir()
    (tmp_path / "width" / "mine.yaml").write_text("width: [2, 3, 1]\n")
    (tmp_path / "experiment" / "odd.yaml").write_text("defaults:\n  - /nothing: here\n")
    mine = Presets([builtin_folder(), tmp_path])
    (fault,) = faults(mine, "width=mine")
    assert "# @package _global_" in fault
    assert any("nothing" in fault for fault in faults(mine, "experiment=odd"))


@pytest.mark.slow
def test_generated_overrides_compose_alike(presets):
    """Sixty random command lines; both compositions give the same config, or both refuse it."""
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
        if wrong := faults(presets, *overrides):
            with pytest.raises(ConfigError) as caught:
                by_hydra(presets, *overrides)
            assert caught.value.faults == wrong, overrides
        else:
            assert plain_config(by_hydra(presets, *overrides)) == compose(overrides, presets).config, overrides
            agreed += 1
    assert agreed > 20
