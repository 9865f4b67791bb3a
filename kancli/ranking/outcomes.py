"""The trained networks of some sweeps: one for each member of each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kancli.config.checkpoint import SCHEME as FROM_CHECKPOINT
from kancli.config.identity import affects_identity
from kancli.errors import ConfigError
from kancli.inits import SCHEMES
from kancli.ranking.options import METRICS
from kancli.ranking.runs import COMPLETE, FAILED, Run, read_runs

INIT, MODEL, TASK, SEED = "init", "model", "task", "seed"
MLP = "mlp"  # in place of the scheme of an MLP, which is no initialisation but a reference


@dataclass(frozen=True)
class Architecture:
    """The sizes of a network."""

    width: tuple[int, ...]
    grid: int
    k: int

    def __str__(self) -> str:
        return f"{'-'.join(map(str, self.width))}, grid {self.grid}"


@dataclass(frozen=True)
class TrainedNetwork:
    """One network after training."""

    scheme: str  # the init, with its knobs where not all networks share them
    task: str
    pair: tuple[str, ...]  # its seed and the other swept keys: networks of one task that share it are compared
    values: Mapping[str, float] = field(default_factory=dict)  # by metric, those that are defined
    is_lost: bool = False  # the run failed, or training diverged
    first_loss: float | None = None  # the training loss before the first step
    steps: int | None = None  # of training
    init: str = ""
    is_preset: bool = False  # the knobs of init are those of its preset
    architecture: Architecture | None = None  # None where the run left no config


@dataclass(frozen=True)
class Outcomes:
    """The networks of some sweeps."""

    networks: Sequence[TrainedNetwork]
    singular: frozenset[str] = frozenset()  # tasks with a pole, which a few samples decide
    n_incomplete: int = 0  # runs that have not ended or are damaged, which do not count
    study: Mapping[str, Any] = field(default_factory=dict)  # the keys of study in the first sweep


def read_outcomes(folders: Sequence[Path]) -> Outcomes:
    """Read the runs of some folders. Runs that failed are outcomes too; those that have not ended are counted.

    Raises:
        ConfigError: a folder holds no runs or its plan is damaged, no run trained, or two runs are one by all swept
            keys.
    """
    runs, study = read_runs(folders)
    schemes, pairing = _schemes(runs), _pairing_keys(runs)
    networks: dict[tuple[str, str, tuple[str, ...]], TrainedNetwork] = {}
    singular, n_incomplete = set(), 0
    for run, scheme in zip(runs, schemes, strict=True):
        if run.status not in (COMPLETE, FAILED):
            n_incomplete += 1
            continue
        try:
            members = list(_members(run))
        except ConfigError:  # its training.csv is damaged
            n_incomplete += 1
            continue
        task = _name(run, TASK)
        if run.training is not None and run.training.singular:
            singular.add(task)
        described = {"init": _name(run, INIT), "is_preset": _is_preset(run), "architecture": _architecture(run)}
        others = [f"{key}={run.overrides[key]}" for key in pairing if key in run.overrides]
        for member, found in enumerate(members):
            pair = (f"{SEED}={run.number(SEED, 0) + member}", *others)
            if (scheme, task, pair) in networks:
                of = f"model={MLP}" if scheme == MLP else f"init={scheme}"
                raise ConfigError([f"rank: two runs of {of} task={task} {' '.join(pair)}; name sweeps that"
                                   " differ in a swept key"])  # fmt: skip
            networks[scheme, task, pair] = TrainedNetwork(scheme, task, pair, **found, **described)
    if not any(network.values for network in networks.values()):
        raise ConfigError(
            ["rank: no run trained; sweep over init and task: kan-run -m init=baseline,glorot task=f1,f2"]
        )
    return Outcomes(list(networks.values()), frozenset(singular), n_incomplete, study)


def _name(run: Run, key: str) -> str:
    """The scheme or task of a run, as typed, or else as its config has it."""
    section = run.section(key)
    if section.get("scheme") == FROM_CHECKPOINT:
        return f"{FROM_CHECKPOINT} {run.section(MODEL).get('path', '?')}"
    of_config = next((section[name] for name in ("scheme", "name", "path", "formula", "kind") if name in section), "?")
    return run.overrides.get(key, str(of_config))


def _schemes(runs: Sequence[Run]) -> list[str]:
    """The scheme of each run, with those of its knobs that not all runs of the scheme share; of an MLP `MLP`."""
    names = [MLP if _is_mlp(run) else _name(run, INIT) for run in runs]
    knobs = {key for run in runs for key in run.overrides if _is_knob(key, run)}
    values: dict[tuple[str, str], set[str | None]] = {}
    for name, run in zip(names, runs, strict=True):
        for knob in knobs:
            values.setdefault((name, knob), set()).add(run.overrides.get(knob))
    return [
        " ".join([name, *(f"{knob}={run.overrides[knob]}" for knob in run.overrides
                          if name != MLP and knob in knobs and len(values[name, knob]) > 1)])
        for name, run in zip(names, runs, strict=True)
    ]  # fmt: skip


def _is_mlp(run: Run) -> bool:
    """Whether a run is of an MLP; of one without a record, what its words say."""
    chosen = run.section(MODEL).get("kind") or run.overrides.get(f"{MODEL}.kind") or run.overrides.get(MODEL)
    return chosen == MLP


def _is_knob(key: str, run: Run) -> bool:
    return key.removeprefix(f"{INIT}.") in run.section(INIT) and (key.startswith(f"{INIT}.") or key not in run.config)


def _is_preset(run: Run) -> bool:
    """Whether the knobs of a run's scheme are the declared defaults."""
    given, grid = dict(run.section(INIT)), run.section("grid")
    scheme = SCHEMES.get(str(given.pop("scheme", None)))
    if scheme is None:
        return False
    low, high = grid.get("range", (-1.0, 1.0))
    return given == vars(scheme().with_defaults_for((low, high)))


def _architecture(run: Run) -> Architecture | None:
    try:
        return Architecture(tuple(run.config["width"]), run.config["grid"]["size"], run.config["k"])
    except (KeyError, TypeError):  # of a run that failed before it had them
        return None


def _pairing_keys(runs: Sequence[Run]) -> list[str]:
    """The keys besides scheme, task and seed that change results, and whose overrides are not the same in all runs."""
    knobs = {key for run in runs for key in run.overrides if _is_knob(key, run)}
    names = dict.fromkeys(key for run in runs for key in run.overrides)
    return [
        key
        for key in names
        if key not in (INIT, MODEL, f"{MODEL}.kind", TASK, SEED, "n_seeds", "experiment")
        and key not in knobs
        and not key.startswith("hydra")
        and len({run.overrides.get(key) for run in runs}) > 1
        and affects_identity(key)
    ]


def _members(run: Run) -> Iterator[dict[str, Any]]:
    """What is known of each network of a run that has ended, besides its names."""
    n_members = run.number("n_seeds", 1)
    training = run.training
    if run.status == FAILED or run.recorded is None:
        yield from ({"is_lost": True} for _ in range(n_members))
    elif training is not None and n_members > 1:
        from kancli.ranking.members import read_members  # with torch

        yield from read_members(run.recorded, training)
    elif training is not None:
        values = {name: getattr(training, name, None) for name in METRICS}
        values["seconds"] = run.recorded.record.seconds.get("total")
        yield {
            "values": {name: value for name, value in values.items() if isinstance(value, int | float)},
            "is_lost": bool(training.diverged),
            "first_loss": training.first_train_loss,
            "steps": run.section("train").get("steps"),
        }
