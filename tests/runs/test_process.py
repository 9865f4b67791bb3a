"""kan-run in a process of its own: loaded modules, shell completion, signals, closed streams, environment."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kancli.cli.dispatch import main

pytestmark = pytest.mark.slow

KAN_RUN = [sys.executable, "-m", "kancli"]
TIMEOUT = 600  # seconds, for what never takes so long; no test depends on the machine's speed


def run_process(cwd, *argv, env=None, **options):
    return subprocess.run([*KAN_RUN, *argv], cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True,
                          timeout=TIMEOUT, check=False, **options)  # fmt: skip


def wait_until(condition, process):
    """Wait until something holds of a running process."""
    limit = time.monotonic() + TIMEOUT
    while not condition():
        assert process.poll() is None, "the process ended too early"
        assert time.monotonic() < limit
        time.sleep(0.01)


def handles_signals(process):
    """Whether a process has handlers of its own for SIGINT and SIGTERM; Python itself has one for SIGINT alone."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def has_loaded(process, library):
    """Whether a process has mapped a shared library of this name."""
    return library in Path(f"/proc/{process.pid}/maps").read_text()


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
def test_shell_completion_offers_keys_and_values(tmp_path, line, expected):
    env = {"COMP_LINE": line, "COMP_POINT": str(len(line))}
    done = run_process(tmp_path, "-sc", "query=bash", env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    completions = set(done.stdout.split())
    assert expected <= completions
    word = line.rpartition(" ")[2]
    assert all(completion.startswith(word) for completion in completions)


def test_the_completion_script_is_valid_bash(tmp_path):
    done = run_process(tmp_path, "-sc", "install=bash")
    assert done.returncode == 0
    assert "complete " in done.stdout
    subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=True)


LONG_RUN = ["width=deep", "inputs.n=3000000", "activations.n=0", "hydra.run.dir=run"]


@contextlib.contextmanager
def interrupted_run(cwd, number):
    """Start a long run, send a signal at the end of the block, and check how the process ends."""
    running = subprocess.Popen(
        [*KAN_RUN, *LONG_RUN], cwd=cwd, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield running
        running.send_signal(number)
        out, err = running.communicate(timeout=TIMEOUT)
    finally:
        running.kill()
    assert running.returncode == 128 + number
    assert out == ""
    assert err == f"kan-run: interrupted by {signal.Signals(number).name}\n"


MOMENTS = {
    "at once": lambda process: True,
    "numpy is loaded": lambda process: has_loaded(process, "_multiarray_umath"),
    "torch is being loaded": lambda process: has_loaded(process, "libtorch_cpu"),
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_before_the_run_ends_it(tmp_path, number, moment):
    with interrupted_run(tmp_path, number) as process:
        wait_until(lambda: handles_signals(process) and MOMENTS[moment](process), process)
    assert '"status": "complete"' not in "".join(path.read_text() for path in tmp_path.rglob("run.json"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_the_run_is_recorded(tmp_path, number):
    run = tmp_path / "run" / "run.json"
    with interrupted_run(tmp_path, number) as process:
        wait_until(run.exists, process)
        time.sleep(0.5)
        assert '"status": "running"' in run.read_text()
    assert '"status": "interrupted"' in run.read_text()


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


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.02])
def test_a_second_signal_is_ignored(tmp_path, delay):
    run = tmp_path / "run" / "run.json"
    running = subprocess.Popen([*KAN_RUN, *LONG_RUN], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(run.exists, running)
        time.sleep(0.3)
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            running.send_signal(number)
            time.sleep(delay)
        _, err = running.communicate(timeout=TIMEOUT)
    finally:
        running.kill()
    assert running.returncode == 130
    assert err == "kan-run: interrupted by SIGINT\n"
    assert '"status": "interrupted"' in run.read_text()


def test_a_signal_ends_a_sweep(tmp_path):
    argv = [*KAN_RUN, "-m", "seed=range(3000)", "stats=none", "hydra.sweep.dir=sweep"]
    running = subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        wait_until((tmp_path / "sweep" / "3" / "run.json").exists, running)
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=TIMEOUT)
    finally:
        running.kill()
    assert running.returncode == 143
    assert err.endswith("kan-run: interrupted by SIGTERM\n")
    statuses = [json.loads(path.read_text())["status"] for path in tmp_path.glob("sweep/*/run.json")]
    assert len(statuses) < 3000
    assert statuses.count("interrupted") <= 1
    assert set(statuses) <= {"complete", "interrupted"}


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_signal_ends_a_check(tmp_path, kan_run, number, jobs):
    """The answers before the signal are printed; there are none after it."""
    assert kan_run("hydra.run.dir=small", "figures=none").code == 0
    assert kan_run("bless", "small", "-o", "small.json").code == 0
    record = json.loads((tmp_path / "small.json").read_text())
    record["config"]["inputs"]["n"] = 4_000_000
    (tmp_path / "large.json").write_text(json.dumps(record))
    argv = [*KAN_RUN, "check", "small.json", "large.json", "--jobs", jobs]
    checking = subprocess.Popen(
        argv, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert checking.stdout is not None
        assert checking.stdout.readline().startswith("small.json: match (")
        time.sleep(0.5)
        os.killpg(checking.pid, number)  # to every process, as Ctrl-C in a terminal
        out, err = checking.communicate(timeout=TIMEOUT)
    finally:
        checking.kill()
    assert checking.returncode == 128 + number
    assert (out, err) == ("", f"kan-run: interrupted by {signal.Signals(number).name}\n")
