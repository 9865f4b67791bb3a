"""The estimate of a run's memory, and the free memory that it is compared with."""

import pytest

from kancli.config import memory
from kancli.config.compose import compose
from kancli.config.validation import run_size


@pytest.fixture
def groups(tmp_path):
    """A nested control group whose outer one is the tighter, in the layout of a version."""

    def make(version):
        mount, names, line = {
            1: ("memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"), "4:memory:/a/b"),
            2: ("", ("memory.max", "memory.current", "inactive_file"), "0::/a/b"),
        }[version]
        for folder, limit, usage in (("a", 1000, 700), ("a/b", "max" if version == 2 else 9000, 500)):
            group = tmp_path / "cgroup" / mount / folder
            group.mkdir(parents=True, exist_ok=True)
            (group / names[0]).write_text(f"{limit}\n")
            (group / names[1]).write_text(f"{usage}\n")
            (group / "memory.stat").write_text(f"{names[2]} 50\n")
        (tmp_path / "own").write_text(f"1:cpu:/\n{line}\n")
        return tmp_path / "cgroup", tmp_path / "own"

    return make


@pytest.mark.parametrize(("version", "left"), [(1, [8550, 350]), (2, [350])])
def test_nested_control_groups_limit_the_free_memory(groups, version, left):
    assert list(memory._control_groups(*groups(version))) == left


def test_a_figure_too_large_for_memory_is_refused_with_its_pixels(kan_run, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 2**33)
    answer = kan_run("figures.scale=10", "figures.dpi=1200", "stats=none")
    assert answer.code == 2
    assert answer.err.startswith("kan-run: figures.scale=10 figures.dpi=1200: 6.5e+09 pixels need 24.1 GiB")
    assert list(tmp_path.iterdir()) == []


def test_a_fit_at_the_knots_beyond_the_free_memory_is_refused(kan_run, tmp_path, monkeypatch):
    """The matrix of 100,003 bases at 100,001 knots has 80 GB; its fit holds some copies."""
    monkeypatch.setattr(memory, "available", lambda: 2**34)
    answer = kan_run("grid=100000", "init=efficient_kan", "figures=none")
    assert answer.code == 2
    assert answer.err.startswith("kan-run: grid=100000: the fit to noise at the knots needs 522 GiB")
    assert list(tmp_path.iterdir()) == []


def test_samples_beyond_the_free_memory_are_refused(kan_run, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 900_000_000)
    answer = kan_run("inputs.n=3000000", "figures=none")
    assert answer.code == 2
    assert "inputs.n=3000000" in answer.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("train.refine=1:20000", "task.n=20"),
        ("task.n=1000000", "train.adapt_every=10"),
        ("task.n=1000000", "train.lamb=1"),
        ("width=in-2000-2000-out", "train.optimizer=lbfgs"),
    ],
)
def test_a_training_beyond_the_free_memory_is_refused(kan_run, tmp_path, monkeypatch, words):
    monkeypatch.setattr(memory, "available", lambda: 2_000_000_000)
    answer = kan_run("task=f2", *words, "figures=none", "activations.n=0", "stats=none")
    assert answer.code == 2
    assert "training needs" in answer.err
    assert list(tmp_path.iterdir()) == []


def test_a_batch_needs_the_memory_of_its_own_samples(presets):
    """By automatic differentiation; measured: 278 MB for 20,000 samples of [2, 16, 16, 1]."""
    words = ["task=f2", "width=2-16-16-1", "train.adapt_every=1", "task.n=20000", "figures=none"]
    whole = run_size(compose(words, presets).settings).training
    batch = run_size(compose([*words, "train.batch=2000"], presets).settings).training
    assert whole == pytest.approx(278e6, rel=0.25)
    assert batch == pytest.approx(whole / 10, rel=0.1)
