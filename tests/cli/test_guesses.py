"""Words that a newcomer guesses, each answered with what kan-run calls it."""

import pytest

from kancli.cli.verbs import VERBS
from kancli.config.catalogue import HYDRA_FOLDERS, TOP_LEVEL, catalogue
from kancli.schema import Choice
from kancli.synonyms import SYNONYMS, suggest

GUESSES = [
    (["device=gpu"], "did you mean cuda?"),
    (["activation=relu"], "did you mean base_fun?"),
    (["bases=fourier"], "B-splines"),
    (["xavier"], "did you mean init=glorot?"),
    (["init=xavier"], "did you mean glorot?"),
    (["output=here"], "did you mean hydra.run.dir?"),
    (["-o", "here"], "type hydra.run.dir=here"),
    (["--output-dir", "here"], "type hydra.run.dir=here"),
    (["--init", "linear"], "type init=linear"),
    (["--seed=3"], "type seed=3"),
    (["--config", "my.yaml"], "--config-dir DIR experiment=my"),
    (["config.yaml"], "--config-dir DIR experiment=config"),
    (["model.width=[2,5,1]"], "did you mean width?"),
    (["n_samples=100"], "did you mean inputs.n?"),
    (["lr=0.1"], "did you mean train.lr?"),
    (["epochs=3"], "did you mean train.steps?"),
    (["loss=l1"], "mean squared error"),
    (["task=f1", "width=in-out", "train.refine=5:3"], "each grid finer than the one before, first 5"),
    (["task=f1", "width=in-out", "train.lr=1e300"], "allowed: finite number, > 0 and <= 1e+06"),
    (["dtype=double"], "did you mean float64?"),
    (["plot"], "did you mean draw?"),
    (["linear"], "did you mean init=linear?"),
    (["lineer"], "did you mean init=linear?"),
    (["cubic"], "did you mean k=cubic?"),
    (["run"], "kan-run init=linear"),
    (["outputs=here"], "did you mean hydra.run.dir?"),
    (["drwa", "latest"], "did you mean draw?"),
    (["init"], "kan-run help init"),
    (["latest~1"], "kan-run open latest~1"),
    (["version"], "kan-run --version"),
    (["train", "width=2-5-1"], "kan-run task=f2"),
    (["dataset=data.csv"], "did you mean task?"),
    (["function=f2"], "did you mean task?"),
    (["trained_state"], "type model=trained_state"),
    (["model=my (1).pt"], "the word: \"model='my (1).pt'\""),
    (["pde=burgers"], "did you mean task?"),
    (["task=f7"], "allowed: allen_cahn, "),
    (["task=burger"], "did you mean burgers?"),
    (["task=none", "task.n=5"], "belongs to task.kind=function or feynman"),
    (["width=in-5-out"], "add one, such as task=f2"),
    (["task=cone", "width=3-5-1"], "has 2 inputs and 1 output; type width=in-5-out"),
    (["task=exp(x0"], "the bracket at character 4 is not closed"),
    (["inputs=task"], "there is no task; add one"),
    (["task=runge", "width=in-5-out", "inputs.n=5000"], "has 4000 training samples; give fewer"),
    (["noise=0.3"], "did you mean noise_scale?"),
    (["--sweep"], "kan-run -m"),
    (["--fast"], "kan-run help options"),
    (["-m", "seed=1,2", "hydra/launcher=nope"], "hydra/launcher=nope: not installed; kancli knows joblib, "),
    (["-m", "seed=1,2", "hydra/sweeper=nope"], "hydra/sweeper=nope: not installed; kancli knows optuna and basic"),
]


@pytest.mark.parametrize(("words", "part"), GUESSES, ids=[" ".join(words) for words, _ in GUESSES])
def test_answer_to_a_guess(kan_run, tmp_path, words, part):
    outcome = kan_run(*words)
    assert outcome.code == 2
    assert part in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_every_synonym_means_something(presets):
    """A key that is renamed takes its synonyms along."""
    legal = {*TOP_LEVEL, *HYDRA_FOLDERS, *VERBS}
    for key in catalogue():
        legal |= {key.path, *(key.kind.options if isinstance(key.kind, Choice) else ())}
    for group in presets.groups():
        legal |= {group, *presets.options(group)}
    assert {meaning for meanings in SYNONYMS.values() for meaning in meanings} <= legal


def test_a_meaning_is_suggested_only_where_it_is_legal():
    assert suggest("gpu", ["cpu", "cuda"]) == "cuda"
    assert suggest("gpu", ["cpu"]) == "cpu"
    assert suggest("xavier", ["normal", "uniform"]) is None
    assert suggest("x" * 10_000, ["x"]) is None
