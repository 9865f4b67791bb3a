"""What a run is made from: its legal keys with their kinds, defaults, units and help. No numpy or torch is imported."""

from __future__ import annotations

from dataclasses import dataclass

from kancli.figures.options import FigureOptions
from kancli.inits import SCHEMES
from kancli.inits.scheme import Scheme
from kancli.inputs.samplers import SAMPLERS, Sampler
from kancli.kan import base_functions
from kancli.schema import Choice, Integer, Interval, Optional, Real, Several, Text, Truth, key, section
from kancli.stats.options import Stats, Verdicts

MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class Grid:
    """The spline grid, the same for all layers."""

    size: int = key(5, Integer(1, 100_000), "G, number of grid intervals", typed="grid")
    range: tuple[float, float] = key((-1.0, 1.0), Interval(), "where the splines live", unit="of the inputs")
    adapt: str = key(
        "none", Choice(("none", "samples")), "samples: knots of its own for each input, after what enters there"
    )
    eps: float = key(1.0, Real(0, 1), "with grid.adapt=samples: 1 for equal steps, 0 for quantiles of the samples")


@dataclass(frozen=True)
class Activations:
    """What is kept of the forward pass."""

    n: int | None = key(
        None, Optional(Integer(0, 10**9)), "keep the first n samples in activations.safetensors; null keeps all, 0 none"
    )


@dataclass(frozen=True)
class Sweep:
    """How the jobs of a sweep are run; a single run takes no notice."""

    workers: int | None = key(
        None, Optional(Integer(0, 1024)), "processes beside this one; null: one a processor; 0: none, for a debugger"
    )
    timeout: float | None = key(
        None, Optional(Real(low=0)), "give up a job that takes longer, and go on with the others", unit="s"
    )
    jobs_per_task: int | None = key(
        None,
        Optional(Integer(1, 10**6)),
        "with another launcher, jobs that one of its tasks does; null: half a minute's, in 100 tasks at most",
    )
    max_failures: int | None = key(
        None, Optional(Integer(0, 10**9)), "begin no more jobs once more than so many failed"
    )


@dataclass(frozen=True)
class Settings:
    """One run, whole: a run is a pure function of this."""

    width: tuple[int, ...] = key(
        (2, 5, 1), Several(Integer(1, 10**7), at_least=2, example="2-5-1 or [2,5,1]"), "nodes per layer, inputs first"
    )
    k: int = key(3, Integer(0, 10), "order of the B-splines; G + k basis functions an edge")
    base_fun: str = key("silu", Choice(base_functions.NAMES), "residual function b(x)")
    seed: int = key(0, Integer(0, MAX_SEED), "names all random streams")
    n_seeds: int = key(1, Integer(1, 10**6), "models drawn, with the seeds seed, seed + 1, ...")
    dtype: str = key("float32", Choice(("float32", "float64")), "number type of model and samples")
    device: str = key(
        "cpu", Choice(("cpu", "cuda", "auto")), "where the model runs; draws are the same on all", identity=False
    )
    deterministic: bool = key(
        False,
        Truth(),
        "torch's own flags too: an operation without a repeatable form is an error (--deterministic)",
        identity=False,
    )
    strict: bool = key(False, Truth(), "end with exit code 4 where a verdict fails", identity=False)
    overwrite: bool = key(
        False, Truth(), "take the place of the finished run in hydra.run.dir, once this one is complete", identity=False
    )
    objective: tuple[str, ...] | None = key(
        None,
        Optional(Several(Text("a number in sweep.csv"), at_least=1, example="rough or [rough,linear]", bare=True)),
        "statistics, by their names in sweep.csv, that a sweeper such as Optuna's optimises",
        identity=False,
    )
    grid: Grid = section(Grid)
    init: Scheme = section(SCHEMES["default"])
    inputs: Sampler = section(SAMPLERS["normal"])
    figures: FigureOptions = section(FigureOptions, identity=False)
    stats: Stats = section(Stats, identity=False)
    verdicts: Verdicts = section(Verdicts, identity=False)
    activations: Activations = section(Activations, identity=False)
    sweep: Sweep = section(Sweep, identity=False)
