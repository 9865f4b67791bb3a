"""The group task on the command line and in files: names, formulas, and the sizes and samples that it gives a run."""

import pytest
import torch

from kancli.config import memory
from kancli.config.compose import compose
from kancli.config.grammar import parse
from kancli.config.identity import config_of, identity
from kancli.config.presets import Presets, builtin_folder
from kancli.config.validation import validate
from kancli.errors import ConfigError
from kancli.inputs.samplers import Normal, Uniform
from kancli.runs.build import sample_inputs
from kancli.tasks.catalogue import FEYNMAN, FUNCTIONS
from kancli.tasks.functions import Expression, Feynman, Function
from kancli.tasks.kinds import TrainingSamples
from kancli.tasks.pdes import EQUATIONS, Equation


@pytest.fixture
def settings_of(presets):
    return lambda *words: compose(words, presets).settings


def test_every_function_has_a_preset_with_its_defaults(settings_of):
    for name in FUNCTIONS:
        n = 1000 if name == "hello" else 4000
        assert settings_of(f"task={name}", "width=in-2-out").task == Function(name=name, n=n)
    for name in FEYNMAN:
        assert settings_of(f"task=feynman_{name}", "width=in-2-out").task == Feynman(name=name)


def test_every_equation_has_a_preset(settings_of):
    for name in EQUATIONS:
        rba = "none" if name == "poisson" else "detached"  # pykan's example has no weights
        assert settings_of(f"task={name}").task == Equation(name=name, rba=rba)
    assert settings_of("task=burgers", "task.rba=published").task.data().rba == "published"


def test_a_preset_says_whether_it_is_singular(presets):
    for name, function in FEYNMAN.items():
        comment = presets.load("task", f"feynman_{name}").comment
        assert comment.endswith("singular.") == function.singular
        assert comment.startswith(f"{function.text}; {function.formula.n_in} input")


QUOTED = {
    "task=exp(sin(pi*x0)+x1^2)": "task='exp(sin(pi*x0)+x1^2)'",
    "task=f1,max(x,y),x-y,feynman_I.6.20b": "task=f1,'max(x,y)',x-y,feynman_I.6.20b",
    "task.formula=x^2": "task.formula='x^2'",
    "task='x^2'": "task='x^2'",
    "task=choice(f1,f2)": "task=choice(f1,f2)",
    "task=glob(f*)": "task=glob(f*)",
    "task=f1": "task=f1",
}


@pytest.mark.parametrize("typed", QUOTED)
def test_formulas_need_no_quotes(presets, typed):
    assert parse([typed], presets)[0].input_line == QUOTED[typed]


@pytest.mark.parametrize("formula", ["exp(sin(pi*x0)+x1^2)", "x", "x1", "-x", "x*y", "max(x, y)", "2*x+1"])
def test_a_formula_is_a_task(settings_of, formula):
    settings = settings_of(f"task={formula}", "width=in-4-out", "task.n=7")
    assert settings.task == Expression(formula=formula, n=7)
    assert settings.width[0] == settings.task.n_in


def test_the_words_in_and_out_are_the_sizes_of_the_task(settings_of, tmp_path):
    assert settings_of("task=feynman_I.29.16", "width=in-8-8-out").width == (3, 8, 8, 1)
    assert settings_of("task=runge", "width=[in,3,out]").width == (1, 3, 1)
    assert settings_of("task=cone", "width=in-out").width == (2, 1)
    (tmp_path / "width").mkdir()
    (tmp_path / "width" / "mine.yaml").write_text("# @package _global_\n# Mine.\nwidth: [in, 4, out]\n")
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# Mine.\ntask: sin(x)*z\nwidth: in-6-out\n")
    own = Presets([builtin_folder(), tmp_path])
    assert compose(["task=f1", "width=mine"], own).settings.width == (2, 4, 1)
    assert compose(["experiment=mine"], own).settings.width == (3, 6, 1)
    assert compose(["experiment=mine", "task=chirp"], own).settings.width == (1, 6, 1)


FAULTS = {
    ("width=in-8-out",): "width=in-8-out: in and out are the numbers of inputs and outputs of a task; add one",
    ("task=chirp",): "width=2-5-1: the task chirp: sin(10*pi*x^2) has 1 input and 1 output; type width=in-5-out",
    ("task=f1", "width=2-8-2"): "has 2 inputs and 1 output; type width=in-8-out",
    ("task=f1", "width=1-1"): "type width=in-out",
    ("task=f1", "width=in-0-out"): "entry 1 is 0, allowed: integer",
    ("task=f1", "width=in-x-out"): "width=in-x-out: allowed: bottleneck",
    ("task=sine(x)", "width=in-out"): "no such name",
    ("task=f1", "task.n=0"): "task.n=0: allowed: integer",
    ("task=f1", "task.low=0"): "low belongs to task.kind=expression",
    ("task.kind=function",): "task.name is missing",
    ("task=f1", "task.name=f9"): "task.name=f9: allowed: one of f1, f2",
    ("task=log(x)", "width=in-out"): "is nan at x0=-",
    ("inputs=task",): "inputs=task: there is no task",
    ("task=f1", "inputs.n=4001"): "has 4000 training samples; give fewer",
    ("task=nowhere.csv", "width=in-5-out"): "task.path=nowhere.csv: no such file",
}


@pytest.mark.parametrize("words", FAULTS, ids=" ".join)
def test_mistakes(settings_of, words):
    with pytest.raises(ConfigError) as error:
        settings_of(*words)
    assert len(error.value.faults) == 1
    assert FAULTS[words] in error.value.faults[0]


@pytest.mark.parametrize("key", ["task.n", "task.test_n"])
def test_data_that_do_not_fit_the_memory_are_not_computed(settings_of, monkeypatch, key):
    monkeypatch.setattr(memory, "available", lambda: 2**30)
    with pytest.raises(ConfigError, match=r"^task: its data need 59\.6 GiB, 1 GiB are free; take a smaller task\.n"):
        settings_of("task=x*y", f"{key}=1000000000")


def test_without_a_task_nothing_changes(settings_of):
    assert identity(settings_of("task=none")) == identity(validate({}))
    assert identity(settings_of()) == "12d5adaf0d8b1b7151fcb9fc12f8bee56148441182ebbb7b77fff80bfd3189c4"
    assert settings_of().inputs == Normal()


def test_the_identity_depends_on_the_task(settings_of):
    words = [(), ("task=f1",), ("task=f2",), ("task=f2", "task.seed=1"), ("task=x*y",), ("task=y*x",), ("task=hello",)]
    identities = {identity(settings_of(*given)) for given in words}
    assert len(identities) == len(words)


def test_the_samples_of_the_task_take_the_place_of_the_default_inputs(settings_of):
    settings = settings_of("task=f2", "n_seeds=2")
    assert settings.inputs == TrainingSamples(task=settings.task)
    x = sample_inputs(settings, [0, 1])
    train = settings.task.data().train.x.float()
    assert torch.equal(x[0], train)
    assert torch.equal(x[1], train)
    assert torch.equal(sample_inputs(settings_of("task=f2", "inputs.n=7"), [0])[0], train[:7])
    assert torch.equal(sample_inputs(settings_of("task=f2", "inputs=task", "inputs.n=7"), [0])[0], train[:7])
    assert settings_of("task=f2", "inputs=uniform").inputs == Uniform()
    assert settings_of("task=f2", "inputs.std=2").inputs == Normal(std=2)


def test_a_task_survives_a_round_trip_through_a_config(settings_of):
    settings = settings_of("task=x*z", "width=in-4-out", "task.noise=0.1")
    config = config_of(settings)
    assert config["inputs"] == {"kind": "task", "n": None}
    assert config["width"] == (3, 4, 1)
    assert validate(config) == settings
    assert identity(validate(config)) == identity(settings)
