"""Bad input: a clear answer of one to three lines, exit code 2, no traceback, nothing on disk."""

import os
import stat

import pytest

MISTAKES = [
    (["nois_scale=1"], ["nois_scale=1", "noise_scale"]),
    (["init=linaer"], ["init=linaer", "linear"]),
    (["init=2"], ["init=2", "linear"]),
    (["init=null"], ["init=null", "linear"]),
    (["init=off"], ["init=off", "linear"]),
    (["init=linear", "gain=1.5"], ["gain=1.5"]),
    (["width=[2]"], ["width=[2]", "list of 2 to "]),
    (["width=[]"], ["width=[]"]),
    (["width=[2,0,1]"], ["entry 1 is 0"]),
    (["width=[2,-5,1]"], ["entry 1 is -5"]),
    (["width=[2,2.5,1]"], ["entry 1 is 2.5"]),
    (["width=two"], ["width=two", "2-5-1"]),
    (["width=2,5,1"], ["width=2-5-1", "add -m"]),
    (["width=[2,", "5,1]"], ["quote"]),
    (["grid=0"], ["grid=0", "1 to"]),
    (["grid=-1"], ["grid=-1", "1 to"]),
    (["grid=nan"], ["grid=nan"]),
    (["k=-1"], ["k=-1", "0 to 10"]),
    (["k=1000"], ["k=1000", "0 to 10"]),
    (["grid.range=[1,-1]"], ["grid.range=[1,-1]", "low < high"]),
    (["grid.range=[0,0]"], ["grid.range=[0,0]", "low < high"]),
    (["inputs.n=0"], ["inputs.n=0"]),
    (["inputs.n="], ["inputs.n=", "empty"]),
    (["noise_scale=nan"], ["noise_scale=nan", "finite"]),
    (["noise_scale=inf"], ["noise_scale=inf", "finite"]),
    (["noise_scale=-1"], ["noise_scale=-1", ">= 0"]),
    (["noise_scale=big"], ["noise_scale=big", "number"]),
    (["seed=1,2"], ["seed=1,2", "-m"]),
    (["init=linear,noisy"], ["init=linear,noisy", "-m"]),
    (["experiment=reference"], ["init", "add -m"]),
    (["experiment=none_such"], ["experiment=none_such", "reference"]),
    (["linear"], ["linear", "init=linear"]),
    (["inputs=file"], ["inputs.path", ".csv"]),
    (["inputs=missing.csv"], ["missing.csv", "no such file"]),
    (["width=2-100000-100000"], ["GiB"]),
    (["inputs.n=1000000000", "width=50-50"], ["GiB"]),
    (["device=cuda"], ["device=cuda", "device=cpu"]),
    (["--config-dir", "nowhere"], ["nowhere", "no such folder"]),
    (["seed=${nothing}"], ["nothing"]),
    (["~seed.nothing"], ["seed.nothing"]),
    (["hydra.run.dir=/proc/kancli"], ["/proc", "hydra.run.dir"]),
    (["hydra.nonsense=1"], ["hydra.nonsense"]),
    (["-m", "seed=1,2", "k=-1"], ["k=-1"]),
    (["-m", "noise_scale=interval(0,1)"], ["noise_scale=interval(0,1)"]),
    (["-sc", "nonsense"], ["install"]),
    (["-m", "--cfg", "job", "seed=1,2"], ["leave -m out"]),
    (["-m", "seed=range(0)"], ["a sweep over nothing"]),
    (["-m", "experiment=off_grid,noise"], ["experiment=noise", "noise_scale"]),
    (["~init"], ["~init", "give it a value"]),
    (["grid.range=[-1e300,1e300]"], ["outside the range of float32"]),
    (["grid.range=[0,1e-300]"], ["outside the range of float32"]),
    (["width=2-20000-20000", "grid=1", "k=0"], ["GiB"]),
    (["explain", "init=gloro"], ["did you mean glorot?"]),
    (["hydra.run.dir=${nope}"], ["nope"]),
    (["-m", "noise_scale=1,${nope}"], ["nope"]),
    (["-m", "device=cpu,cuda"], ["device=cuda"]),
    (["-init=linear"], ["-init=linear"]),
    (["inputs=grid", "width=40-1"], ["inputs.n=100"]),
    (["-m", "seed=range(1e9)"], ["seed=range(1e9)", "more than 100000 jobs"]),
    (["-m", "seed=range(1000)", "k=1,2", "grid=range(1,200)"], ["grid=range(1,200)", "more than 100000 jobs"]),
    (["-m", "seed=range(0,1,0)"], ["seed=range(0,1,0)", "STEP other than 0"]),
    (["-m", "seed=shuffle(range(1e300))"], ["more than 100000 jobs"]),
    (["-m", "seed=range(0,inf)"], ["seed=range(0,inf)"]),
    (["seed=" + 10_000 * "1"], ["seed=111", "10005 characters"]),
    (["seed=" + 5000 * "1"], ["seed=111", "1000 digits"]),
    (["noise_scale=0." + 5000 * "1"], ["noise_scale=0.1", "1000 digits"]),
    (["width=[" + 50_000 * "5," + "1]"], ["width=[5,5", "characters"]),
    (["width=" + 2000 * "[" + 2000 * "]"], ["width=[[", "brackets 2000 deep"]),
    (["hydra.run.dir=a\0b"], ["hydra.run.dir=a b", "NUL"]),
    (["init=" + 5000 * "x"], ["init=xxx"]),
    ([5000 * "x"], ["xxx", "neither a verb"]),
    (["noise_scale=1e39"], ["noise_scale=1e+39", "outside the range of float32"]),
    (["noise_scale=1e308", "dtype=float64", "grid=1"], ["noise_scale=1e+308", "outside the range of float64"]),
    (["init=glorot", "gain=1e40"], ["gain=1e+40", "outside the range of float32"]),
    (["inputs.std=1e39"], ["inputs.std=1e+39", "beyond the numbers of float32"]),
    (["-m", "noise_scale=1,1e39"], ["noise_scale=1e+39", "outside the range of float32"]),
    (["objective=nope"], ["objective=nope", "no statistic"]),
    (["-m", "seed=1,2", "hydra/sweeper=basic", "objective=nope"], ["objective=nope", "no statistic"]),
    (["hydra.run.dir="], ["hydra.run.dir=", "current folder"]),
    (["hydra.run.dir=./"], ["hydra.run.dir=./", "current folder"]),
    (["hydra.run.dir=null"], ["hydra.run.dir=null", "current folder"]),
    (["-m", "seed=1,2", "hydra.sweep.dir=."], ["hydra.sweep.dir=.", "current folder"]),
    (["-m", '+hydra.sweeper.params.seed="1,2"'], ["hydra.sweeper.params.seed", "type seed=1,2"]),
    (["-m", "hydra.sweeper.params={seed:5}"], ["hydra.sweeper.params={seed:5}", "type KEY=1,2"]),
    (["hydra.searchpath=[file://cd]", "experiment=mine"], ["hydra.searchpath=[file://cd]", "--config-dir cd"]),
]


@pytest.fixture(autouse=True)
def no_cuda(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.mark.parametrize(("argv", "parts"), MISTAKES, ids=[" ".join(argv)[:60] for argv, _ in MISTAKES])
def test_answer_to_a_mistake(kan_run, tmp_path, argv, parts):
    outcome = kan_run(*argv)
    assert outcome.code == 2, outcome.err
    assert outcome.out == ""
    assert 1 <= len(outcome.err.splitlines()) <= 3
    assert "Traceback" not in outcome.err
    assert max(map(len, outcome.err.split())) <= 201
    for part in parts:
        assert part in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_all_faults_are_reported_at_once(kan_run):
    outcome = kan_run("init=lin", "grid=0", "k=-1", "width=[2]", "nois_scale=1", "inputs.n=0")
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 6
    assert all(line.startswith("kan-run: ") for line in outcome.err.splitlines())


@pytest.mark.parametrize(
    ("section", "part"),
    [
        ("{sweeper: {params: {seed: [1, 2]}}}", "hydra.sweeper.params.seed=[1,2]: allowed: text"),
        ("{sweeper: {params: [1, 2]}}", "hydra.sweeper.params=[1,2]: allowed: lines"),
        ("{run: {dir: .}}", "hydra.run.dir=.: is the current folder"),
        (r'{run: {dir: "a\0b"}}', "hydra.run.dir=a b: holds a NUL"),
    ],
)
def test_hydras_keys_in_the_file_of_an_experiment(kan_run, tmp_path, section, part):
    (tmp_path / "own/experiment").mkdir(parents=True)
    (tmp_path / "own/experiment/mine.yaml").write_text(f"hydra: {section}\n")
    done = kan_run("--config-dir", "own", "experiment=mine")
    assert done.code == 2
    assert part in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


@pytest.mark.parametrize("word", ["hydra.output_subdir=null", "hydra.job.chdir=true", "hydra.mode=MULTIRUN"])
def test_hydras_keys_without_effect_are_answered(kan_run, word):
    done = kan_run(word, "figures=none", "stats=none")
    assert done.code == 0
    assert f"{word}: has no effect" in done.err


def test_removed_current_folder(kan_run, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    done = kan_run()
    assert done.code == 2
    assert "the current folder was removed" in done.err


def test_unknown_option(kan_run):
    outcome = kan_run("--fast")
    assert outcome.code == 2
    assert "--fast" in outcome.err


def test_sample_file_with_the_wrong_number_of_columns(kan_run, tmp_path):
    (tmp_path / "x.csv").write_text("1,2,3\n")
    outcome = kan_run("inputs=x.csv")
    assert outcome.code == 2
    assert "3 columns" in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_output_folder_is_a_file(kan_run, tmp_path):
    (tmp_path / "outputs").write_text("mine")
    outcome = kan_run()
    assert outcome.code == 2
    assert "outputs" in outcome.err
    assert (tmp_path / "outputs").read_text() == "mine"


def test_output_folder_is_not_writable(kan_run, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    # The superuser may write anywhere but in a file system that takes no folders at all.
    outcome = kan_run(f"hydra.run.dir={'/proc' if os.geteuid() == 0 else locked}/run")
    assert outcome.code == 2
    assert "name a folder elsewhere" in outcome.err
    assert list(locked.iterdir()) == []


@pytest.mark.slow
def test_options_may_stand_anywhere(kan_run):
    assert kan_run("init=linear", "-m", "seed=1,2", "figures=none").code == 0


def test_invalid_yaml_in_a_hydra_group(kan_run, tmp_path):
    (tmp_path / "own/hydra/launcher").mkdir(parents=True)
    (tmp_path / "own/hydra/launcher/mine.yaml").write_text("a: b: c\n")
    done = kan_run("-m", "--config-dir", "own", "seed=1,2", "hydra/launcher=mine")
    assert done.code == 2
    assert "mapping values are not allowed here" in done.err
    assert "mine.yaml" in done.err
    assert done.err.count("\n") == 1
