"""The help of kan-run and of each verb, held against golden files."""

import pytest

from kancli.cli.arguments import WIDTH
from kancli.cli.chapters import chapter, chapters
from kancli.cli.verbs import VERBS
from kancli.config.catalogue import TOP_LEVEL, catalogue


def test_help_is_the_golden_file(kan_run, check_golden):
    outcome = kan_run("--help")
    assert outcome.code == 0
    check_golden("help.txt", outcome.out)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_is_the_golden_file(kan_run, check_golden, verb):
    outcome = kan_run(verb, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith(f"usage: kan-run {verb} ")
    assert max(map(len, outcome.out.splitlines())) <= WIDTH
    check_golden(f"help_{verb}.txt", outcome.out)


@pytest.mark.parametrize(
    "words", [["check", "-h"], ["-h", "check"], ["check", "x", "--jobs", "2", "--help"]], ids=" ".join
)
def test_help_option_may_stand_anywhere(kan_run, words):
    assert kan_run(*words).out == kan_run("check", "--help").out


def test_help_of_a_verb_does_not_depend_on_the_terminal(kan_run, monkeypatch):
    text = kan_run("rerun", "--help").out
    monkeypatch.setenv("COLUMNS", "40")
    assert kan_run("rerun", "--help").out == text


def test_help_names_every_verb_group_preset_and_key(kan_run, presets):
    text = kan_run("--help").out
    for name, verb in VERBS.items():
        line = next(line for line in text.splitlines() if line.startswith(f"  {name} "))
        assert line.endswith(f"  {verb.summary}")
    for group in presets.groups():
        assert f"\n{group.upper()}  [" in text
        assert all(f"\n  {option} " in text for option in presets.options(group))
    assert all(f"\n  {key.path} " in text or f"\n  {key.path}\n" in text for key in catalogue())
    assert set(TOP_LEVEL) <= {key.path.split(".")[0] for key in catalogue()} | set(presets.groups())


def test_one_screen_of_help(kan_run, presets):
    text = kan_run("-h").out
    assert len(text.splitlines()) <= 40
    assert text.count("\n  kan-run ") == 5
    assert all(f"\n  {verb} " in text for verb in VERBS)
    assert text == kan_run("help").out
    names = " ".join(text.split("prints all")[1].split()).split()
    assert names == chapters(presets)


def test_the_chapters_are_the_whole_help(kan_run, presets):
    text = kan_run("--help").out
    assert text == kan_run("help", "all").out
    assert text.endswith("\n\n".join(chapter(name, presets) for name in chapters(presets)) + "\n")


@pytest.mark.parametrize("verb", VERBS)
def test_help_verb_is_the_help_of_the_verb(kan_run, verb):
    assert kan_run("help", verb).out == kan_run(verb, "-h").out


@pytest.mark.parametrize(
    ("topic", "line"),
    [
        ("init", "  glorot "),
        ("init", "  noise_scale "),
        ("width", "  deep "),
        ("run", "  seed "),
        ("sweep", "  sweep.workers "),
        ("verdicts", "  verdicts.rough "),
        ("exits", "  4 drift in check"),
        ("files", "  params.safetensors "),
    ],
)
def test_help_of_a_chapter(kan_run, topic, line):
    outcome = kan_run("help", topic)
    assert outcome.code == 0
    assert f"\n{line}" in outcome.out


def test_help_of_no_chapter(kan_run):
    outcome = kan_run("help", "inits")
    assert outcome.code == 2
    assert "did you mean init?" in outcome.err


def test_help_fits_its_width(kan_run):
    assert max(map(len, kan_run("--help").out.splitlines())) <= WIDTH
