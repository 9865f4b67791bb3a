"""Every legal key is validated, all faults are reported at once, and a message names the value and what is allowed."""

import math

import pytest

from kancli.config import memory
from kancli.config.catalogue import catalogue
from kancli.config.identity import config_of, identity
from kancli.config.settings import Settings
from kancli.config.validation import validate
from kancli.errors import ConfigError
from kancli.inits.reference import Reference
from kancli.inputs.samplers import Uniform
from kancli.schema import REQUIRED


def find_faults(config):
    try:
        validate(config)
    except ConfigError as error:
        return error.faults
    return []


def test_empty_config_is_the_reference_case():
    settings = validate({})
    assert settings == Settings()
    assert settings.width == (2, 5, 1)
    assert (settings.grid.size, settings.k, settings.seed, settings.inputs.n) == (5, 3, 0, 100)
    assert settings.init == Reference(noise_scale=0.1, noise_scale_base=0.1)


def test_values_take_their_canonical_type():
    settings = validate(
        {"k": 2.0, "seed": 1e3, "init": {"scheme": "default", "noise_scale": 1}, "grid": {"range": [0, 2]}}
    )
    assert (settings.k, settings.seed) == (2, 1000)
    assert isinstance(settings.k, int)
    assert isinstance(settings.init.noise_scale, float)
    assert settings.grid.range == (0.0, 2.0)


BAD = [
    ({"seed": -1}, "seed=-1", "integer, 0 to"),
    ({"seed": 1.5}, "seed=1.5", "integer"),
    ({"seed": True}, "seed=true", "integer"),
    ({"seed": None}, "seed=null", "integer"),
    ({"seed": math.nan}, "seed=nan", "integer"),
    ({"seed": 2**63}, f"seed={2**63}", "integer"),
    ({"k": -1}, "k=-1", "0 to 10"),
    ({"k": 11}, "k=11", "0 to 10"),
    ({"k": "cube"}, "k=cube", "integer"),
    ({"k": ""}, "k='' (empty)", "integer"),
    ({"width": [2]}, "width=[2]", "list of 2 to 10000"),
    ({"width": []}, "width=[]", "list of 2 to 10000"),
    ({"width": 5}, "width=5", "such as 2-5-1"),
    ({"width": "abc"}, "width=abc", "such as 2-5-1"),
    ({"width": [2, 0, 1]}, "entry 1 is 0", "1 to"),
    ({"width": [2, -5, 1]}, "entry 1 is -5", "1 to"),
    ({"width": [2, 2.5, 1]}, "entry 1 is 2.5", "integer"),
    ({"width": [2, "x"]}, "entry 1 is x", "integer"),
    ({"grid": {"size": 0}}, "grid=0", "1 to"),
    ({"grid": {"size": -3}}, "grid=-3", "1 to"),
    ({"grid": {"size": math.inf}}, "grid=inf", "1 to"),
    ({"grid": {"range": [1, 1]}}, "grid.range=[1,1]", "low < high"),
    ({"grid": {"range": [1, -1]}}, "grid.range=[1,-1]", "low < high"),
    ({"grid": {"range": [0, math.inf]}}, "grid.range=[0,inf]", "finite"),
    ({"grid": {"range": [0, 1, 2]}}, "grid.range=[0,1,2]", "two finite numbers"),
    ({"grid": {"range": [1e9, 1e9 + 1]}}, "grid.range=[1000000000,", "same number in float32"),
    ({"grid": 7}, "grid=7", "grid.size"),
    ({"grid": {"eps": 0.5}}, "grid.eps=0.5", "grid.adapt=samples"),
    ({"seed": 2**63 - 1, "n_seeds": 2}, "seed=9223372036854775807 n_seeds=2", "is above 9223372036854775807"),
    ({"grid": {"adapt": "samples"}, "init": {"scheme": "lecun_norm"}}, "grid.adapt=samples", "another init"),
    ({"base_fun": "sillu"}, "base_fun=sillu", "did you mean silu?"),
    ({"base_fun": "nn.init.normal_"}, "base_fun=nn.init.normal_", "one of"),
    ({"dtype": "float16"}, "dtype=float16", "float32, float64"),
    ({"device": "gpu"}, "device=gpu", "cpu, cuda, auto"),
    ({"n_seeds": 0}, "n_seeds=0", "integer"),
    ({"init": {"scheme": "default", "noise_scale": -0.1}}, "noise_scale=-0.1", ">= 0"),
    ({"init": {"scheme": "default", "noise_scale": math.nan}}, "noise_scale=nan", "finite"),
    ({"init": {"scheme": "default", "noise_scale": "big"}}, "noise_scale=big", "number"),
    ({"init": {"scheme": "defualt"}}, "init.scheme=defualt", "did you mean default?"),
    ({"init": None}, "init.scheme=null", "one of"),
    ({"inputs": {"kind": "normal", "n": 0}}, "inputs.n=0", "1 to"),
    ({"inputs": {"kind": "normal", "std": -1}}, "inputs.std=-1", ">= 0"),
    ({"inputs": {"kind": "uniform", "low": 1, "high": 0}}, "inputs.low=1", "low < high"),
    ({"inputs": {"kind": "normal", "low": 0}}, "inputs.low=0", "belongs to inputs=uniform"),
    ({"inputs": {"kind": "file"}}, "inputs.path is missing", ".csv, .txt, .npy"),
    ({"figures": {"beta": 0}}, "figures.beta=0", "> 0"),
    ({"figures": {"names": ["netwrok"]}}, "entry 0 is netwrok", "did you mean network?"),
    ({"figures": {"in_vars": ["x"]}}, "figures.in_vars=[x]", "2 nodes"),
    ({"stats": {"level": "all"}}, "stats.level=all", "none, basic, full"),
    ({"nois_scale": 1}, "nois_scale=1", "did you mean noise_scale?"),
    ({"init": {"scheme": "default", "nois_scale": 1}}, "nois_scale=1", "did you mean noise_scale?"),
    ({"n": 5}, "n=5", "did you mean inputs.n?"),
    ({"inputs": {"kind": "normal", "nn": 5}}, "inputs.nn=5", "did you mean inputs.n?"),
    ({"foo": {"bar": 1}}, "foo.bar=1", "--help"),
]


@pytest.mark.parametrize(("config", "value", "allowed"), BAD, ids=[value for _, value, _ in BAD])
def test_fault_names_the_value_and_what_is_allowed(config, value, allowed):
    (fault,) = find_faults(config)
    assert value in fault
    assert allowed in fault
    assert "\n" not in fault


def test_all_faults_are_reported_at_once():
    faults = find_faults(
        {"width": [2], "grid": {"size": 0}, "k": -1, "nois_scale": 1, "inputs": {"kind": "normal", "n": 0}}
    )
    assert len(faults) == 5
    assert all(any(text.startswith(key) for text in faults) for key in ("width", "grid", "k", "nois_scale", "inputs.n"))


def test_model_too_large_for_memory_is_reported_in_gib():
    (fault,) = find_faults({"width": [2, 10**5, 10**5]})
    # (5 + 3 + 2) numbers per edge, two float32 copies
    assert f"{10**10 * 2 * 4 * 10 / 2**30:.3g} GiB" in fault.replace(",", "")
    assert "free" in fault


def test_grid_too_fine_to_adapt_is_reported_in_gib():
    (fault,) = find_faults({"width": [1, 1], "grid": {"size": 10**5, "adapt": "samples"}})
    assert fault.startswith("grid=100000: the fit of adapted knots at 400000 points needs 3,278 GiB")


def test_too_many_samples_for_memory_are_reported_in_gib(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2**30)
    (fault,) = find_faults({"inputs": {"kind": "normal", "n": 10**8}})
    assert "inputs.n=100000000" in fault
    assert "GiB" in fault
    (fault,) = find_faults({"inputs": {"kind": "normal", "n": 4 * 10**6}})
    assert "activations.n=1000" in fault
    validate({"inputs": {"kind": "normal", "n": 4 * 10**6}, "activations": {"n": 1000}})


def test_memory_is_read_from_the_machine():
    assert 2**20 < memory.available() < 2**62


def test_every_key_has_help_and_a_legal_default():
    for key in catalogue():
        assert key.help
        assert key.kind.describe()
        if key.default is not REQUIRED:
            key.kind.check(list(key.default) if isinstance(key.default, tuple) else key.default)


def test_settings_survive_a_round_trip_through_a_config():
    settings = validate({"inputs": {"kind": "uniform", "n": 7}, "width": [3, 1], "figures": {"names": []}})
    assert settings.inputs == Uniform(n=7)
    assert validate(config_of(settings)) == settings


def test_identity_depends_on_values_not_on_spelling():
    def of(**config):
        return identity(validate(config))

    assert of(seed=1) == of(seed=1.0) == of(seed=1e0)
    assert of(init={"scheme": "default", "noise_scale": 1}) == of(init={"noise_scale": 1.0, "scheme": "default"})
    assert of(seed=1) != of(seed=2)
    assert of() == of(
        device="auto", figures={"names": [], "beta": 7}, activations={"n": 3}, stats={"level": "none"}, strict=True
    )
    assert of(dtype="float64") != of()


def test_identity_of_a_file_depends_on_its_content(tmp_path):
    def of(name):
        return identity(validate({"inputs": {"kind": "file", "path": str(tmp_path / name)}}))

    (tmp_path / "a.csv").write_text("1,2\n")
    (tmp_path / "b.csv").write_text("1,2\n")
    (tmp_path / "c.csv").write_text("1,3\n")
    assert of("a.csv") == of("b.csv") != of("c.csv")
