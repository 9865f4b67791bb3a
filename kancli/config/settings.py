"""The settings of a run: legal keys with their kinds, defaults, units and help. Imports neither numpy nor torch."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from kancli.config.models import KANModel, MatchedMLP, Model, NetworkSize, count_trained, match_mlp
from kancli.figures.options import FigureOptions
from kancli.inits import SCHEMES
from kancli.inits.scheme import LayerSize, Scheme
from kancli.inputs.samplers import SAMPLERS, Sampler
from kancli.kan import base_functions
from kancli.schema import Choice, Integer, Interval, Optional, Real, Several, Text, Truth, key, section
from kancli.seeding import MAX_SEED
from kancli.stats.options import Stats, Verdicts
from kancli.tasks.task import NoTask, Task
from kancli.training.options import PARAMETERS, Train, read_refinements


@dataclass(frozen=True)
class Grid:
    """The spline grid, the same for all layers."""

    size: int = key(5, Integer(1, 100_000), "G, number of grid intervals", typed="grid")
    range: tuple[float, float] = key((-1.0, 1.0), Interval(), "interval of the splines", unit="of the inputs")
    adapt: str = key(
        "none",
        Choice(("none", "samples", "pykan")),
        "samples: lay the knots of each input over its samples and refit its splines, which keeps them only as far as"
        " the new knots can (refit.residual); pykan: as pykan's grid update, with order statistics for quantiles and"
        " a fit at the samples alone",
    )
    eps: float = key(
        1.0, Real(0, 1), "with adapted knots: 1 for equal steps, 0 for quantiles of the samples; pykan's is 0.02"
    )

    @property
    def adapts(self) -> bool:
        return self.adapt != "none"


@dataclass(frozen=True)
class Activations:
    """The activations to keep."""

    n: int | None = key(
        None, Optional(Integer(0, 10**9)), "keep the first n samples in activations.safetensors; null keeps all, 0 none"
    )

    def count(self, n_samples: int) -> int:
        """How many of a run's samples are kept."""
        return n_samples if self.n is None else min(n_samples, self.n)


@dataclass(frozen=True)
class Sweep:
    """How the jobs of a sweep run; single runs ignore it."""

    workers: int | None = key(
        None,
        Optional(Integer(0, 1024)),
        "worker processes; null: one per processor, within a CPU quota; 0: none, for a debugger",
    )
    timeout: float | None = key(
        None, Optional(Real(low=0)), "stop a job that takes longer, and continue with the others", unit="s"
    )
    jobs_per_task: int | None = key(
        None,
        Optional(Integer(1, 10**6)),
        "with another launcher, jobs per task; null: half a minute of work, in 100 tasks at most",
    )
    max_failures: int | None = key(
        None, Optional(Integer(0, 10**9)), "start no more jobs after more failures than this"
    )


@dataclass(frozen=True)
class Study:
    """What a study adds to a sweep; single runs ignore it."""

    size: str = key(
        "small",
        Choice(("small", "full")),
        "of an experiment that has two sizes: small, for one machine; or full, as published",
    )
    rank: bool = key(False, Truth(), "rank the initialisations at the end of the sweep, as kan-run rank does")
    search: str | None = key(
        None,
        Optional(Text("the name of a scheme")),
        "a scheme whose swept knobs are a search: the ranking has them as one row, on each task with the knobs that are"
        " best on other tasks and seeds",
    )
    published: bool = key(
        False, Truth(), "the medians over seeds, beside the published ones, at the end of the ranking"
    )


@dataclass(frozen=True)
class Settings:
    """All settings of one run. Those that belong to its identity determine parameters and activations."""

    width: tuple[int, ...] = key(
        (2, 5, 1),
        Several(Integer(1, 10**7), at_least=2, at_most=10_000, example="2-5-1 or [2,5,1]"),
        "nodes per layer, inputs first",
    )
    k: int = key(3, Integer(0, 10), "order of the B-splines; G + k basis functions an edge")
    base_fun: str = key("silu", Choice(base_functions.NAMES), "residual function b(x)")
    seed: int = key(0, Integer(0, MAX_SEED), "seed of all random streams")
    n_seeds: int = key(1, Integer(1, 10**6), "number of models, with the seeds seed, seed + 1, ...")
    dtype: str = key("float32", Choice(("float32", "float64")), "number type of model and samples")
    device: str = key(
        "cpu",
        Choice(("cpu", "cuda", "auto")),
        "where the model runs; draws are the same on all; tests use a card where there is one, else emulate it",
        identity=False,
    )
    deterministic: bool = key(
        False,
        Truth(),
        "set torch's flags: an operation without a deterministic form is an error (--deterministic)",
        identity=False,
    )
    strict: bool = key(False, Truth(), "exit with code 4 if a verdict fails", identity=False)
    overwrite: bool = key(
        False, Truth(), "replace the finished run in hydra.run.dir when this one is complete", identity=False
    )
    objective: tuple[str, ...] | None = key(
        None,
        Optional(Several(Text("a number in sweep.csv"), at_least=1, example="rough or [rough,linear]", bare=True)),
        "statistics, by their names in sweep.csv, that a sweeper such as Optuna's optimises",
        identity=False,
    )
    grid: Grid = section(Grid)
    init: Scheme = section(SCHEMES["default"])
    model: Model = section(KANModel, omit_default=True)
    inputs: Sampler = section(SAMPLERS["normal"])
    task: Task = section(NoTask, omit_default=True)
    figures: FigureOptions = section(FigureOptions, identity=False)
    stats: Stats = section(Stats, identity=False)
    verdicts: Verdicts = section(Verdicts, identity=False)
    train: Train = section(Train, omit_default=True)
    activations: Activations = section(Activations, identity=False)
    sweep: Sweep = section(Sweep, identity=False)
    study: Study = section(Study, identity=False)

    @property
    def training(self) -> Train:
        """The keys of training, without auto and null for optimiser, learning rate, steps and rows; of an MLP without
        those of splines."""
        train = self.train if self.model.is_kan else self.train.without_splines()
        return train.resolved(task=self.task.exists, equation=self.task.is_equation)

    @property
    def trains(self) -> bool:
        """Whether the run trains its network."""
        return self.training.optimizer != "none"

    def layer_sizes(self, grid: int | None = None) -> list[LayerSize]:
        """The sizes of each layer of the KAN, from which a scheme computes its laws.

        Args:
            grid: number of grid intervals; None for that of the settings.
        """
        return [
            LayerSize(n_in, n_out, grid or self.grid.size, self.k, self.grid.range, self.base_fun)
            for n_in, n_out in itertools.pairwise(self.width)
        ]

    @property
    def mlp(self) -> MatchedMLP | None:
        """The MLP that is as large as the KAN on the finest grid of its training; None where the KAN is run."""
        if self.model.is_kan:
            return None
        finer = [] if self.train.refine is None else [grid for _, grid in read_refinements(self.train.refine)]
        sizes = self.layer_sizes(max([self.grid.size, *finer]))
        return match_mlp(self.width, count_trained(sizes, self.init, self.train.only or PARAMETERS))

    @property
    def network_size(self) -> NetworkSize:
        """The size of the network that is run."""
        if (mlp := self.mlp) is not None:
            return NetworkSize(mlp.width, 0, 0)
        return NetworkSize(self.width, self.grid.size, self.k)
