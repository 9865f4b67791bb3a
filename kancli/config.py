"""What a config may hold: the keys of a run, those that schemes, samplers and figures declare, and the checks that
need more than one of them. No numpy or torch is imported."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kancli import base_functions
from kancli.budget import Needs
from kancli.errors import ConfigError, one_line
from kancli.figures import Figures
from kancli.inits import SCHEMES, LayerSize, Scheme
from kancli.inits.outside import TARGET, NoSchemeError, faults_of, name_of, scheme_at
from kancli.inputs import SAMPLERS, Sampler
from kancli.schema import (
    Bounds,
    Choice,
    Integer,
    Interval,
    Kind,
    Optional,
    Real,
    Several,
    Truth,
    key,
    keys,
    nearest,
    read,
    show,
)

GREATEST_SEED = 2**63 - 1
ITEM_BYTES = {"float32": 4, "float64": 8}
MANTISSA = {"float32": 24, "float64": 53}
LEAST = {"float32": 2.0**-126, "float64": 2.0**-1022}  # normal numbers
GREATEST = {"float32": 2.0**127, "float64": 2.0**1023}


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
class FirstSamples:
    """What is measured on the first samples only."""

    n: int = key(100, Integer(2, 10**6), "the first samples, for roughness and, with stats=full, quantiles")


@dataclass(frozen=True)
class Ntk:
    """What is measured on the way back."""

    n: int = key(256, Integer(1, 10**4), "the first samples, for gradients, Jacobian and neural tangent kernel")


@dataclass(frozen=True)
class Stats:
    """What is measured."""

    level: str = key("basic", Choice(("none", "basic", "full")), "how much is measured")
    flat: float = key(1e-6, Real(0, 1), "an edge is flat below this share of its layer's rms", unit="std / rms")
    first: FirstSamples = dataclasses.field(default_factory=FirstSamples)
    ntk: Ntk = dataclasses.field(default_factory=Ntk)


@dataclass(frozen=True)
class Verdicts:
    """Bounds [warn, fail] of the verdicts, by name. The worst layer counts; over members, its mean."""

    signal_vanishes: tuple[float | None, float | None] = key(
        (0.1, 0.001),
        Bounds(falling=True),
        "std of the nodes of any layer over that of the inputs, at most: a tenth is felt, a thousandth is lost",
    )
    signal_explodes: tuple[float | None, float | None] = key(
        (10.0, 1000.0), Bounds(), "the same, at least: far beyond any grid, and towards overflow"
    )
    gradient_vanishes: tuple[float | None, float | None] = key(
        (0.1, 0.001),
        Bounds(falling=True),
        "rms gradient by a layer's values over that by the outputs, at most (stats=full)",
    )
    gradient_explodes: tuple[float | None, float | None] = key(
        (10.0, 1000.0), Bounds(), "the same, at least: a step that fits one layer overshoots in another (stats=full)"
    )
    off_grid: tuple[float | None, float | None] = key(
        (0.5, 0.9), Bounds(), "share of preacts outside the grid: there the spline fades to nothing; N(0, 1) has 0.32"
    )
    spline_inert: tuple[float | None, float | None] = key(
        (0.01, None),
        Bounds(falling=True),
        "share of the branches' variance that is the splines', at most: at 1 % a KAN is an MLP",
    )
    linear: tuple[float | None, float | None] = key(
        (1e-6, None), Bounds(falling=True), "1 - R² of the most curved edge's best line, at most: float32 shows no less"
    )
    rough: tuple[float | None, float | None] = key(
        (2.0, None), Bounds(), "mean path over span of an edge: 1 is monotone, 2 goes up and down all the way"
    )
    nodes_degenerate: tuple[float | None, float | None] = key(
        (0.05, 0.05),
        Bounds(falling=True),
        "distance of two edges out of one input of a hidden layer, at most: the reference's symmetric case has 0.03,"
        " its default 0.09",
    )
    dead_edges: tuple[float | None, float | None] = key(
        (0.1, 0.5), Bounds(), "share of flat edges: they pass on no signal"
    )
    off_law: tuple[float | None, float | None] = key(
        (5.0, 6.0),
        Bounds(),
        "standard errors that a tensor's mean or std is off its law: by chance 6e-7 and 2e-9",
    )


@dataclass(frozen=True)
class Activations:
    """What is kept of the forward pass."""

    n: int | None = key(
        None, Optional(Integer(0, 10**9)), "keep the first n samples in activations.safetensors; null keeps all, 0 none"
    )


@dataclass(frozen=True)
class Settings:
    """One run, whole: a run is a pure function of this."""

    width: tuple[int, ...] = key(
        (2, 5, 1), Several(Integer(1, 10**7), at_least=2, example="2-5-1 or [2,5,1]"), "nodes per layer, inputs first"
    )
    k: int = key(3, Integer(0, 10), "order of the B-splines; G + k basis functions an edge")
    base_fun: str = key("silu", Choice(base_functions.NAMES), "residual function b(x)")
    seed: int = key(0, Integer(0, GREATEST_SEED), "names all random streams")
    n_seeds: int = key(1, Integer(1, 10**6), "models drawn, with the seeds seed, seed + 1, ...")
    dtype: str = key("float32", Choice(("float32", "float64")), "number type of model and samples")
    device: str = key("cpu", Choice(("cpu", "cuda", "auto")), "where the model runs; draws are the same on all")
    strict: bool = key(False, Truth(), "end with exit code 4 where a verdict fails")
    grid: Grid = dataclasses.field(default_factory=Grid)
    init: Scheme = dataclasses.field(default_factory=SCHEMES["default"])
    inputs: Sampler = dataclasses.field(default_factory=SAMPLERS["normal"])
    figures: Figures = dataclasses.field(default_factory=Figures)
    stats: Stats = dataclasses.field(default_factory=Stats)
    verdicts: Verdicts = dataclasses.field(default_factory=Verdicts)
    activations: Activations = dataclasses.field(default_factory=Activations)


SECTIONS: dict[str, type] = {
    "grid": Grid,
    "figures": Figures,
    "stats": Stats,
    "verdicts": Verdicts,
    "activations": Activations,
}
SUBSECTIONS: dict[str, dict[str, type]] = {"stats": {"first": FirstSamples, "ntk": Ntk}}
# Sections whose keys depend on one of them: the key that selects, and what it selects from.
VARIANTS: dict[str, tuple[str, Mapping[str, type]]] = {"init": ("scheme", SCHEMES), "inputs": ("kind", SAMPLERS)}
TOP_LEVEL = (*keys(Settings), *SECTIONS, *VARIANTS)


@dataclass(frozen=True)
class LegalKey:
    """One key as the help and the hints tell of it."""

    path: str  # a scheme's knobs by their bare names
    kind: Kind
    default: Any
    unit: str
    help: str
    owners: tuple[str, ...]  # the choices that have it, where it is not one of every run


def catalogue() -> list[LegalKey]:
    """Every legal key once."""
    found: dict[str, LegalKey] = {}
    parts: list[tuple[str, type, tuple[str, ...]]] = [("", Settings, ())]
    for name, (selector, table) in VARIANTS.items():
        prefix = "" if name == "init" else f"{name}."
        parts += [(prefix, variant, (f"{selector}={choice}",)) for choice, variant in table.items()]
    for name, section in SECTIONS.items():
        parts.append((f"{name}.", section, ()))
        parts += [(f"{name}.{inner}.", part, ()) for inner, part in SUBSECTIONS.get(name, {}).items()]
    for prefix, declared, owners in parts:
        for name, field in keys(declared).items():
            path, meta = prefix + name, field.metadata
            if path in found:
                owners_so_far = found[path].owners
                found[path] = dataclasses.replace(found[path], owners=owners_so_far + owners)
            else:
                found[path] = LegalKey(path, meta["kind"], field.default, meta["unit"], meta["help"], owners)
    return list(found.values())


def validate(config: Mapping[str, Any]) -> Settings:
    """Hold a composed config of plain values against the legal keys.

    Raises:
        ConfigError: with all faults that were found, not only the first.
    """
    faults: list[str] = []
    values: dict[str, Any] = {}
    own = read(Settings, config, "", faults)
    for name, section in SECTIONS.items():
        values[name] = _read_section(section, config.get(name, {}), name, faults)
    for name in VARIANTS:
        selector, table = VARIANTS[name]
        values[name] = _read_variant(name, config.get(name, {selector: next(iter(table))}), faults)
    faults += [_unknown(name, config[name]) for name in config if name not in TOP_LEVEL]
    if own is None or any(value is None for value in values.values()):
        raise ConfigError(faults)
    settings = dataclasses.replace(own, **values)
    faults += _cross_checks(settings)
    if faults:
        raise ConfigError(faults)
    return settings


def _read_section(section: type, given: Any, name: str, faults: list[str]) -> Any:
    if not isinstance(given, Mapping):
        faults.append(f"{name}={show(given)}: allowed: keys " + ", ".join(f"{name}.{entry}" for entry in keys(section)))
        return None
    inner = SUBSECTIONS.get(name, {})
    parts = {part: _read_section(inner[part], given.get(part, {}), f"{name}.{part}", faults) for part in inner}
    faults += [_unknown(f"{name}.{entry}", given[entry]) for entry in given if entry not in (*keys(section), *inner)]
    own = read(section, given, f"{name}.", faults)
    return None if own is None or None in parts.values() else dataclasses.replace(own, **parts)


def _read_variant(name: str, given: Any, faults: list[str]) -> Any:
    if name == "init" and isinstance(given, Mapping) and TARGET in given:
        return _read_outside(given, faults)
    selector, table = VARIANTS[name]
    choice: Any = given.get(selector) if isinstance(given, Mapping) else given
    if not isinstance(given, Mapping) or choice not in table:
        faults.append(f"{name}.{selector}={show(choice)}: allowed: one of {', '.join(table)}{nearest(choice, table)}")
        return None
    variant = table[choice]
    for entry in given:
        if entry != selector and entry not in keys(variant):
            faults.append(_misplaced(name, choice, entry, given[entry]))
    # A scheme's knobs are spoken of by their bare names, as they are typed.
    return read(variant, given, "" if name == "init" else f"{name}.", faults)


def _read_outside(given: Mapping[str, Any], faults: list[str]) -> Scheme | None:
    """A scheme that is not one of kancli's own."""
    if "scheme" in given:
        faults.append(
            f"init.scheme={show(given['scheme'])} init.{TARGET}={show(given[TARGET])}: give one of the two;"
            " a scheme of your own has a preset of its own, DIR/init/NAME.yaml, for --config-dir DIR"
        )
        return None
    try:
        scheme = scheme_at(given[TARGET])
    except NoSchemeError as fault:
        faults.append(f"init.{TARGET}={show(given[TARGET])}: {fault}")
        return None
    knobs = keys(scheme)
    before = len(faults)
    if taken := [name for name in knobs if name in (*TOP_LEVEL, "scheme", TARGET)]:
        faults.append(f"init.{TARGET}={given[TARGET]}: its knob {taken[0]} is a key of every run; give it another name")
    for entry in given:
        if entry != TARGET and entry not in knobs:
            has = ", ".join(knobs) or "none; fields are knobs where they are made with kancli.schema.key"
            hint = nearest(entry, knobs)
            faults.append(f"{entry}={show(given[entry])}: {given[TARGET]} has no such knob (it has {has}){hint}")
    if len(faults) > before:
        return None
    try:
        return read(scheme, given, "", faults)
    except Exception as error:  # of the class's own
        faults.append(f"init.{TARGET}={given[TARGET]}: cannot be made: {one_line(error)}")
        return None


def _misplaced(name: str, choice: Any, entry: str, value: Any) -> str:
    """The message for a key that the chosen variant lacks, whether or not another one has it."""
    selector, table = VARIANTS[name]
    typed = entry if name == "init" else f"{name}.{entry}"
    owners = [other for other, variant in table.items() if entry in keys(variant)]
    if not owners:
        return _unknown(typed, value)
    has = ", ".join(keys(table[choice]))
    return (
        f"{typed}={show(value)}: {name}.{selector}={choice} has no such knob (it has {has}); "
        f"{entry} belongs to {name}={' or '.join(owners)}"
    )


def _unknown(path: str, value: Any) -> str:
    """The message for a key that nothing has."""
    if isinstance(value, Mapping) and value and "." not in path:
        path, value = f"{path}.{next(iter(value))}", next(iter(value.values()))
    legal = [*(key.path for key in catalogue()), *TOP_LEVEL]
    hint = nearest(path, [name for name in legal if "." in name] if "." in path else legal)
    same_ending = [name for name in legal if name.endswith(f".{path}")]
    if not hint and same_ending:
        hint = f"; did you mean {same_ending[0]}?"
    return f"{path}={show(value)}: no such key{hint or '; kan-run --help lists them all'}"


def layer_sizes(settings: Settings) -> list[LayerSize]:
    """What the laws of each layer may depend on."""
    grid = settings.grid
    return [
        LayerSize(n_in, n_out, grid.size, settings.k, grid.range, settings.base_fun)
        for n_in, n_out in itertools.pairwise(settings.width)
    ]


def _cross_checks(settings: Settings) -> list[str]:
    faults = settings.inputs.faults(settings.width[0])
    if type(settings.init) not in SCHEMES.values():
        name = name_of(type(settings.init))
        faults += [f"init.{TARGET}={name}: {fault}" for fault in faults_of(settings.init, layer_sizes(settings))]
    last = settings.seed + settings.n_seeds - 1
    if last > GREATEST_SEED:
        faults.append(
            f"seed={settings.seed} n_seeds={settings.n_seeds}: the last seed, {last}, is above {GREATEST_SEED}"
        )
    grid = settings.grid
    low, high = grid.range
    step = (high - low) / grid.size
    reach = max(abs(low), abs(high)) + settings.k * step  # of the extended knots
    if step <= LEAST[settings.dtype] or reach > GREATEST[settings.dtype]:
        faults.append(f"grid.range={show(list(grid.range))}: the knots are beyond the numbers of {settings.dtype}")
    elif step <= max(abs(low), abs(high)) * 2.0 ** (2 - MANTISSA[settings.dtype]):
        faults.append(
            f"grid.range={show(list(grid.range))} grid={grid.size}: neighbouring knots are the same number in"
            f" {settings.dtype}; widen the range, or take dtype=float64"
        )
    if grid.adapt == "none" and grid.eps != 1:
        faults.append(f"grid.eps={grid.eps:g}: only adapted knots can be uneven; add grid.adapt=samples")
    if grid.adapt == "samples" and settings.init.standardises:
        faults.append("grid.adapt=samples: this scheme standardises its bases over the samples; take another init")
    for name, nodes in (("in_vars", settings.width[0]), ("out_vars", settings.width[-1])):
        given = getattr(settings.figures, name)
        if given is not None and len(given) != nodes:
            faults.append(f"figures.{name}={show(given)}: {len(given)} names for {nodes} nodes; give {nodes}")
    return faults or needs(settings).faults()


def needs(settings: Settings) -> Needs:
    """What of a run costs memory."""
    n = settings.inputs.count()
    return Needs(
        width=settings.width,
        grid=settings.grid.size,
        k=settings.k,
        item=ITEM_BYTES[settings.dtype],
        members=settings.n_seeds,
        samples=n,
        kept=n if settings.activations.n is None else min(n, settings.activations.n),
        adapts=settings.grid.adapt == "samples",
        level=settings.stats.level,
        first=min(n, settings.stats.first.n),
        backward=min(n, settings.stats.ntk.n),
    )
