"""A scheme of a user's own beside the presets: the README's, run as it stands there; and what can go wrong."""

import json
import re
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from kancli.config import validate
from kancli.errors import ConfigError
from kancli.identity import identity

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.fixture
def own(tmp_path, monkeypatch):
    """DIR as the README has it."""
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
    assert "init mine.Shrinking (spread=3)" in " ".join(outcome.out.split())


def test_it_sweeps_and_explains_like_the_others(kan_run, own):
    outcome = kan_run("-m", "--config-dir", str(own), "init=shrinking,default", "seed=1,2", "figures=none")
    assert outcome.code == 0, outcome.err
    assert "4 of 4 runs complete" in outcome.out
    outcome = kan_run("explain", "--config-dir", str(own), "init=shrinking", "width=4-1")
    assert outcome.code == 0, outcome.err
    assert "N(0, 0.05)" in outcome.out


def test_its_source_is_part_of_the_identity(own, monkeypatch):
    monkeypatch.syspath_prepend(str(own))
    config = {"init": {"_target_": "mine.Shrinking"}}
    before = identity(validate(config))
    assert before == identity(validate({"init": {"_target_": "mine.Shrinking", "spread": 1}}))
    path = own / "mine.py"
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
    ("mine.Other", "mine has no Other"),
    ("Shrinking", "allowed: MODULE.CLASS"),
    ("os.system", "not a scheme"),
    ("kancli.inits.Scheme", "not a scheme"),
    ("broken.Scheme", "broken cannot be imported: ValueError: on purpose"),
    ("partial.Partial", "no method laws"),
]


@pytest.mark.parametrize(("target", "message"), TARGETS)
def test_a_name_that_leads_to_no_scheme(own, monkeypatch, target, message):
    monkeypatch.syspath_prepend(str(own))
    (own / "broken.py").write_text("raise ValueError('on purpose')\n")
    (own / "partial.py").write_text(
        "from dataclasses import dataclass\nfrom kancli.inits import Scheme\n"
        "@dataclass(frozen=True)\nclass Partial(Scheme):\n    pass\n"
    )
    with pytest.raises(ConfigError, match=re.escape(f"init._target_={target}: ")) as raised:
        validate({"init": {"_target_": target}})
    assert message in str(raised.value)


def test_a_scheme_without_a_law_for_each_tensor(kan_run, own):
    path = own / "mine.py"
    path.write_text(path.read_text().replace('"scale_sp": Constant(1.0), ', ""))
    outcome = kan_run("--config-dir", str(own), "init=shrinking")
    assert outcome.code == 2
    assert "Shrinking.laws gives coef, scale_base; allowed: a law for each of coef, scale_base, scale_sp" in outcome.err
    (run,) = outcome.cwd.glob("outputs/*/*/run.json")
    assert json.loads(run.read_text())["status"] == "failed"
