"""How a config is held against the legal keys of `settings` and those that schemes, samplers and figures declare, with
the checks that need more than one of them. No numpy or torch is imported."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kancli.config.memory import Needs
from kancli.config.settings import MAX_SEED, Activations, Grid, Settings, Sweep
from kancli.errors import ConfigError, one_line
from kancli.figures.options import FigureOptions
from kancli.inits import SCHEMES
from kancli.inits.plugins import TARGET, NoSchemeError, name_of, scheme_at
from kancli.inits.scheme import LayerSize, Scheme
from kancli.inits.scheme_checks import find_faults
from kancli.inputs.samplers import SAMPLERS
from kancli.schema import Kind, keys, nearest, read, show
from kancli.stats.options import FirstSamples, Ntk, Stats, Verdicts

ITEM_BYTES = {"float32": 4, "float64": 8}
MANTISSA = {"float32": 24, "float64": 53}
MIN_NORMAL = {"float32": 2.0**-126, "float64": 2.0**-1022}  # normal numbers
MAX_FINITE = {"float32": 2.0**127, "float64": 2.0**1023}


SECTIONS: dict[str, type] = {
    "grid": Grid,
    "figures": FigureOptions,
    "stats": Stats,
    "verdicts": Verdicts,
    "activations": Activations,
    "sweep": Sweep,
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
        faults += [f"init.{TARGET}={name}: {fault}" for fault in find_faults(settings.init, layer_sizes(settings))]
    last = settings.seed + settings.n_seeds - 1
    if last > MAX_SEED:
        faults.append(f"seed={settings.seed} n_seeds={settings.n_seeds}: the last seed, {last}, is above {MAX_SEED}")
    grid = settings.grid
    low, high = grid.range
    step = (high - low) / grid.size
    reach = max(abs(low), abs(high)) + settings.k * step  # of the extended knots
    if step <= MIN_NORMAL[settings.dtype] or reach > MAX_FINITE[settings.dtype]:
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
