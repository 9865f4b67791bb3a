"""What only a process of its own can show: modules loaded, signals, completion, output that nobody reads."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

KAN_RUN = [sys.executable, "-m", "kancli"]


def process(cwd, *argv, env=None, **more):
    return subprocess.run([*KAN_RUN, *argv], cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True,
                          timeout=120, check=False, **more)  # fmt: skip


LIGHT = [
    ["--help"],
    ["--version"],
    ["nois_scale=1"],
    ["init=lin"],
    ["k=-1", "init=linear"],
    ["-m", "grid=0,1"],
    ["--cfg", "job"],
]


@pytest.mark.parametrize("argv", LIGHT, ids=" ".join)
def test_nothing_heavy_is_loaded_before_a_run(tmp_path, argv):
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
]


@pytest.mark.parametrize(("line", "offered"), COMPLETIONS, ids=[line for line, _ in COMPLETIONS])
def test_shell_completion(tmp_path, line, offered):
    env = {"COMP_LINE": line, "COMP_POINT": str(len(line))}
    done = process(tmp_path, "-sc", "query=bash", env=env)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = set(done.stdout.split())
    assert offered <= found
    word = line.split()[-1]
    assert all(each.startswith(word) for each in found)


def test_the_completion_script_is_shell(tmp_path):
    done = process(tmp_path, "-sc", "install=bash")
    assert done.returncode == 0
    assert "complete " in done.stdout
    subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=True)


LONG = ["width=deep", "inputs.n=3000000", "activations.n=0", "hydra.run.dir=run"]


def interrupted(cwd, number):
    running = subprocess.Popen([*KAN_RUN, *LONG], cwd=cwd, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield running
    running.send_signal(number)
    try:
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 128 + number
    assert out == ""
    assert err == f"kan-run: interrupted by {signal.Signals(number).name}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay", [0.3, 0.6, 1.2])
def test_a_signal_before_the_run_ends_it(tmp_path, number, delay):
    """While it loads and composes."""
    for _ in interrupted(tmp_path, number):
        time.sleep(delay)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_run_is_recorded(tmp_path, number):
    run = tmp_path / "run" / "run.json"
    for _ in interrupted(tmp_path, number):
        limit = time.monotonic() + 60
        while not run.exists() and time.monotonic() < limit:
            time.sleep(0.05)
        time.sleep(0.5)
        assert '"status": "running"' in run.read_text()
    assert '"status": "interrupted"' in run.read_text()


def test_output_that_nobody_reads(tmp_path):
    done = subprocess.run(
        f"{sys.executable} -m kancli hydra.run.dir=run figures=none | head -0; echo ${{PIPESTATUS[0]}}",
        shell=True, executable="/bin/bash", cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "0"
    assert done.stderr == ""
    assert '"status": "complete"' in (tmp_path / "run" / "run.json").read_text()


def test_a_terminal_without_unicode(tmp_path):
    done = process(tmp_path, "figures=none", env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"})
    assert done.returncode == 0
    assert done.stderr == ""


WORDS = ["init=noisy", "width=4-6-1", "grid=7", "stats=full", "figures=network"]
SURROUNDINGS = {
    "plain": {"OMP_NUM_THREADS": "2"},
    "hashes of strings, locale and time zone": {"PYTHONHASHSEED": "1", "LC_ALL": "C", "TZ": "Asia/Tokyo"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}


def test_nothing_but_the_config_decides_what_comes_out(tmp_path):
    """To the bit, and over the order in which it is typed, and the folder it is typed in."""
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    runs = {name: (WORDS, tmp_path, env) for name, env in SURROUNDINGS.items()}
    runs["other order, other folder"] = (WORDS[::-1], elsewhere, {})
    identities = set()
    for name, (words, cwd, env) in runs.items():
        done = process(cwd, *words, f"hydra.run.dir='{tmp_path / name}'", env=env)
        assert done.returncode == 0, done.stderr
        identities.add(json.loads((tmp_path / name / "run.json").read_text())["identity"])
        for file in ("params.safetensors", "activations.safetensors", "stats.json", "figures/network.png"):
            assert (tmp_path / name / file).read_bytes() == (tmp_path / "plain" / file).read_bytes(), (name, file)
    assert len(identities) == 1


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.02])
def test_a_second_signal_changes_nothing(tmp_path, delay):
    run = tmp_path / "run" / "run.json"
    running = subprocess.Popen([*KAN_RUN, *LONG], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        limit = time.monotonic() + 60
        while not run.exists() and time.monotonic() < limit:
            time.sleep(0.05)
        time.sleep(0.3)
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            running.send_signal(number)
            time.sleep(delay)
        _, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 130
    assert err == "kan-run: interrupted by SIGINT\n"
    assert '"status": "interrupted"' in run.read_text()


def test_a_signal_ends_a_sweep(tmp_path):
    argv = [*KAN_RUN, "-m", "seed=range(200)", "figures=none", "hydra.sweep.dir=sweep"]
    running = subprocess.Popen(argv, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        limit = time.monotonic() + 60
        while not (tmp_path / "sweep" / "3" / "run.json").exists() and time.monotonic() < limit:
            time.sleep(0.05)
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 143
    assert err.endswith("kan-run: interrupted by SIGTERM\n")
    statuses = [json.loads(path.read_text())["status"] for path in tmp_path.glob("sweep/*/run.json")]
    assert len(statuses) < 200
    assert statuses.count("interrupted") <= 1
    assert set(statuses) <= {"complete", "interrupted"}


def test_closed_streams(tmp_path):
    for number, redirection in enumerate((">&-", "2>&-", ">&- 2>&-")):
        command = f"{sys.executable} -m kancli hydra.run.dir={number} figures=none {redirection}"
        subprocess.run(command, shell=True, cwd=tmp_path, check=True)
        assert '"status": "complete"' in (tmp_path / str(number) / "run.json").read_text()


def test_a_style_of_the_surroundings_changes_no_picture(tmp_path, kan_run):
    assert kan_run("hydra.run.dir=a").code == 0
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: red\nfont.size: 30\nlines.linewidth: 9\n")
    env = {"MPLBACKEND": "module://no_such_backend"}
    assert process(tmp_path, "hydra.run.dir=b", env=env).returncode == 0
    assert (tmp_path / "a/figures/network.png").read_bytes() == (tmp_path / "b/figures/network.png").read_bytes()


WITHOUT = """
import sys, tempfile

def none():
    raise FileNotFoundError("no usable temporary directory")

tempfile._get_default_tempdir = none
from kancli.cli import main

code = main(sys.argv[1:])
windows = {"matplotlib.pyplot", "tkinter", "PyQt5", "gi"} & set(sys.modules)
assert not windows, windows
sys.exit(code)
"""


def test_figures_need_no_home_no_display_and_no_temporary_folder(tmp_path):
    """Nothing but the run's folder is written to, and no window system is loaded."""
    env = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "MPLCONFIGDIR", "MPLBACKEND")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "figures=all", "stats=full", "hydra.run.dir=run"],
        cwd=tmp_path,
        env={**env, "HOME": "/dev/null/none", "XDG_CONFIG_HOME": "/dev/null/a", "XDG_CACHE_HOME": "/dev/null/b"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(list((tmp_path / "run" / "figures").iterdir())) == 6
    assert [each.name for each in tmp_path.iterdir()] == ["run"]
    assert not [each for each in (tmp_path / "run").iterdir() if "matplotlib" in each.name]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_signal_ends_a_check(tmp_path, kan_run, number, jobs):
    """What was answered before stands; the rest is not made up."""
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
        os.killpg(checking.pid, number)  # as a terminal's Ctrl-C does: to every process
        out, err = checking.communicate(timeout=60)
    finally:
        checking.kill()
    assert checking.returncode == 128 + number
    assert (out, err) == ("", f"kan-run: interrupted by {signal.Signals(number).name}\n")
