"""The text of `kan-run --help`, from the table of verbs, the declared keys and the first lines of presets."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from kancli.cli.arguments import WIDTH
from kancli.cli.verbs import VERBS
from kancli.config.presets import Presets
from kancli.config.validation import catalogue
from kancli.figures.options import NAMES
from kancli.schema import REQUIRED, show

HEAD = """\
kan-run: what does an initialisation do to a Kolmogorov-Arnold network?

Builds a KAN, draws its parameters, sends samples through it, and writes pictures of
the activation functions and statistics of the initialisation to a fresh folder.

  kan-run init=linear noise_scale=1.0           one run
  kan-run -m init=default,noisy seed='range(5)' a sweep: every combination

Usage: kan-run [-m] [KEY=VALUE ...]
       kan-run VERB ...

VERBS: kan-run VERB --help lists arguments, examples and exit codes"""

OPTIONS = """\

OPTIONS

  -m, --multirun          sweep over keys that have several values
  --dry-run               with -m: print the plan of the sweep, and stop
  -c, --cfg job           print the config that a run would have, and stop
  -cd, --config-dir DIR   presets of your own: DIR/init/mine.yaml is init=mine
  --deterministic         deterministic=true: torch's own flags too
  allow_code=true         let a config name code from anywhere, not only from DIR
  -sc install=bash        shell completion: eval "$(kan-run -sc install=bash)"
  -h, --help  --version

EXAMPLES

  kan-run                                         the default: width=2-5-1 grid=5 k=3
  kan-run width=2-8-8-1 grid=10 k=2 seed=7        values ...
  kan-run width=deep grid=coarse inputs=sobol     ... or presets, either way
  kan-run init=asymmetric noise_scale=0.3         a preset, and one value changed
  kan-run inputs=data.csv                         your own samples, one column an input
  kan-run -m experiment=reference                 the reference's six cases
  kan-run -m experiment=propagation init=glorot   signal and gradient against depth
  kan-run -m init=default,noisy seed='range(20)'  a sweep, and a table at the end
  kan-run -m init=default,glorot grid=5,20 --dry-run
                                                  the plan: jobs, time, disk space
  kan-run n_seeds=1000                            an ensemble of 1000 models
  kan-run grid.adapt=samples grid.eps=0.5         knots adapted to the samples
  kan-run stats=full                              gradients, Jacobian and NTK too
  kan-run init=symmetric strict=true              exit code 4 if a verdict fails
  kan-run figures=all figures.format=[png,svg,pdf]
                                                  every figure, in every format
  kan-run figures.parts=true figures.tick=true    base and spline parts, and ranges
  kan-run --deterministic                         an unrepeatable operation is an error
  kan-run hydra.run.dir=here overwrite=true       replace the finished run in here/
  kan-run --cfg job grid=7                        the config of a run, without the run

GROUPS [default]: take a preset's name, or a value where one is shown"""

VALUES = {
    "width": "or nodes per layer: width=2-5-1, 'width=[2,5,1]'",
    "grid": "or a number of intervals: grid=7",
    "k": "or an order: k=2",
    "inputs": "or a file: inputs=data.csv",
    "figures": "or figures: figures=network, 'figures=[network,symmetry]'",
    "experiment": "or a file of your own, of lines KEY: VALUE, in DIR/experiment/",
}

FOOT = """\
EXIT CODES
  0 fine   1 internal error   2 wrong config or usage   3 non-finite values
  4 drift in check, a difference in diff, or a failed verdict with strict=true
  5 inconclusive: a baseline is missing, damaged or not comparable
  6 some jobs of a sweep failed   130, 143 interrupted

Results go to outputs/DATE/TIME-ID/, sweeps to multirun/; hydra.run.dir=DIR and
hydra.sweep.dir=DIR name another place."""


def help_text(presets: Presets) -> str:
    """The help, ready to print."""
    lines = [HEAD, "", *_verbs(), OPTIONS]
    for group in presets.groups():
        lines += ["", f"{group}  [{show(presets.defaults()[group])}]  {VALUES.get(group, '')}".rstrip()]
        options = presets.options(group)
        column = max(map(len, [*options, *NAMES] if group == "figures" else options)) + 2
        lines += [f"  {option:<{column}}{presets.load(group, option).comment}" for option in options]
        if group == "figures":
            lines += [f"  {name:<{column}}{summary}" for name, summary in NAMES.items()]
    lines += ["", "KEYS: meaning; type, range and unit [default] (where it applies)", ""]
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


def _verbs() -> Iterator[str]:
    """One line for each verb of the table."""
    for name, verb in VERBS.items():
        yield f"  {f'{name} {verb.arguments}':<30}{verb.summary}"


def _wrap(line: str) -> str:
    """Wrap a long line; it continues in the column of its text."""
    if len(line) <= WIDTH or "\n" in line:
        return line
    words = line.lstrip()
    name, gap, _ = words.partition("  ")
    indent = len(line) - len(words) + (len(words) - len(words[len(name) :].lstrip()) if gap else 0)
    return "\n".join(textwrap.wrap(line, WIDTH, subsequent_indent=" " * indent))
