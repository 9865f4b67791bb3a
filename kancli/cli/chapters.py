"""The chapters of kan-run's help, from the table of verbs, the declared keys and the first lines of presets."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping

from kancli.cli.arguments import WIDTH
from kancli.cli.verbs import VERBS
from kancli.config.catalogue import LegalKey, catalogue
from kancli.config.presets import Presets
from kancli.figures.options import NAMES
from kancli.schema import REQUIRED, keys
from kancli.spelling import show

HEAD = """\
kan-run: what does an initialisation do to a Kolmogorov-Arnold network?

Builds a KAN, draws its parameters, sends samples through it, and writes pictures of
the activation functions and statistics of the initialisation to a fresh folder.

Usage: kan-run [-m] [KEY=VALUE ...]            one run; with -m a sweep
       kan-run VERB ..."""

FIRST_EXAMPLES = """\
EXAMPLES

  kan-run init=linear noise_scale=1.0            one run
  kan-run inputs=data.csv stats=full figures=all your own samples; every number and figure
  kan-run compare default glorot seed='range(9)' initialisations side by side
  kan-run task=f2 width=in-5-out n_seeds=20      does it pay? Train twenty networks
  kan-run -m init=default,noisy seed='range(20)' a sweep, and a table at the end"""

OPTIONS = """\
OPTIONS

  -m, --multirun          sweep over keys that have several values
  --dry-run               with -m: print the plan of the sweep, and stop
  -c, --cfg job           print the config that a run would have, and stop
  -cd, --config-dir DIR   presets of your own: DIR/init/mine.yaml is init=mine
  --deterministic         deterministic=true: torch's own flags too
  allow_code=true         let a config name code from anywhere, not only from DIR
  -sc install=bash        shell completion: eval "$(kan-run -sc install=bash)"
  -h                      one screen of help
  --help  --version"""

EXAMPLES = """\
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
  kan-run task=f2 width=in-5-out n_seeds=20       train on a function: losses, curves
  kan-run task=data.csv width=in-8-out train=lbfgs
                                                  train on your own table
  kan-run -m task=f1,f2 init=default,glorot width=in-8-8-out seed='range(10)'
                                                  does the initialisation pay?
  kan-run init=symmetric strict=true              exit code 4 if a verdict fails
  kan-run figures=all figures.format=[png,svg,pdf]
                                                  every figure, in every format
  kan-run figures.parts=true figures.tick=true    base and spline parts, and ranges
  kan-run --deterministic                         an unrepeatable operation is an error
  kan-run hydra.run.dir=here overwrite=true       replace the finished run in here/
  kan-run --cfg job grid=7                        the config of a run, without the run"""

SWEEPS = """\
SWEEPS

  -m runs every combination of keys with several values: a list, init=default,glorot;
  numbers, seed='range(20)'; all presets, init='glob(*)'. Quote brackets for the shell.
  The folder of a sweep, multirun/DATE/TIME-ID/ or hydra.sweep.dir, holds a folder for
  each job, sweep.csv, sweep.parquet, summary.json and figures: sweep.png, verdicts'
  numbers against the swept keys, and propagation.png, signal and gradient by layer,
  for networks of three layers or more. kan-run draw SWEEP adds the networks.

  hydra/launcher=joblib, submitit_local, submitit_slurm, ray, basic
                          where the jobs run; pip install '.[joblib]', '.[slurm]' or
                          '.[ray]' in the clone
  hydra/sweeper=optuna objective=NAME
                          search instead of trying all; pip install '.[optuna]'
  kan-run resume SWEEP    run the jobs that are missing or failed
  kan-run rank SWEEP      of a sweep over init and task: which trains better, how sure
  kan-run race task=data.csv
                          the same for one task, at a fraction of the cost"""

FILES = """\
FILES of a run, in outputs/DATE/TIME-ID/ or hydra.run.dir

  figures/                 network.png, and the other figures that figures= names
  stats.json               all statistics and verdicts
  layers.csv, edges.csv    the same as tables; members.csv where n_seeds > 1
  params.safetensors       coef, scale_base, scale_sp, knots and bias of each layer; of
                           an MLP weight [out, in] and bias [out], as torch.nn.Linear
  activations.safetensors  inputs, preacts, splines, postacts and output
  training.csv             with a task: losses by member and step
  trained.safetensors      with a task: the parameters after training
  run.json                 config, status, versions, hashes and timings
  run.log, .hydra/         the log; Hydra's record of the config"""

EXITS = """\
EXIT CODES

  0 fine   1 internal error   2 wrong config or usage   3 non-finite values
  4 drift in check, a difference in diff, or a failed verdict with strict=true
  5 inconclusive: a baseline is missing, damaged or not comparable
  6 some jobs of a sweep failed   129, 130, 143 interrupted"""

VALUES = {
    "width": "or nodes per layer: width=2-5-1, 'width=[2,5,1]'",
    "grid": "or a number of intervals: grid=7",
    "k": "or an order: k=2",
    "inputs": "or a file: inputs=data.csv",
    "task": "or a file, task=data.csv, or a formula, task='sin(pi*x0)+x1^2'",
    "figures": "or figures: figures=network, 'figures=[network,symmetry]'",
    "experiment": "or a file of your own, of lines KEY: VALUE, in DIR/experiment/",
}
TEXTS = {"options": OPTIONS, "examples": EXAMPLES, "sweep": SWEEPS, "files": FILES, "exits": EXITS}
TASKS_MORE = """\
width=in-8-8-out takes the numbers of inputs and outputs from the task. The samples of the
forward pass are the task's training samples, where inputs= chooses no others. Singular
tasks have a pole on their domain: a few samples decide their errors. kan-run explain f2
gives the formula, domain and data of a task."""
MODEL_MORE = """\
An MLP has the hidden layers of width=, all of the one width that brings its weights and
biases nearest to the trained parameters of the KAN of width, grid, k and init. silu is
between its layers; weights are normal with variance 2/n_in (He et al., arXiv
1502.01852), biases 0. Keys of the KAN (init, grid, k, base_fun, and of train only,
refine, adapt_every and lamb) have no further effect on it. In a sweep over
model=kan,mlp and init it is run once, and kan-run rank sets it beside the
initialisations, for reference.

A checkpoint is run as it is, and with a task trained further. Width, grid and k are
those of the file, and no init may be named: what drew it is unknown.
kan-run compare checkpoint.pt glorot: beside it another init of its sizes;
kan-run export: the way back."""
TRAINING_MORE = """\
A run with a task trains its network: by Adam where train= says nothing. The start is
written before the first step. training.csv has the losses by step, trained.safetensors
the parameters; stats.json has training, and with stats.after=true the statistics of the
trained network. All members train at once: kan-run task=f2 width=in-5-out n_seeds=20
init=glorot. A member whose loss is not finite, or above 1000 times its first, stops.
After Ctrl-C or a crash, kan-run resume RUN goes on from the last saved state."""
EXPERIMENTS_MORE = """\
kan-run -m experiment=study_feynman trains the networks of a study and ranks schemes;
study.size=full has the published sizes, --dry-run shows how long that takes. Any part
can be changed: seed='range(3)' train.steps=500 init=baseline,glorot. A file may have a
section sizes: the lines below small: or full: hold for that study.size, those below
published: for study.size=full study.published=true. kan-run explain study says more."""
MORE = {
    "experiment": EXPERIMENTS_MORE,
    "stats": "kan-run explain stats defines each number.",
    "verdicts": "kan-run explain verdicts says more.",
    "model": MODEL_MORE,
    "task": TASKS_MORE,
    "train": TRAINING_MORE,
}
RUN = "run"  # the chapter of the keys that belong to no group


def chapters(presets: Presets) -> list[str]:
    """The names of all chapters, in the order of `kan-run --help`."""
    sections = dict.fromkeys(_chapter_of(key) for key in catalogue())
    return list(dict.fromkeys(["options", "examples", *presets.groups(), *sections, "files", "exits"]))


def short_text(presets: Presets) -> str:
    """One screen: usage, verbs, five examples, and the names of the chapters."""
    names = textwrap.wrap(" ".join(chapters(presets)), WIDTH - 2)
    pointers = ["CHAPTERS: kan-run help CHAPTER; kan-run --help prints all", "", *(f"  {line}" for line in names)]
    return "\n".join([HEAD, "", *_verbs(), "", FIRST_EXAMPLES, "", *pointers])


def full_text(presets: Presets) -> str:
    """All chapters."""
    return "\n\n".join(["\n".join([HEAD, "", *_verbs()]), *(chapter(name, presets) for name in chapters(presets))])


def chapter(name: str, presets: Presets) -> str:
    """The text of one chapter: what is known of a topic, its presets and its keys."""
    parts = [TEXTS[name]] if name in TEXTS else []
    if name in presets.groups():
        parts.append("\n".join(_presets(name, presets)))
    if keys := [key for key in catalogue() if _chapter_of(key) == name]:
        title = "Keys" if parts else f"{name.upper()}: keys"
        parts.append(
            "\n".join([f"{title}, their type, range and unit, [default], (where they apply)", "", *describe_keys(keys)])
        )
    if name in MORE:
        parts.append(MORE[name])
    return "\n".join(wrap(line) for line in "\n\n".join(parts).split("\n"))


def _chapter_of(key: LegalKey) -> str:
    section, dot, _ = key.path.partition(".")
    if dot or section in VALUES:
        return section
    return "init" if key.owners else RUN


def _presets(group: str, presets: Presets) -> Iterator[str]:
    """The presets of a group, each with the first line of its file."""
    default, values = show(presets.defaults()[group]), VALUES.get(group, "")
    yield f"{group.upper()}  [{default}]  a preset {values}".rstrip()
    yield ""
    options = presets.options(group)
    column = max(map(len, [*options, *NAMES] if group == "figures" else options)) + 2
    yield from (f"  {option:<{column}}{presets.load(group, option).comment}" for option in options)
    if group == "figures":
        yield from (f"  {name:<{column}}{summary}" for name, summary in NAMES.items())


def describe_keys(keys: Iterable[LegalKey]) -> Iterator[str]:
    """Two or more lines for each key."""
    for key in keys:
        default = "must be given" if key.default is REQUIRED else show(key.default)
        unit = f", {key.unit}" if key.unit else ""
        where = f" ({', '.join(key.owners)})" if key.owners else ""
        if len(key.path) < 17:
            yield f"  {key.path:<18}{key.help}"
        else:
            yield f"  {key.path}"
            yield f"{'':<20}{key.help}"
        yield f"{'':<20}{key.kind.describe()}{unit} [{default}]{where}"


def describe_facts(facts: Mapping[str, str]) -> Iterator[str]:
    """A line for each fact by its heading, wrapped."""
    column = max(map(len, facts)) + 2
    yield from (wrap(f"{heading:<{column}}{text}") for heading, text in facts.items())


def _verbs() -> Iterator[str]:
    """One line for each verb of the table."""
    yield "VERBS: kan-run help VERB lists arguments, examples and exit codes"
    yield ""
    calls = {f"{name} {verb.arguments}": verb.summary for name, verb in VERBS.items()}
    column = max(map(len, calls)) + 2
    yield from (f"  {call:<{column}}{summary}" for call, summary in calls.items())


def key_lines(section: str, options: type, column: int) -> Iterator[str]:
    """A line for each key of a section that a verb of its own has: name, help and default.

    Args:
        column: where the help begins, after the indent.
    """
    for name, field in keys(options).items():
        yield wrap(f"  {f'{section}.{name}':<{column}}{field.metadata['help']} [{show(field.default)}]")


def wrap(line: str) -> str:
    """Wrap a long line; it continues in the column of its text."""
    if len(line) <= WIDTH:
        return line
    words = line.lstrip()
    name, gap, _ = words.partition("  ")
    indent = len(line) - len(words) + (len(words) - len(words[len(name) :].lstrip()) if gap else 0)
    return "\n".join(textwrap.wrap(line, WIDTH, subsequent_indent=" " * indent))
