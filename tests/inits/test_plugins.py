"""Third-party schemes: the example of the README, and mistakes in presets and classes."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from kancli.config.identity import identity
from kancli.config.validation import validate
from kancli.errors import ConfigError
from kancli.inits.plugins import CodePolicy, use_policy

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The folder DIR of the README's example."""
    folder = tmp_path / "DIR"
    (folder / "init").mkdir(parents=True)
    (code,) = (block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "Shrinking" in block)
    (preset,) = (block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "_target_" in block)
    (folder / "mine.py").write_text(code)
    (folder / "init" / "shrinking.yaml").write_text(preset)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    yield folder
    sys.modules.pop("mine", None)


@pytest.fixture
def trusted(own):
    """The folder DIR, under a policy that allows code from anywhere."""
    with use_policy(CodePolicy(own, anywhere=True)):
        yield own


def test_the_readmes_scheme_runs(kan_run, own):
    outcome = kan_run("--config-dir", str(own), "init=shrinking", "spread=3", "width=4-50-1", "n_seeds=2")
    assert outcome.code == 0, outcome.err
    params = load_file(outcome.folder / "params.safetensors")
    assert (params["layers.0.scale_base"] == 0).all()
    assert (params["layers.0.scale_sp"] == 1).all()
    assert float(params["layers.0.coef"].std()) == pytest.approx(3 / (4 * 5), rel=0.1)
    layer = outcome.json("stats.json")["layers"][0]
    assert layer["coef"]["declared_std"] == pytest.approx(3 / 20)
    assert outcome.json("run.json")["config"]["init"] == {"_target_": "mine.Shrinking", "spread": 3.0}
    assert "init=shrinking spread=3" in " ".join(outcome.out.split())


@pytest.mark.slow
def test_third_party_scheme_can_be_swept_and_explained(kan_run, own):
    outcome = kan_run("-m", "--config-dir", str(own), "init=shrinking,default", "seed=1,2", "figures=none")
    assert outcome.code == 0, outcome.err
    assert "4 of 4 runs complete" in outcome.out
    outcome = kan_run("explain", "--config-dir", str(own), "init=shrinking", "width=4-1")
    assert outcome.code == 0, outcome.err
    assert "N(0, 0.05)" in outcome.out


def test_source_of_a_scheme_is_part_of_the_identity(trusted):
    config = {"init": {"_target_": "mine.Shrinking"}}
    before = identity(validate(config))
    assert before == identity(validate({"init": {"_target_": "mine.Shrinking", "spread": 1}}))
    path = trusted / "mine.py"
    path.write_text(path.read_text().replace("Constant(1.0)", "Constant(2.0)"))
    assert identity(validate(config)) != before


WRONG = [
    (["init=shrinking", "spred=3"], "spred=3", "did you mean spread?"),
    (["init=shrinking", "spread=-1"], "spread=-1", ">= 0"),
    (["init._target_=mine.Shrinking"], "give one of the two", "DIR/init/NAME.yaml"),
]


@pytest.mark.parametrize(("words", "given", "allowed"), WRONG, ids=[" ".join(words) for words, _, _ in WRONG])
def test_mistakes_on_the_command_line(kan_run, own, words, given, allowed):
    outcome = kan_run("--config-dir", str(own), *words)
    assert outcome.code == 2
    assert given in outcome.err
    assert allowed in outcome.err
    assert len(outcome.err.splitlines()) <= 3
    assert not (outcome.cwd / "outputs").exists()


TARGETS = [
    ("nowhere.Scheme", "no module named nowhere; put nowhere.py into the folder of --config-dir"),
    ("mine.Other", "mine.py) has no Other"),
    ("json.Scheme", "json/__init__.py) has no Scheme"),
    ("mine.", "allowed: MODULE.CLASS"),
    ("..mine.Shrinking", "allowed: MODULE.CLASS"),
    ("needy.Scheme", "needy cannot be imported: it needs nowhere_else, which is missing"),
    ("leaving.Scheme", "leaving cannot be imported: SystemExit: 5"),
    ("Shrinking", "allowed: MODULE.CLASS"),
    ("os.system", "not a scheme"),
    ("kancli.inits.Scheme", "not a scheme"),
    ("broken.Scheme", "broken cannot be imported: ValueError: on purpose"),
    ("partial.Partial", "no method laws"),
]


@pytest.mark.parametrize(("target", "message"), TARGETS)
def test_target_that_is_no_scheme(trusted, target, message):
    (trusted / "broken.py").write_text("raise ValueError('on purpose')\n")
    (trusted / "needy.py").write_text("import nowhere_else\n")
    (trusted / "leaving.py").write_text("import sys\nsys.exit(5)\n")
    (trusted / "partial.py").write_text(
        "from dataclasses import dataclass\nfrom kancli.inits import Scheme\n"
        "@dataclass(frozen=True)\nclass Partial(Scheme):\n    pass\n"
    )
    with pytest.raises(ConfigError, match=re.escape(f"init._target_={target}: ")) as raised:
        validate({"init": {"_target_": target}})
    assert message in str(raised.value)


LAWS = '{"scale_base": Constant(0.0), "scale_sp": Constant(1.0), "coef": coef}'
UNFIT = {
    "{'coef': coef}": "gives coef; allowed: a law for each of scale_base, scale_sp, coef",
    "[coef]": "gives list; allowed: a law for each of",
    "None": "gives NoneType; allowed: a law for each of",
    "{'scale_base': 0.0, 'scale_sp': coef, 'coef': coef}": "its law of scale_base is a float without mean",
    "{'scale_base': Normal(0.0, -1.0), 'scale_sp': coef, 'coef': coef}": (
        "its law of scale_base, a Normal: std is -1.0; allowed: a finite number, >= 0"
    ),
    "{'scale_base': coef, 'scale_sp': coef, 'coef': type('Mine', (), {'mean': 0.0, 'std': 1.0})()}": (
        "its law of coef is a Mine without bounds, mean_error, variance_error, combined_variance, cdf, rows, sample"
    ),
    "1 / 0": "its laws(size) fails: ZeroDivisionError",
    "exit(5)": "its laws(size) fails: SystemExit: 5",
}


@pytest.mark.parametrize("laws", UNFIT)
@pytest.mark.parametrize("verb", [[], ["explain"]])
def test_invalid_laws(kan_run, own, laws, verb):
    path = own / "mine.py"
    path.write_text(path.read_text().replace(LAWS, laws))
    outcome = kan_run(*verb, "--config-dir", str(own), "init=shrinking")
    assert outcome.code == 2
    assert outcome.err.startswith("kan-run: init._target_=mine.Shrinking: its")
    assert UNFIT[laws] in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert not (outcome.cwd / "outputs").exists()


CLASSES = {
    "    spread: float = key(1.0, Real()": ("    seed: float = key(1.0, Real()", "its knob seed is a key of every run"),
    "    def laws": ("    def __post_init__(self):\n        raise ValueError('too big')\n    def laws",
                    "cannot be created: ValueError: too big"),
}  # fmt: skip


@pytest.mark.parametrize("old", CLASSES)
def test_invalid_classes(kan_run, own, old):
    path = own / "mine.py"
    new, message = CLASSES[old]
    path.write_text(path.read_text().replace("Real(low=0)", "Real()").replace(old, new))
    (own / "init" / "shrinking.yaml").write_text("_target_: mine.Shrinking\n")
    outcome = kan_run("--config-dir", str(own), "init=shrinking")
    assert outcome.code == 2
    assert message in outcome.err


def test_field_without_key_is_no_knob(kan_run, own):
    path = own / "mine.py"
    path.write_text(re.sub(r"= key\(1\.0, .*\)", "= 1.0", path.read_text()))
    outcome = kan_run("--config-dir", str(own), "init=shrinking", "spread=2")
    assert outcome.code == 2
    assert "spread=2: mine.Shrinking has no such knob (it has none; declare a field with kancli.schema" in outcome.err


def test_source_of_a_base_class_is_part_of_the_identity(trusted, monkeypatch):
    (trusted / "child.py").write_text(
        "from dataclasses import dataclass\nimport mine\n"
        "@dataclass(frozen=True)\nclass Child(mine.Shrinking):\n    pass\n"
    )
    monkeypatch.delitem(sys.modules, "child", raising=False)
    config = {"init": {"_target_": "child.Child"}}
    before = identity(validate(config))
    path = trusted / "mine.py"
    path.write_text(path.read_text().replace("Constant(1.0)", "Constant(2.0)"))
    assert identity(validate(config)) != before


def test_budgets_need_coefficients_of_mean_0(kan_run, own):
    path = own / "mine.py"
    path.write_text(path.read_text().replace("coef = Normal(0.0", "coef = Normal(1.0"))
    outcome = kan_run("explain", "--config-dir", str(own), "init=shrinking")
    assert outcome.code == 0, outcome.err
    assert "no budgets: they need coefficients of mean 0 and one law for all edges" in outcome.out
    assert "of the spline" not in outcome.out


@pytest.fixture
def spy(own, spy_mark):
    """The mark of the module that the preset init=foreign names."""
    (own / "init" / "foreign.yaml").write_text("_target_: spy.Scheme\n")
    return spy_mark


def test_code_outside_the_folder_is_not_imported(kan_run, own, spy):
    outcome = kan_run("--config-dir", str(own), "init=foreign")
    assert outcome.code == 2
    assert "spy lies outside the folder of --config-dir; to run its code add allow_code=true" in outcome.err
    assert not spy.exists()
    outcome = kan_run("--config-dir", str(own), "init=foreign", "allow_code=true")
    assert "has no Scheme" in outcome.err
    assert spy.exists()


def test_libraries_do_not_import_from_the_folder(kan_run, own, tmp_path):
    mark = tmp_path / "imported"
    for name in ("hydra_plugins/evil", "an_optional_library", "neighbour"):
        (own / f"{name}.py").parent.mkdir(exist_ok=True)
        (own / f"{name}.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    with use_policy(CodePolicy(own)):
        assert importlib.util.find_spec("hydra_plugins") is None
        assert importlib.util.find_spec("an_optional_library") is None
    assert kan_run("--config-dir", str(own), "init=shrinking", "--cfg", "job").code == 0
    assert not mark.exists()
    (own / "mine.py").write_text("import neighbour\n" + (own / "mine.py").read_text())
    sys.modules.pop("mine")
    assert kan_run("--config-dir", str(own), "init=shrinking", "--cfg", "job").code == 0
    assert mark.exists(), "a scheme imports modules beside its own"
    sys.modules.pop("neighbour")


def test_allow_code_is_accepted_on_the_command_line_only(kan_run, own, spy):
    (own / "experiment").mkdir()
    (own / "experiment" / "sly.yaml").write_text("init: foreign\nallow_code: true\n")
    outcome = kan_run("--config-dir", str(own), "experiment=sly")
    assert outcome.code == 2
    assert not spy.exists()
    (own / "init" / "foreign.yaml").write_text("_target_: spy.Scheme\nallow_code: true\n")
    assert kan_run("--config-dir", str(own), "init=foreign").code == 2
    assert not spy.exists()
    outcome = kan_run("allow_code=maybe")
    assert outcome.code == 2
    assert "allow_code=maybe: allowed: true or false" in outcome.err


def test_allow_code_applies_to_the_jobs_of_a_sweep_and_ends_with_the_command(kan_run, own, monkeypatch):
    monkeypatch.syspath_prepend(str(own))
    config = {"init": {"_target_": "mine.Shrinking"}}
    outcome = kan_run("-m", "allow_code=true", "--config-dir", str(own), "init=shrinking", "seed=1,2", "figures=none")
    assert outcome.code == 0, outcome.err
    with pytest.raises(ConfigError, match="not kancli's own code; give --config-dir DIR, where it lies"):
        validate(config)


@pytest.mark.parametrize("verb", ["check", "draw", "rerun"])
def test_code_named_by_a_record_does_not_run(kan_run, own, spy, verb):
    run = kan_run("init=default")
    record = run.folder / "run.json"
    record.write_text(re.sub(r'"init": \{[^}]*\}', '"init": {"_target_": "spy.Scheme"}', record.read_text()))
    for options in ([], ["--config-dir", str(own)]):
        kan_run(verb, str(run.folder), *options)
        assert not spy.exists()
