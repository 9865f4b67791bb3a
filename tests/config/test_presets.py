"""Every YAML file under configs/ is found, described, composed and run."""

from pathlib import Path

import pytest
import torch

import kancli
from kancli.config.compose import compose
from kancli.config.presets import Presets, builtin_folder
from kancli.errors import ConfigError

FILES = sorted(path.relative_to(builtin_folder()) for path in builtin_folder().rglob("*.yaml"))
GROUPS = ("width", "grid", "k", "init", "model", "inputs", "figures", "stats", "task", "train", "experiment")


def test_every_file_is_a_preset():
    """A file with another ending would be neither offered nor tested."""
    files = {path.relative_to(builtin_folder()) for path in builtin_folder().rglob("*") if path.is_file()}
    assert files == set(FILES)


def test_groups_are_the_folders(presets):
    assert tuple(presets.groups()) == GROUPS
    assert {path.parts[0] for path in FILES} == {*GROUPS, "config.yaml"}


@pytest.mark.parametrize("group", [group for group in GROUPS if group not in ("stats", "model")])
def test_a_group_has_at_least_three_presets(presets, group):
    assert len(presets.options(group)) >= 3


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_file_says_what_it_is_for(presets, path):
    group = path.parts[0] if len(path.parts) > 1 else ""
    comment = presets.load(group, path.stem).comment
    assert comment.endswith((".", "?"))
    assert len(comment) > 15


# One of a group; all together they take half a minute.
QUICK = ("width/default", "grid/coarse", "init/linear", "inputs/file", "task/f2", "experiment/off_grid")

NEEDED = {
    "inputs/file": ["inputs.path=x.csv"],
    "inputs/task": ["task=f1", "train=none"],
    "model/checkpoint": ["model.path=model.pt"],
    "task/expression": ["task.formula=x"],
    "task/data": ["task.path=x.csv"],
}


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=() if str(path.with_suffix("")) in QUICK else pytest.mark.slow)
        for path in FILES
        if len(path.parts) > 1
    ],
    ids=str,
)
def test_a_preset_runs(kan_run, presets, path):
    group, option = path.parts[0], path.stem
    argv = [f"{group}={option}", "dtype=float64"]
    if group not in ("figures", "experiment", "width"):
        argv.append("figures=none")
    if option == "propagation":
        argv += ["n_seeds=2", "inputs.n=50", "stats.ntk.n=8"]  # of 20, 200 and 64
    argv += NEEDED.get(f"{group}/{option}", [])
    if option.startswith("study_"):
        argv += ["init=baseline,glorot", "seed=0", "train.steps=2"]
        argv += ["task=poisson"] if option == "study_pde" else ["task=f1", "task.n=20", "task.test_n=5"]
    if group == "task":
        argv += ["width=in-2-out" if option != "none" else "width=default", "train=none"]
    if group == "train" and option != "none":
        argv += ["task=f1", "width=in-2-out", "task.n=20", "task.test_n=5", "train.steps=2"]
    Path("x.csv").write_text("1,2\n3,4\n")
    torch.save(kancli.KAN([2, 1], dtype="float64").state_dict(), "model.pt")
    sweeping = "sweeper" in str(presets.load(group, option).body)
    if sweeping:
        argv = ["-m", *argv, "figures=none"]
    outcome = kan_run(*argv)
    assert outcome.code == 0, outcome.err
    if not sweeping:
        assert outcome.json("run.json")["status"] == "complete"


def test_presets_are_found_from_anywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert "linear" in Presets([builtin_folder()]).options("init")


@pytest.mark.parametrize("number", ["010", "-010", "1:30", "1:30.5", "0x10", "0b11"])
def test_numbers_of_yaml_1_1_are_refused(tmp_path, number):
    (tmp_path / "experiment").mkdir()
    file = tmp_path / "experiment" / "mine.yaml"
    file.write_text(f"# mine\nwidth: [2, {number}, 1]\n")
    with pytest.raises(ConfigError, match=f"mine.yaml: line 2: {number}: YAML would read"):
        compose(["experiment=mine"], Presets([builtin_folder(), tmp_path]))
    file.write_text(f"figures.title: '{number}'  # a comment of {number}\nseed: 0\n")
    assert compose(["experiment=mine"], Presets([builtin_folder(), tmp_path])).settings.figures.title == number


def deep(folder, nodes):
    (folder / "experiment").mkdir(exist_ok=True)
    (folder / "experiment/deep.yaml").write_text(f"width: [{','.join(['2'] * nodes)}]\n")
    return Presets([builtin_folder(), folder])


@pytest.mark.slow
def test_the_width_of_a_file_is_bounded(tmp_path):
    assert len(compose(["experiment=deep"], deep(tmp_path, 10_000)).settings.width) == 10_000
    with pytest.raises(ConfigError, match=r"allowed: list of 2 to 10000, such as .*; given: 10001"):
        _ = compose(["experiment=deep"], deep(tmp_path, 10_001)).settings
    with pytest.raises(ConfigError, match=r"deep\.yaml: has more than 32 KiB"):
        compose(["experiment=deep"], deep(tmp_path, 100_000))


def test_the_nodes_of_a_file_are_bounded(tmp_path):
    (tmp_path / "width").mkdir()
    (tmp_path / "width/huge.yaml").write_text("# @package _global_\nwidth: [2, 100000000, 1]\n")
    with pytest.raises(ConfigError, match="entry 1 is 100000000, allowed: integer"):
        _ = compose(["width=huge"], Presets([builtin_folder(), tmp_path])).settings
