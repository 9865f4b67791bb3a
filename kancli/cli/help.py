"""The text of `kan-run --help`, put together from the declared keys and the presets' own first lines."""

from __future__ import annotations

import textwrap

from kancli.config.presets import Presets
from kancli.config.validation import catalogue
from kancli.schema import REQUIRED, show

WIDTH = 88

HEAD = """\
kan-run: what does an initialisation do to a Kolmogorov-Arnold network?

Builds a KAN, draws its parameters, sends samples through it, and writes pictures of
the activation functions and statistics of the initialisation to a fresh folder.

  kan-run init=linear noise_scale=1.0           one run
  kan-run width=2-8-8-1 grid=10 inputs=uniform inputs.n=1000
  kan-run -m init=default,noisy seed='range(5)' a sweep: every combination

Usage: kan-run [-m] [KEY=VALUE ...]
       kan-run explain [KEY=VALUE ...]   the law with its numbers, and where each value
                                         came from; no run
       kan-run draw RUN [figures=...]    a finished run's figures anew
       kan-run check BASELINE ...        a run made again from its record, and compared
       kan-run bless RUN -o FILE         the record as a small file to keep
       kan-run diff A B                  what differs between two runs
       kan-run rerun RUN [KEY=VALUE ...] a run as it was recorded, or with other values
       kan-run resume SWEEP [--only failed|3,7]  what is missing of a sweep, by its plan
       kan-run collect SWEEP ... [-o DIR]  the table of sweeps, from their folders
       kan-run compare RUN|SWEEP|PRESET ...  side by side: a table, compare.csv and .png
       kan-run report DIR                a sweep or a run as one page: DIR/report.html
       kan-run explain stats             what each number in stats.json is
  -m, --multirun          sweep over keys that have several values
  --dry-run               with -m: the plan of the sweep, and stop
  -c, --cfg job           print the config that a run would have, and stop
  -cd, --config-dir DIR   presets of your own: DIR/init/mine.yaml is init=mine
  --deterministic         deterministic=true: torch's own flags too
  allow_code=true         let a config name code from anywhere, not only from DIR
  -sc install=bash        shell completion: eval "$(kan-run -sc install=bash)"
  -h, --help  --version

GROUPS [default]: take a preset's name, or a value where one is shown"""

VALUES = {
    "width": "or nodes per layer: width=2-5-1, 'width=[2,5,1]'",
    "grid": "or a number of intervals: grid=7",
    "k": "or an order: k=2",
    "inputs": "or a file: inputs=data.csv",
    "figures": "or a list: 'figures=[network]'",
    "experiment": "or a file of your own, of lines KEY: VALUE, in DIR/experiment/",
}

FOOT = """\
EXIT CODES
  0 fine   1 internal error   2 wrong config or usage   3 non-finite values
  4 drift: found by check or diff, or a verdict failed with strict=true
  5 inconclusive: a baseline is missing, damaged or not comparable
  6 some jobs of a sweep failed   130, 143 interrupted

Results go to outputs/DATE/TIME-ID/, sweeps to multirun/; hydra.run.dir=DIR and
hydra.sweep.dir=DIR name another place."""


def help_text(presets: Presets) -> str:
    """The whole help, ready to print."""
    lines = [HEAD]
    for group in presets.groups():
        lines += ["", f"{group}  [{show(presets.defaults()[group])}]  {VALUES.get(group, '')}".rstrip()]
        options = presets.options(group)
        column = max(map(len, options)) + 2
        lines += [f"  {option:<{column}}{presets.load(group, option).comment}" for option in options]
    lines += ["", "KEYS: what each is; type, range and unit [default] (where it applies)", ""]
    for key in catalogue():
        default = "must be given" if key.default is REQUIRED else show(key.default)
        unit = f", {key.unit}" if key.unit else ""
        where = f" ({', '.join(key.owners)})" if key.owners else ""
        about = f"{'':<20}{key.kind.describe()}{unit} [{default}]{where}"
        if len(key.path) < 17:
            lines.append(f"  {key.path:<18}{key.help}")
        else:
            lines += [f"  {key.path}", f"{'':<20}{key.help}"]
        lines.append(about)
    lines += ["", FOOT]
    return "\n".join(_wrap(line) for line in lines)


def _wrap(line: str) -> str:
    """A long line broken over several."""
    if len(line) <= WIDTH or "\n" in line:
        return line
    # What is wrapped goes on in the column that the text began in.
    words = line.lstrip()
    name, gap, _ = words.partition("  ")
    indent = len(line) - len(words) + (len(words) - len(words[len(name) :].lstrip()) if gap else 0)
    return "\n".join(textwrap.wrap(line, WIDTH, subsequent_indent=" " * indent))
