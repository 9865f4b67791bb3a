"""rerun: a recorded run repeated, as it was or with other values."""

import json

import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as some

from kancli.cli.rerun import overrides_of
from kancli.config.compose import compose
from kancli.config.grammar import literal, parse
from kancli.config.hydra import split_sweep
from kancli.runs import experiment

CASES = [
    [],
    ["init=glorot", "gain=1.5", "width=2-3-1", "grid=7", "inputs=uniform", "inputs.n=50"],
    ["figures.title='a, \"b\" it\\'s'", "figures.in_vars=[x,y]", "verdicts.rough=[3,null]", "stats=full", "n_seeds=2"],
    ["init=linear", "grid.adapt=samples", "grid.range=[-2,1.5]", "dtype=float64", "activations.n=3"],
    ["init=pykan_0_2_8", "sparse_init=true", "stream=source", "stats=none", "inputs=sobol"],
]


@pytest.mark.slow
@pytest.mark.parametrize("typed", CASES, ids=" ".join)
def test_rerun_repeats_the_run(kan_run, typed):
    first = kan_run(*typed, "figures=none")
    again = kan_run("rerun", first.out.splitlines()[-1])
    assert again.code == 0, again.err
    one, other = (outcome.json("run.json") for outcome in (first, again))
    assert other["config"] == one["config"]
    assert other["ladder"] == one["ladder"]
    assert first.folder != again.folder


@pytest.mark.slow
def test_later_edits_of_presets_do_not_change_a_rerun(kan_run, tmp_path):
    (tmp_path / "own/init").mkdir(parents=True)
    preset = tmp_path / "own/init/mine.yaml"
    preset.write_text("scheme: default\nnoise_scale: 0.5\nnoise_scale_base: 0.1\n")
    run = kan_run("--config-dir", "own", "init=mine", "figures=none")
    preset.unlink()
    again = kan_run("rerun", run.out.splitlines()[-1])
    assert again.json("run.json")["ladder"] == run.json("run.json")["ladder"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "equivalent"),
    [
        (["seed=3"], ["init=glorot", "gain=2", "seed=3"]),
        (["gain=1"], ["init=glorot", "gain=1"]),
        pytest.param(["init=linear"], ["init=linear"], marks=pytest.mark.slow),
        pytest.param(["init=lecun", "width=2-2"], ["init=lecun", "width=2-2"], marks=pytest.mark.slow),
        pytest.param(["inputs=sobol"], ["init=glorot", "gain=2", "inputs=sobol"], marks=pytest.mark.slow),
        pytest.param(["grid=9"], ["init=glorot", "gain=2", "grid=9"], marks=pytest.mark.slow),
    ],
)
def test_typed_values_replace_recorded_ones(kan_run, kan_run_once, typed, equivalent):
    folder = kan_run_once("init=glorot", "gain=2", "figures=none").out.splitlines()[-1]
    rerun, direct = kan_run("rerun", folder, *typed), kan_run(*equivalent, "figures=none")
    assert rerun.code == 0, rerun.err
    assert rerun.json("run.json")["config"] == direct.json("run.json")["config"]


@pytest.mark.slow
def test_rerun_sweeps_over_a_record(kan_run, kan_run_once):
    folder = kan_run_once("init=glorot", "figures=none").out.splitlines()[-1]
    assert kan_run("rerun", folder, "-m", "seed=0,1").out.splitlines()[-1].startswith("2 of 2 runs complete")


@pytest.mark.parametrize(
    ("typed", "section", "wanted"),
    [
        ("init=default,lecun", "init", [{"scheme": "default"}, {"scheme": "lecun"}]),
        ("init=glob(le*)", "init", [{"scheme": "lecun"}, {"scheme": "lecun_norm"}]),
        ("grid=coarse,9", "grid", [{"size": 3}, {"size": 9}]),
        ("inputs=uniform,grid", "inputs", [{"kind": "uniform"}, {"kind": "grid"}]),
        ("inputs.n=range(5,1000000,500000)", "inputs", [{"n": 5}, {"n": 500005}]),
    ],
)
def test_several_values_replace_what_is_recorded(kan_run_once, presets, typed, section, wanted):
    folder = kan_run_once("init=glorot", "grid=7", "figures=none").out.splitlines()[-1]
    jobs = split_sweep(parse(overrides_of([folder, typed], presets), presets))
    configs = [compose(job, presets).config[section] for job in jobs]
    assert [{key: config[key] for key in entry} for entry, config in zip(wanted, configs, strict=True)] == wanted


@pytest.mark.parametrize(
    ("argv", "answer"),
    [
        ([], "name the folder of a run"),
        (["seed=1"], "name the folder of a run"),
        (["nowhere"], "no such file"),
        (["RUN", "nois=1"], "nois=1: no such key"),
        (["RUN", "seed=x"], "seed=x: allowed"),
    ],
)
def test_wrong_usage_of_rerun(kan_run, kan_run_once, argv, answer):
    folder = kan_run_once("figures=none").out.splitlines()[-1]
    outcome = kan_run("rerun", *(folder if word == "RUN" else word for word in argv))
    assert outcome.code == 2
    assert answer in outcome.err
    assert len(outcome.err.splitlines()) <= 3


PLAIN = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(some.characters(codec="utf-8", exclude_characters="$", exclude_categories=["C"])),
    lambda inner: some.lists(inner, max_size=4),
    max_leaves=6,
)  # fmt: skip


PARSER = OverridesParser.create()


@given(PLAIN)
def test_literals_of_values_parse_to_the_values(value):
    (parsed,) = PARSER.parse_overrides([f"key={literal(value)}"])

    def plain(parsed_value):
        if isinstance(parsed_value, list):
            return [plain(entry) for entry in parsed_value]
        return getattr(parsed_value, "text", parsed_value)

    assert plain(parsed.value()) == value


@pytest.mark.slow
@pytest.mark.parametrize("words", [["--deterministic"], ["deterministic=true"], ["-m", "--deterministic"]])
def test_deterministic_sets_torchs_flags_while_it_computes(kan_run, tmp_path, monkeypatch, words):
    seen, build_model = [], experiment.build_model

    def spying(settings):
        seen.append(torch.are_deterministic_algorithms_enabled())
        return build_model(settings)

    monkeypatch.setattr(experiment, "build_model", spying)
    place = "hydra.sweep.dir=sweep" if "-m" in words else "hydra.run.dir=sweep/0"
    assert kan_run(*words, place, "stats=full", "figures=none").code == 0
    assert seen == [True]
    assert not torch.are_deterministic_algorithms_enabled()
    record = json.loads((tmp_path / "sweep/0/run.json").read_text())
    assert record["config"]["deterministic"] is True
    plain = kan_run("stats=full", "figures=none").json("run.json")
    assert (record["identity"], record["ladder"]) == (plain["identity"], plain["ladder"])
    assert kan_run("check", "sweep/0").code == 0
    assert seen == [True, False, True]


@pytest.mark.slow
def test_deterministic_makes_an_unrepeatable_operation_an_error(kan_run, monkeypatch):
    build_model = experiment.build_model

    def unrepeatable(settings):
        torch.ones(4).put_(torch.tensor([0, 0]), torch.ones(2))
        return build_model(settings)

    monkeypatch.setattr(experiment, "build_model", unrepeatable)
    assert kan_run("figures=none").code == 0
    answer = kan_run("figures=none", "--deterministic")
    assert answer.code == 1
    assert "deterministic" in answer.err
