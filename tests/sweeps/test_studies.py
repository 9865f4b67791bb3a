"""The studies: which networks they train at either size."""

import functools

import pytest

from kancli.cli.dispatch import main
from kancli.config.compose import compose
from kancli.config.models import KANModel
from kancli.config.overrides import parse_and_resolve
from kancli.config.presets import Presets, builtin_folder
from kancli.errors import ConfigError
from kancli.sweeps.jobs import expand
from kancli.sweeps.product import product_of

TEN_SEEDS = [str(seed) for seed in range(10)]
PUBLISHED = ["study.size=full", "study.published=true"]
SCHEMES = {"default", "pykan_0_0_5", "pykan_0_2_8", "efficient_kan", "baseline", "lecun", "lecun_norm", "glorot",
           "glorot_paper", "glorot_fine", "kat", "power_law"}  # fmt: skip


@functools.cache
def swept(study, *words):
    """The values of each swept key."""
    presets = Presets([builtin_folder()])
    resolved = parse_and_resolve([f"experiment=study_{study}", *words], presets, sweeping=True)
    return product_of(resolved, presets).swept


@functools.cache
def jobs(study, *words):
    """The settings of the jobs of seed 0, or of other seeds that are named; none of them is composed by Hydra."""
    presets = Presets([builtin_folder()])
    resolved = parse_and_resolve([f"experiment=study_{study}", "seed=0", *words], presets, sweeping=True)
    return [job.settings for job in expand(product_of(resolved, presets), presets, None).jobs]


def test_small_feynman_has_the_sound_functions_eight_schemes_two_pairs_of_the_power_law_and_an_mlp():
    every = jobs("feynman")
    found = [job for job in every if isinstance(job.model, KANModel)]
    assert len(found) == 15 * (7 + 2)
    assert len(every) - len(found) == 15
    assert not any(job.task.singular for job in found)
    assert len({job.task.name for job in found}) == 15
    assert {job.width for job in found} == {(2, 8, 8, 1), (3, 8, 8, 1)}
    assert {(job.grid.size, job.k, job.n_seeds, job.training.steps, job.training.lr) for job in found} == {
        (5, 3, 1, 2000, 1e-3)
    }
    pairs = {(job.init.alpha, job.init.beta) for job in found if hasattr(job.init, "alpha")}
    assert pairs == {(0.25, 1.75), (0.75, 1.75)}
    assert len(jobs("functions")) == 5 * (7 + 4 + 1)
    assert swept("feynman")["seed"] == swept("functions")["seed"] == TEN_SEEDS
    assert all(job.study.rank and job.study.search == "power_law" for job in found)


def test_published_feynman_has_the_settings_of_the_published_numbers():
    found = jobs("feynman", *PUBLISHED)
    assert len(found) == 6 * 3
    assert swept("feynman", *PUBLISHED)["seed"] == TEN_SEEDS[:5]
    assert {job.task.name for job in found} == {"I.12.11", "I.26.2", "I.40.1", "I.50.26", "II.2.42", "III.10.19"}
    assert {type(job.init).__name__ for job in found} == {"Baseline", "Glorot", "PowerLaw"}
    assert {(job.init.alpha, job.init.beta) for job in found if hasattr(job.init, "alpha")} == {(0.25, 1.75)}
    (kind,) = {(job.width, job.grid.size, job.training.steps, job.task.n_train, job.dtype) for job in found}
    assert kind == ((2, 32, 32, 32, 1), 20, 2000, 4000, "float32")


def test_full_sizes_are_those_of_the_paper():
    functions, feynman, pde = (swept(study, PUBLISHED[0]) for study in ("functions", "feynman", "pde"))
    hidden = {tuple(width.split("-")[1:-1]) for width in functions["width"]}
    assert hidden == {(str(nodes),) * depth for nodes in (2, 4, 8, 16, 32, 64) for depth in (1, 2, 3, 4)}
    assert len(functions["width"]) * len(functions["grid"]) == 96
    assert (pde["width"], pde["grid"]) == (functions["width"], ["5", "10", "20"])  # 72
    assert len(feynman["task"]) == 20
    assert feynman["alpha"] == feynman["beta"] == ["0", "0.25", "0.5", "0.75", "1", "1.25", "1.5", "1.75", "2"]
    assert set(functions["init"]) == set(feynman["init"]) == set(pde["init"]) == SCHEMES
    assert [len(study["seed"]) for study in (functions, feynman, pde)] == [5, 5, 5]


def test_published_sweeps_of_functions_and_equations():
    functions, pde = swept("functions", *PUBLISHED), swept("pde", *PUBLISHED)
    assert (functions["task"], functions["init"]) == (["f1", "f2", "f3"], ["baseline", "glorot"])
    assert len(functions["width"]) * len(functions["grid"]) == 96
    n_jobs = 1
    for values in pde.values():
        n_jobs *= len(values)
    assert n_jobs == 4320  # the rows of the published study, the power law left out
    assert "lecun_norm" in pde["init"]
    one = jobs("pde", *PUBLISHED, "task=burgers", "init=glorot", "seed=0", "width=in-2-out", "grid=5")
    assert [job.task.rba for job in one] == ["published"]
    rba = {job.task.name: job.task.rba for job in jobs("pde")}
    assert rba == {"allen_cahn": "detached", "burgers": "detached", "helmholtz": "detached", "poisson": "none"}


def test_knots_grow_and_at_full_size_move():
    small, full = jobs("knots"), jobs("knots", PUBLISHED[0])
    assert (len(small), len(full)) == (9 * (8 + 1), 9 * 11)
    assert swept("knots")["seed"] == swept("knots", PUBLISHED[0])["seed"] == TEN_SEEDS
    shared = {(job.width[1:-1], job.grid.size, job.train.refine, job.training.steps, job.training.lr)
              for job in (*small, *full)}  # fmt: skip
    assert shared == {((10,), 3, "500:6,1000:9,1500:12", 2000, 0.01)}
    assert {(job.grid.adapt, job.train.adapt_every) for job in small} == {("none", None)}
    assert {(job.grid.adapt, job.grid.eps, job.train.adapt_every) for job in full} == {("samples", 0, 500)}


def test_any_part_of_a_study_can_be_changed():
    found = jobs("feynman", "seed=range(3)", "train.steps=500", "init=baseline,glorot", "task=f1,feynman_I.12.11")
    assert len(found) == 2 * (2 + 1) * 3
    assert {job.training.steps for job in found} == {500}
    pairs = jobs("feynman", "model=kan", "init=power_law", "alpha=0.5", "task=f1", "seed=0")
    assert [(job.init.alpha, job.init.beta) for job in pairs] == [(0.5, 1.75)]


def test_a_study_without_m_says_what_to_type_and_a_job_of_it_runs_alone(kan_run, presets):
    outcome = kan_run("experiment=study_feynman")
    assert outcome.code == 2
    assert outcome.err.endswith("this experiment is a sweep over task, init, model, seed; add -m\n")
    job = ["experiment=study_feynman", "model=kan", "task=feynman_I.12.11", "init=glorot", "seed=3"]
    alone = kan_run(*job, "train.steps=2", "task.n=20", "figures=none")
    assert alone.code == 0, alone.err
    for words, message in [
        ([*job, "study.size=big"], "study.size=big: allowed: one of small, full"),
        (["-m", *job, "study.size=small,full"], "study.size=small,full: is the same for the whole sweep"),
    ]:
        assert message in kan_run(*words).err


def test_sizes_of_an_experiment_of_ones_own(tmp_path):
    (tmp_path / "experiment").mkdir()
    file = tmp_path / "experiment/mine.yaml"
    file.write_text(
        "# Mine.\nwidth: in-2-out\ntask: f1\nsizes:\n  full:\n    width: in-7-out\n  published: {seed: 4}\n"
    )
    presets = Presets([builtin_folder(), tmp_path])

    def settings(*words):
        return compose(["experiment=mine", *words], presets).settings

    assert settings().width == (2, 2, 1)
    assert settings("study.published=true").seed == 0
    assert settings("study.size=full").width == (2, 7, 1)
    assert settings("study.size=full", "width=in-3-out").width == (2, 3, 1)
    assert settings(*PUBLISHED).seed == 4
    file.write_text(file.read_text() + "study: {size: full}\n")
    assert Presets([builtin_folder(), tmp_path]).load("experiment", "mine").body["study"] == {"size": "full"}
    presets = Presets([builtin_folder(), tmp_path])
    assert settings().width == (2, 7, 1)
    file.write_text("# Mine.\nsizes: 3\n")
    presets = Presets([builtin_folder(), tmp_path])
    with pytest.raises(ConfigError, match="sizes: allowed: small:, full: and published:"):
        settings()


@pytest.mark.slow
def test_a_study_ends_with_its_ranking_and_so_does_its_resume(kan_run, tmp_path):
    words = ["experiment=study_feynman", "task=feynman_I.12.11,feynman_II.2.42", "seed=range(2)", "train.steps=5",
             "task.n=60", "task.test_n=30", "width=in-2-out", "init=baseline,glorot,power_law", "study.published=true",
             "hydra.sweep.dir=study", "sweep.workers=0"]  # fmt: skip
    done = kan_run("-m", *words)
    assert done.code == 0, done.err
    folder = tmp_path / "study"
    names = ("ranking.csv", "ranking.json", "medians.csv", "figures/ranking.png")
    assert done.out.splitlines()[-4:] == [f"study/{name}" for name in names]
    written = {name: (folder / name).read_bytes() for name in names}
    for name in names:
        (folder / name).unlink()
    assert main(["resume", "study"]) == 0
    assert {name: (folder / name).read_bytes() for name in names} == written
    assert kan_run("rank", "study").code == 0, "rank takes the study's search and published numbers from its plan"
    assert {name: (folder / name).read_bytes() for name in names} == written
    assert "no ranking: rank: all runs have init=glorot" in kan_run("-m", *words[:7], "init=glorot").err


def test_typed_values_take_the_place_of_an_experiments(presets):
    found = swept("feynman", *PUBLISHED, "seed=range(9)", "seed=range(3)", "task=f1")
    assert found == {"init": ["baseline", "glorot", "power_law"], "seed": ["0", "1", "2"]}
    full = swept("feynman", PUBLISHED[0], "seed=range(50)", "init=glorot", "alpha=1", "beta=1")  # 20 × 50 jobs
    assert [len(values) for values in full.values()] == [20, 50]
