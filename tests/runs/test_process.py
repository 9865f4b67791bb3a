"""kan-run in a process of its own: loaded modules, shell completion, closed streams, environment."""

import contextlib
import json
import os
import subprocess
import sys

import pytest

from kancli.cli.dispatch import main
from tests.runs.processes import KAN_RUN, run_process

pytestmark = pytest.mark.slow


WITHOUT_A_RUN = [
    ["--help"],
    ["--version"],
    ["nois_scale=1"],
    ["init=lin"],
    ["k=-1", "init=linear"],
    ["-m", "grid=0,1"],
    ["--cfg", "job"],
]


@pytest.mark.parametrize("argv", WITHOUT_A_RUN, ids=" ".join)
def test_help_and_mistakes_load_no_heavy_module(tmp_path, argv):
    code = (
        "import sys; from kancli.cli import main; main(sys.argv[1:])\n"
        "print([name for name in ('torch', 'matplotlib', 'numpy', 'rich') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "[]"


def test_importing_kancli_has_no_side_effects(tmp_path):
    code = (
        "import os, random, sys, warnings\n"
        "before = (random.getstate(), dict(os.environ), list(warnings.filters), os.getcwd())\n"
        "import kancli, kancli.cli, kancli.config.validation\n"
        "assert before == (random.getstate(), dict(os.environ), list(warnings.filters), os.getcwd())\n"
        "assert not {'torch', 'numpy', 'hydra', 'matplotlib'} & set(sys.modules), sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert list(tmp_path.iterdir()) == []


COMPLETIONS = [
    ("kan-run init=", {"init=linear", "init=asymmetric"}),
    ("kan-run init=lin", {"init=linear"}),
    ("kan-run gri", {"grid=", "grid."}),
    ("kan-run noise_", {"noise_scale=", "noise_scale_base="}),
    ("kan-run init=linear inputs.", {"inputs.n="}),
    ("kan-run re", {"rerun", "resume", "report"}),
    ("kan-run ", {"check", "init="}),
]


@pytest.mark.parametrize(("line", "expected"), COMPLETIONS, ids=[line for line, _ in COMPLETIONS])
def test_shell_completion_offers_keys_and_values(kan_run, monkeypatch, line, expected):
    monkeypatch.setenv("COMP_LINE", line)
    monkeypatch.setenv("COMP_POINT", str(len(line)))
    done = kan_run("-sc", "query=bash")
    assert done.code == 0, done.err
    assert done.err == ""
    completions = set(done.out.split())
    assert expected <= completions
    word = line.rpartition(" ")[2]
    assert all(completion.startswith(word) for completion in completions)


def test_the_completion_script_is_valid_bash(kan_run):
    done = kan_run("-sc", "install=bash")
    assert done.code == 0
    assert "complete " in done.out
    subprocess.run(["bash", "-n"], input=done.out, text=True, check=True)


def test_a_closed_pipe_does_not_fail_the_run(tmp_path):
    done = subprocess.run(
        f"{sys.executable} -m kancli hydra.run.dir=run figures=none | head -0; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""
    assert '"status": "complete"' in (tmp_path / "run" / "run.json").read_text()


LOST = "kan-run: standard output: cannot be written: No space left on device\n"


def test_output_that_a_full_disk_does_not_take_is_exit_code_2(tmp_path, kan_run, monkeypatch, capfd):
    """The work is finished first, and a code that says more stays."""

    def code(stream, *words):
        with monkeypatch.context() as patch, contextlib.suppress(OSError), open("/dev/full", "w") as full:
            patch.setattr(sys, stream, full)
            return main(words)

    verbs = (["--help"], ["hydra.run.dir=a", "figures=none"], ["bless", "a", "-o", "a.json"], ["check", "a.json"],
             ["-m", "seed=0,1", "hydra.sweep.dir=s", "sweep.workers=0"])  # fmt: skip
    for verb in verbs:
        assert (code("stdout", *verb), capfd.readouterr().err[-len(LOST) :]) == (2, LOST), verb
    for name in ("a/run.json", "s/0/run.json", "s/1/run.json"):
        assert '"status": "complete"' in (tmp_path / name).read_text()
    assert (tmp_path / "s/sweep.csv").exists()
    assert code("stdout", "diff", "a", "s/1") == 4
    assert code("stderr", "collect", "s") == 0


def test_a_process_whose_output_a_full_disk_does_not_take_has_exit_code_2(tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run([*KAN_RUN, "--help"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (2, LOST)


def test_an_ascii_terminal_gives_no_error(tmp_path):
    done = run_process(tmp_path, "figures=none", env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert done.returncode == 0
    assert done.stderr == ""


WORDS = ["init=noisy", "width=4-6-1", "grid=7", "stats=full", "figures=network"]
ENVIRONMENTS = {
    "plain": {"OMP_NUM_THREADS": "2"},
    "hash seed, locale and time zone": {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Asia/Tokyo"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}


def test_files_depend_on_the_config_alone(tmp_path):
    """Bit for bit, whatever the environment, the order of the overrides and the current folder."""
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    runs = {name: (WORDS, tmp_path, env) for name, env in ENVIRONMENTS.items()}
    runs["other order, other folder"] = (WORDS[::-1], elsewhere, {})
    identities = set()
    for name, (words, cwd, env) in runs.items():
        done = run_process(cwd, *words, f"hydra.run.dir='{tmp_path / name}'", env=env)
        assert done.returncode == 0, done.stderr
        identities.add(json.loads((tmp_path / name / "run.json").read_text())["identity"])
        for file in ("params.safetensors", "activations.safetensors", "stats.json", "figures/network.png"):
            assert (tmp_path / name / file).read_bytes() == (tmp_path / "plain" / file).read_bytes(), (name, file)
    assert len(identities) == 1


def test_closed_streams_do_not_fail_the_run(tmp_path):
    for number, redirection in enumerate((">&-", "2>&-", ">&- 2>&-")):
        command = f"{sys.executable} -m kancli hydra.run.dir={number} figures=none {redirection}"
        subprocess.run(command, shell=True, cwd=tmp_path, check=True)
        assert '"status": "complete"' in (tmp_path / str(number) / "run.json").read_text()


def test_matplotlibrc_and_backend_change_no_figure(tmp_path, kan_run):
    assert kan_run("hydra.run.dir=a").code == 0
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: red\nfont.size: 30\nlines.linewidth: 9\n")
    env = {"MPLBACKEND": "module://no_such_backend"}
    assert run_process(tmp_path, "hydra.run.dir=b", env=env).returncode == 0
    assert (tmp_path / "a/figures/network.png").read_bytes() == (tmp_path / "b/figures/network.png").read_bytes()


WITHOUT_TEMPORARY_FOLDER = """
import sys, tempfile

def fail():
    raise FileNotFoundError("no usable temporary directory")

tempfile._get_default_tempdir = fail
from kancli.cli import main

code = main(sys.argv[1:])
windows = {"matplotlib.pyplot", "tkinter", "PyQt5", "gi"} & set(sys.modules)
assert not windows, windows
sys.exit(code)
"""


def test_figures_need_no_home_no_display_and_no_temporary_folder(tmp_path):
    """Only the run's folder is written, and no window system is loaded."""
    env = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "MPLCONFIGDIR", "MPLBACKEND")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TEMPORARY_FOLDER, "figures=all", "stats=full", "hydra.run.dir=run"],
        cwd=tmp_path,
        env={**env, "HOME": "/dev/null/none", "XDG_CONFIG_HOME": "/dev/null/a", "XDG_CACHE_HOME": "/dev/null/b"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(list((tmp_path / "run" / "figures").iterdir())) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert not [path for path in (tmp_path / "run").iterdir() if "matplotlib" in path.name]
