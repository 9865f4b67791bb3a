"""Parse typed overrides, and resolve them to group choices and plain values.

A group takes a preset's name or a value, either way: grid=coarse or grid=7, width=wide or width=2-5-1 or
width=[2,5,1]. A scheme's knob may go by its bare name: noise_scale=1. An experiment file holds the same spellings,
line by line, and stands before everything on the command line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from kancli.config.validation import TOP_LEVEL
from kancli.errors import ConfigError
from kancli.figures.options import NAMES
from kancli.schema import nearest, show

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

    from kancli.config.presets import Presets

EXPERIMENT = "experiment"


@dataclass
class ResolvedOverrides:
    """Command line and experiment, in the order of precedence."""

    parsed: Sequence[Override] = ()  # the command line, in the order typed
    choices: dict[str, str] = field(default_factory=dict)  # group -> option
    values: list[tuple[str, Any]] = field(default_factory=list)  # dotted key -> value, later ones win
    by_experiment: int = 0  # how many of the values an experiment set
    hydra: list[str] = field(default_factory=list)  # overrides that only Hydra understands, as typed
    faults: list[str] = field(default_factory=list)

    @property
    def swept_by_experiment(self) -> dict[str, Any]:
        """The keys that an experiment file sweeps over, each with its values in the grammar of overrides."""
        given = [value for key, value in self.values if key == "hydra.sweeper.params" and isinstance(value, Mapping)]
        return {name: values for each in given for name, values in each.items()}


def parse(typed: Sequence[str], presets: Presets | None = None) -> list[Override]:
    """Read the overrides by Hydra's grammar.

    Args:
        presets: what glob(*) chooses from; needed by those who go through the values of a sweep.

    Raises:
        ConfigError: with a line for each that cannot be read.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    # Of a config loader the parser asks for the options of a group only.
    loader = SimpleNamespace(
        get_group_options=lambda group_name, *_, **__: presets.options(group_name) if presets else []
    )
    parser = OverridesParser.create(config_loader=loader)  # pyright: ignore[reportArgumentType]
    parsed, faults = [], []
    for text in typed:
        try:
            (override,) = parser.parse_overrides([text])
        except HydraException:
            faults.append(_unreadable(text))
            continue
        if override.key_or_group:
            parsed.append(override)
        else:
            faults.append(_unreadable(text))
    if faults:
        raise ConfigError(faults)
    return parsed


def _unreadable(text: str) -> str:
    if "=" not in text:
        return f"{show(text)}: neither a verb nor KEY=VALUE; type for example init=linear, or kan-run --help"
    if text.count("[") != text.count("]"):
        return (
            f"{text}: brackets do not match; quote the whole word for the shell: 'width=[2,5,1]', or type width=2-5-1"
        )
    return f"{text}: cannot be read; allowed: KEY=VALUE; quote values with special characters: \"title='a, b'\""


def parse_and_resolve(typed: Sequence[str], presets: Presets, *, sweeping: bool = False) -> ResolvedOverrides:
    """Parse overrides and resolve them; arguments and errors are those of `parse` and `resolve`."""
    return resolve(parse(typed, presets), presets, sweeping=sweeping)


def resolve(parsed: Sequence[Override], presets: Presets, *, sweeping: bool = False) -> ResolvedOverrides:
    """Sort overrides into group choices, values, and Hydra's own business, experiment first.

    Args:
        parsed: the overrides in the order typed.
        presets: the files that groups can choose from.
        sweeping: whether several values may be given; these are then left to the sweeper.
    """
    resolved = ResolvedOverrides(parsed)
    for override in parsed:
        if override.key_or_group == EXPERIMENT and not override.is_sweep_override():
            _apply_experiment(override.value(), presets, resolved)
    resolved.by_experiment = len(resolved.values)
    for override in parsed:
        if override.key_or_group == EXPERIMENT and not override.is_sweep_override():
            continue
        if override.is_sweep_override():
            if not sweeping:
                resolved.faults.append(_needs_multirun(override))
        elif override.is_delete() and not override.is_hydra_override():
            resolved.faults.append(f"{override.input_line}: no key can be taken away; give it a value")
        elif override.is_hydra_override() or override.package is not None:
            resolved.hydra.append(override.input_line or "")
        else:
            apply_override(override.key_or_group, override.value(), presets, resolved)
    return resolved


def apply_override(key: str, value: Any, presets: Presets, resolved: ResolvedOverrides) -> None:
    """Add one key and value, by whatever spelling, to `resolved`."""
    if key in presets.groups():
        _apply_group(key, value, presets, resolved)
    elif key in SELECTORS and value in presets.options(group := key.split(".")[0]):
        # A kind or scheme starts from its own preset: another one's knobs would be left over.
        chosen = resolved.choices.get(group, presets.defaults()[group])
        if chosen is None or SELECTORS[key](presets.load(group, chosen).body) != value:
            resolved.choices[group] = value
        resolved.values.append((key, value))
    elif "." in key or key in TOP_LEVEL:
        resolved.values.append((key, value))
    else:  # a scheme's knob by its bare name; what no scheme has is found when the config is checked
        resolved.values.append((f"init.{key}", value))


def _apply_group(group: str, value: Any, presets: Presets, resolved: ResolvedOverrides) -> None:
    if isinstance(value, Mapping):
        for path, entry in flatten(value, group):
            apply_override(path, entry, presets, resolved)
    elif isinstance(value, str) and value in presets.options(group):
        # A preset chosen later replaces a value given earlier, as a later value would.
        if group in SHORTHANDS:
            _discard({SHORTHANDS[group].key}, resolved, typed_too=True)
        _choose(group, value, presets, resolved)
    elif group in SHORTHANDS and (literal := SHORTHANDS[group].read(value)) is not None:
        if SHORTHANDS[group].preset:
            resolved.choices[group] = SHORTHANDS[group].preset
        resolved.values.append((SHORTHANDS[group].key, literal))
    else:
        options = presets.options(group)
        also = f", or {SHORTHANDS[group].example}" if group in SHORTHANDS else ""
        resolved.faults.append(f"{group}={show(value)}: allowed: {', '.join(options)}{also}{nearest(value, options)}")


def _choose(group: str, option: str, presets: Presets, resolved: ResolvedOverrides) -> None:
    resolved.choices[group] = option
    # What an experiment file set gives way to a preset that is typed; typed values do not.
    preset = presets.load(group, option)
    prefix = "" if preset.package == "_global_" else f"{group}."
    _discard({prefix + path for path, _ in flatten(preset.body, "")}, resolved)


def _discard(keys: set[str], resolved: ResolvedOverrides, *, typed_too: bool = False) -> None:
    """Drop the values that an experiment has given to some keys, or that were typed too."""
    by_experiment, typed = resolved.values[: resolved.by_experiment], resolved.values[resolved.by_experiment :]
    by_experiment = [entry for entry in by_experiment if entry[0] not in keys]
    if typed_too:
        typed = [entry for entry in typed if entry[0] not in keys]
    resolved.values = by_experiment + typed
    resolved.by_experiment = len(by_experiment)


def flatten(value: Mapping[Any, Any], prefix: str) -> Iterable[tuple[str, Any]]:
    """The values of nested sections, each with its dotted path."""
    for name, entry in value.items():
        path = f"{prefix}.{name}" if prefix else str(name)
        if isinstance(entry, Mapping) and entry and path != "hydra.sweeper.params":
            yield from flatten(entry, path)
        else:
            yield path, entry


@dataclass(frozen=True)
class ValueShorthand:
    """The value that a group takes instead of a preset's name."""

    key: str  # where the value goes
    read: Callable[[Any], Any]  # None for what was not meant as a value
    example: str
    preset: str = ""  # chosen along with the value


def _number(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d+", value):
        return int(value)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _width(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"\d+(-\d+)+", value):
        return [int(nodes) for nodes in value.split("-")]
    return value if isinstance(value, list) else _number(value)


def _list(value: Any) -> Any:
    return value if isinstance(value, list) else None


def _path(value: Any) -> Any:
    return value if isinstance(value, str) and value.lower().endswith((".csv", ".npy", ".txt")) else None


def _names(value: Any) -> Any:
    return [value] if value in tuple(NAMES) else _list(value)


SELECTORS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "init.scheme": lambda body: body.get("init", body).get("scheme"),
    "inputs.kind": lambda body: body.get("inputs", body).get("kind"),
}
LISTS = ("grid.range", "figures", "figures.names", "figures.format", "figures.in_vars", "figures.out_vars")
SHORTHANDS = {
    "width": ValueShorthand("width", _width, "nodes per layer such as 2-5-1"),
    "grid": ValueShorthand("grid.size", _number, "a number of intervals such as 7"),
    "k": ValueShorthand("k", _number, "an order such as 2"),
    "inputs": ValueShorthand("inputs.path", _path, "a .csv or .npy file", preset="file"),
    "figures": ValueShorthand("figures.names", _names, "a figure or a list of them, such as [network]"),
}


def _needs_multirun(override: Override) -> str:
    text = override.input_line or ""
    if override.key_or_group == "width" and re.fullmatch(r"width=\d+(,\d+)+", text):
        nodes = text.removeprefix("width=").split(",")
        return f"{text}: several values; for one network type width={'-'.join(nodes)}, for a sweep add -m"
    as_list = f", for a list type {override.key_or_group}=[...]" if override.key_or_group in LISTS else ""
    return f"{text}: several values; for a sweep add -m{as_list}"


def _apply_experiment(name: Any, presets: Presets, resolved: ResolvedOverrides) -> None:
    if name is None:
        return
    options = presets.options(EXPERIMENT)
    if name not in options:
        resolved.faults.append(
            f"{EXPERIMENT}={show(name)}: allowed: {', '.join(options)}, null{nearest(name, options)}"
        )
        return
    preset = presets.load(EXPERIMENT, name)
    for entry in preset.defaults:
        _apply_default(entry, presets, resolved)
    if EXPERIMENT in preset.body:
        resolved.faults.append(f"{EXPERIMENT}={name}: {preset.path} names an experiment itself; copy its lines instead")
        return
    for key, value in preset.body.items():
        if key == "hydra" and isinstance(value, Mapping):
            resolved.values += flatten(value, "hydra")
        elif isinstance(value, Mapping) and key not in presets.groups():
            resolved.values += flatten(value, str(key))
        else:
            apply_override(str(key), value, presets, resolved)


def _apply_default(entry: Any, presets: Presets, resolved: ResolvedOverrides) -> None:
    """One line of a defaults list in an experiment, in Hydra's spelling: `override /init: linear`."""
    if entry == "_self_":
        return
    if isinstance(entry, Mapping) and len(entry) == 1:
        ((group, value),) = entry.items()
        group = str(group).removeprefix("override ").strip().lstrip("/")
        if group.startswith("hydra/"):
            resolved.choices[group] = value
            return
        if group in presets.groups():
            return apply_override(group, value, presets, resolved)
    resolved.faults.append(
        f"{EXPERIMENT}: cannot use the line '{show(entry)}' of defaults; write GROUP: OPTION in the file"
    )


def literal(value: Any) -> str:
    """A plain value in Hydra's grammar of overrides."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(literal, value))}]"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return repr(value)
