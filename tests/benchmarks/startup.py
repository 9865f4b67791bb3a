"""How long `kan-run` takes as a whole process, against merely importing the libraries that it needs."""

import argparse
import sys
import tempfile

from tests.benchmarks.timing import compare, run

RUN_IMPORTS = "import torch, hydra, matplotlib.pyplot, rich.table"
HYDRA = "import hydra"
COMPLETION = {"COMP_LINE": "kan-run init=", "COMP_POINT": "13"}


def kan_run(*words, **expected):
    """A measurement of one `kan-run` in an empty folder."""

    def measure():
        with tempfile.TemporaryDirectory() as folder:
            return run([sys.executable, "-m", "kancli", *words], folder, **expected)[0]

    return measure


def python(code):
    """A measurement of one `python -c`."""

    def measure():
        with tempfile.TemporaryDirectory() as folder:
            return run([sys.executable, "-c", code], folder)[0]

    return measure


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--runs", type=int, default=7, help="of each side, after one that does not count")
    runs = parser.parse_args().runs
    cases = [
        ("default run", "kan-run", kan_run(says="outputs"), RUN_IMPORTS, 1.05),
        ("help", "kan-run --help", kan_run("--help", says="kan-run"), HYDRA, 2),
        ("config error", "kan-run nois_scale=1", kan_run("nois_scale=1", code=2, says="nois_scale"), HYDRA, 2),
        (
            "shell completion",
            "kan-run -sc query=bash",
            kan_run("-sc", "query=bash", says="init=default", **COMPLETION),
            HYDRA,
            2,
        ),
    ]
    kept = []
    for title, name, measure, imports, most in cases:
        sides = {name: measure, f'python -c "{imports}"': python(imports)}
        for warm_up in sides.values():
            warm_up()
        kept.append(compare(title, sides, runs, at_most=most))
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
