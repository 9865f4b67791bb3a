"""Jobs of a sweep: composed as Hydra composes them, and checked before the first one runs."""

import random

import pytest
import yaml
from hydra.types import RunMode

from kancli.config.hydra import create_hydra
from kancli.config.interpolations import plain_config
from kancli.config.overrides import parse_and_resolve
from kancli.sweeps.jobs import expand
from kancli.sweeps.product import product_of
from tests.sweeps.conftest import record

SWEEPS = [
    ["init=default,linear", "noise_scale=0.1,1", "seed=3,4"],
    ["width=2-3-1,deep", "grid=coarse,7", "k=1", "figures=[network]"],
    ["init=glorot,pykan_0_2_8", "inputs=sobol,uniform", "inputs.n=7", "stats=full"],
    ["experiment=reference", "figures=none"],
    ["experiment=noise", "init=default,noisy"],
    ["figures.title=a,'b c'", "verdicts.rough=[3,null]", "++hydra.job.name=x", "base_fun=silu,identity"],
]


@pytest.mark.slow
@pytest.mark.parametrize("typed", SWEEPS, ids=" ".join)
def test_configs_and_records_equal_those_of_hydras_basic_launcher(kan_run, presets, typed):
    """Hydra's basic launcher composes every job whole."""
    words = [*typed, "seed=0"] if not any(word.startswith("seed=") for word in typed) else typed
    for launcher in ("basic", "kancli"):
        done = kan_run("-m", *words, f"hydra.sweep.dir={launcher}", f"hydra/launcher={launcher}", "sweep.workers=0")
        assert done.code == 0, done.err
    basic = sorted(done.cwd.glob("basic/*/run.json"))
    assert len(basic) > 1
    for path in basic:
        theirs, mine = path.parent, done.cwd / "kancli" / path.parent.name
        for name in ("config.yaml", "overrides.yaml"):
            assert yaml.safe_load((mine / ".hydra" / name).read_text()) == yaml.safe_load(
                (theirs / ".hydra" / name).read_text()
            )
        ours, hydras = (
            yaml.safe_load((each / ".hydra/hydra.yaml").read_text().replace("kancli", "basic"))["hydra"]
            for each in (mine, theirs)
        )
        for each in (ours, hydras):
            del each["launcher"], each["runtime"]["config_sources"], each["overrides"]["hydra"]
        assert ours == hydras
        assert record(mine)["identity"] == record(theirs)["identity"]
        assert record(mine)["config"] == record(theirs)["config"]


@pytest.mark.slow
def test_generated_sweeps_compose_as_hydra_composes_them(presets):
    choose = random.Random(1)
    values = {
        "width": ["2-5-1", "[2,2]", "wide"],
        "grid": ["3", "fine"],
        "k": ["1", "cubic"],
        "init": ["linear", "noisy", "default"],
        "noise_scale": ["0.1", "1", "1e-3"],
        "inputs.n": ["5", "7"],
        "seed": ["0", "3", "10"],
        "inputs": ["normal", "uniform"],
        "dtype": ["float32", "float64"],
        "verdicts.off_grid": ["[0.1,0.2]", "[0.3,null]"],
    }
    compared = 0
    for _ in range(12):
        keys = choose.sample(sorted(values), 4)
        typed = [f"{key}={','.join(choose.sample(values[key], 2))}" for key in keys]
        hydra = create_hydra(presets)
        master = hydra.compose_config("config", [*typed], run_mode=RunMode.MULTIRUN)
        for job in choose.sample(
            expand(product_of(parse_and_resolve(typed, presets, sweeping=True), presets), presets, None).jobs, 3
        ):
            theirs = hydra.config_loader.load_sweep_config(master, job.words)
            assert job.config == plain_config(theirs)
            assert list(job.config) == [name for name in theirs if name != "hydra"]
            compared += 1
    assert compared == 36


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["init=default,glorot", "gian=1"], ["gian=1"]),
        (["init=glorot,lecun", "noise_scale=1"], ["noise_scale=1", "init.scheme=glorot"]),
        (["seed=0,-1"], ["seed=-1"]),
        (["seed=0,1", "sweep.workers=1,2"], ["sweep.workers=1,2", "one value"]),
        (["seed=0,1", "sweep.workers=-1"], ["sweep.workers=-1"]),
        (["seed=0,1", "hydra.sweep.subdir=same"], ["hydra.sweep.subdir=same", "would share the folder same"]),
        (["width=[2,9000000,2]", "seed=0,1"], ["GiB are free"]),
    ],
)
def test_one_faulty_job_stops_the_sweep_before_it_starts(kan_run, tmp_path, words, told):
    done = kan_run("-m", *words, "sweep.workers=0") if "sweep.workers" not in " ".join(words) else kan_run("-m", *words)
    assert done.code == 2
    assert all(each in done.err for each in told), done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_experiment_may_sweep_over_the_seed(kan_run, tmp_path):
    (tmp_path / "own/experiment").mkdir(parents=True)
    (tmp_path / "own/experiment/seeds.yaml").write_text("hydra: {sweeper: {params: {seed: 'range(3)', grid: '2,3'}}}")
    done = kan_run("-m", "--config-dir", "own", "experiment=seeds")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1].startswith("6 of 6 runs complete")
    done = kan_run("-m", "--config-dir", "own", "experiment=seeds,reference")
    assert done.code == 2
    assert "is a sweep over seed itself; give it alone" in done.err
