"""Resolve overrides to group choices and plain values.

A group takes a preset's name or a value: grid=coarse or grid=7, width=wide or width=2-5-1 or width=[2,5,1]. A scheme's
knob may go by its bare name: noise_scale=1. An experiment file holds the same spellings, one per line, and the command
line takes precedence over it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kancli.config.catalogue import TOP_LEVEL
from kancli.config.grammar import multirun_message, parse
from kancli.config.hydra_keys import find_faults, find_unsearched, typed_values
from kancli.config.nested import SWEEP_PARAMS, flatten
from kancli.config.shorthands import SHORTHANDS, ValueShorthand
from kancli.spelling import show, spell
from kancli.synonyms import nearest

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

    from kancli.config.presets import Presets

EXPERIMENT = "experiment"
SIZES = "sizes"  # of an experiment's file: more lines for each size, and for published numbers at full size

# Keys that select a variant, and how to read the variant from the body of a preset.
SELECTORS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "init.scheme": lambda body: body.get("init", body).get("scheme"),
    "model.kind": lambda body: body.get("model", body).get("kind"),
    "inputs.kind": lambda body: body.get("inputs", body).get("kind"),
    "task.kind": lambda body: body.get("task", body).get("kind"),
}


@dataclass
class ResolvedOverrides:
    """The overrides of an experiment and of the command line, in order of precedence."""

    parsed: Sequence[Override] = ()  # the command line, in the order typed
    choices: dict[str, str] = field(default_factory=dict)  # group -> option
    values: list[tuple[str, Any]] = field(default_factory=list)  # dotted key -> value, later ones win
    n_from_experiment: int = 0  # the first values, which an experiment sets
    hydra: list[str] = field(default_factory=list)  # overrides for Hydra itself, as typed
    faults: list[str] = field(default_factory=list)

    @property
    def swept_by_experiment(self) -> dict[str, Any]:
        """The keys that an experiment file sweeps over, with their values in the grammar of overrides."""
        params: dict[str, Any] = {}
        for key, value in self.values:
            if key == SWEEP_PARAMS and isinstance(value, Mapping):
                params |= value
        return params

    @property
    def typed_keys(self) -> set[str]:
        """The keys and groups that the experiment or the command line sets."""
        return {*self.choices, *(key for key, _ in self.values)}

    def drop(self, keys: set[str]) -> None:
        """Drop the experiment's values of some keys."""
        from_experiment, typed = self.values[: self.n_from_experiment], self.values[self.n_from_experiment :]
        from_experiment = [entry for entry in from_experiment if entry[0] not in keys]
        self.values = from_experiment + typed
        self.n_from_experiment = len(from_experiment)


def parse_and_resolve(typed: Sequence[str], presets: Presets, *, sweeping: bool = False) -> ResolvedOverrides:
    """Parse and resolve overrides; for arguments and errors see `parse` and `resolve`."""
    return resolve(parse(typed, presets), presets, sweeping=sweeping)


def resolve(parsed: Sequence[Override], presets: Presets, *, sweeping: bool = False) -> ResolvedOverrides:
    """Sort overrides into group choices, values, and overrides for Hydra itself; an experiment's come first.

    Args:
        parsed: the overrides in the order typed.
        presets: the options of each group.
        sweeping: leave overrides with several values to the sweeper instead of reporting a fault.
    """
    resolved = ResolvedOverrides(parsed)
    experiments, others = [], []
    for override in parsed:
        is_experiment = override.key_or_group == EXPERIMENT and not override.is_sweep_override()
        (experiments if is_experiment else others).append(override)
    typed_study = {
        override.key_or_group: override.value() for override in others
        if override.key_or_group.startswith("study.") and not override.is_sweep_override()
    }  # fmt: skip
    for override in experiments:
        _apply_experiment(_value_of(override, presets), presets, resolved, typed_study)
    resolved.n_from_experiment = len(resolved.values)
    typed = []
    for override in others:
        if override.is_sweep_override():
            if not sweeping:
                resolved.faults.append(multirun_message(override))
        elif override.is_delete() and not override.is_hydra_override():
            resolved.faults.append(f"{override.input_line}: no key can be deleted; give it a value")
        elif override.is_hydra_override() or override.package is not None:
            resolved.hydra.append(override.input_line or "")
        else:
            typed.append((override.key_or_group, _value_of(override, presets)))
    _apply_all(typed, presets, resolved)
    hydra = typed_values(parsed)
    if resolved.faults:
        resolved.faults += find_unsearched(hydra)
    resolved.faults += find_faults(resolved.values[: resolved.n_from_experiment], hydra)
    return resolved


def _value_of(override: Override, presets: Presets) -> Any:
    """The value of an override; its text if that names a preset, as in init=1e3 for the file 1e3.yaml."""
    text = (override.input_line or "").partition("=")[2].strip()
    group = override.key_or_group
    is_option = group in presets.groups() and text in presets.options(group)
    return text if is_option else override.value()


def _apply_all(entries: Sequence[tuple[str, Any]], presets: Presets, resolved: ResolvedOverrides) -> None:
    """Add keys and values that may come in any order: as in Hydra, the presets of groups first, then the values.

    A later preset replaces an earlier value that was assigned to its group, as a later value would: grid=7 grid=coarse.
    """
    choices: list[tuple[str, Any]] = []
    values: list[tuple[str, Any]] = []
    for key, value in entries:
        if key in presets.groups() and not isinstance(value, Mapping) and _option(value, key, presets) is not None:
            values = [entry for entry in values if entry[0] != key or isinstance(entry[1], Mapping)]
            choices.append((key, value))
        else:
            values.append((key, value))
    for key, value in [*choices, *values]:
        apply_override(key, value, presets, resolved)


def _option(value: Any, group: str, presets: Presets) -> str | None:
    """The preset that a value names, if there is one. The names of files may be numbers, null or true."""
    name = value if isinstance(value, str) else spell(value)
    return name if name in presets.options(group) else None


def apply_override(key: str, value: Any, presets: Presets, resolved: ResolvedOverrides) -> None:
    """Add one key and value, in any spelling, to `resolved`."""
    if key in presets.groups():
        _apply_group(key, value, presets, resolved)
    elif key in SELECTORS and value in presets.options(group := key.split(".")[0]):
        # A variant starts from its own preset, so that no knobs of another variant remain.
        option = resolved.choices.get(group, presets.defaults()[group])
        if option is None or SELECTORS[key](presets.load(group, option).body) != value:
            resolved.choices[group] = value
        resolved.values.append((key, value))
    elif "." in key or key in TOP_LEVEL:
        resolved.values.append((key, value))
    else:  # a scheme's knob by its bare name; validation reports knobs that the scheme lacks
        resolved.values.append((f"init.{key}", value))


def _apply_group(group: str, value: Any, presets: Presets, resolved: ResolvedOverrides) -> None:
    shorthands = SHORTHANDS.get(group, ())
    if isinstance(value, Mapping):
        for path, entry in flatten(value, group):
            apply_override(path, entry, presets, resolved)
    elif (option := _option(value, group, presets)) is not None:
        resolved.drop({shorthand.key for shorthand in shorthands})
        _choose(group, option, presets, resolved)
    elif (found := _read_shorthand(value, shorthands)) is not None:
        shorthand, shorthand_value = found
        resolved.drop({other.key for other in shorthands if other is not shorthand})
        if shorthand.preset:
            resolved.choices[group] = shorthand.preset
        resolved.values.append((shorthand.key, shorthand_value))
    else:
        options = presets.options(group)
        examples = "".join(f", or {shorthand.example}" for shorthand in shorthands)
        allowed = f"{', '.join(options)}{examples}{nearest(value, options)}"
        resolved.faults.append(f"{group}={show(value)}: allowed: {allowed}")


def _read_shorthand(value: Any, shorthands: Sequence[ValueShorthand]) -> tuple[ValueShorthand, Any] | None:
    """The first shorthand that accepts a value, and the value of its key."""
    for shorthand in shorthands:
        shorthand_value = value if _is_interpolation(value) else shorthand.read(value)
        if shorthand_value is not None:
            return shorthand, shorthand_value
    return None


def _is_interpolation(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("${")


def _choose(group: str, option: str, presets: Presets, resolved: ResolvedOverrides) -> None:
    resolved.choices[group] = option
    # A typed preset replaces the experiment's values; typed values take precedence over it.
    preset = presets.load(group, option)
    resolved.drop({path for path, _ in flatten(preset.body, "" if preset.package == "_global_" else group)})


def _apply_experiment(name: Any, presets: Presets, resolved: ResolvedOverrides, typed_study: Mapping[str, Any]) -> None:
    options = presets.options(EXPERIMENT)
    option = _option(name, EXPERIMENT, presets)
    if option is None and name is None:
        return
    if option is None:
        resolved.faults.append(
            f"{EXPERIMENT}={show(name)}: allowed: {', '.join(options)}, null{nearest(name, options)}"
        )
        return
    preset = presets.load(EXPERIMENT, option)
    entries = [found for entry in preset.defaults if (found := _default_entry(entry, presets, resolved)) is not None]
    if EXPERIMENT in preset.body:
        resolved.faults.append(f"{EXPERIMENT}={name}: {preset.path} names an experiment itself; copy its lines instead")
        return
    entries += _lines({key: value for key, value in preset.body.items() if key != SIZES}, presets)
    sizes = preset.body.get(SIZES, {})
    if not isinstance(sizes, Mapping) or not all(isinstance(lines, Mapping) for lines in sizes.values()):
        resolved.faults.append(f"{EXPERIMENT}={name}: {preset.path}: {SIZES}: allowed: small:, full: and published:,"
                               " each with lines KEY: VALUE below it")  # fmt: skip
        return
    for size in _chosen_sizes({**dict(entries), **typed_study}):
        entries += _lines(sizes.get(size, {}), presets)
    _apply_all(entries, presets, resolved)


def _lines(body: Mapping[str, Any], presets: Presets) -> list[tuple[str, Any]]:
    """The lines of an experiment's file, with the keys of its sections by their dotted paths."""
    entries: list[tuple[str, Any]] = []
    for key, value in body.items():
        is_section = isinstance(value, Mapping) and key not in presets.groups()
        entries += flatten(value, key) if is_section else [(key, value)]
    return entries


def _chosen_sizes(values: Mapping[str, Any]) -> list[str]:
    """The parts of `sizes` that hold: of the size, and of published numbers, which are of the full size."""
    size = str(values.get("study.size", "small"))
    return [size, "published"] if size == "full" and values.get("study.published") is True else [size]


def _default_entry(entry: Any, presets: Presets, resolved: ResolvedOverrides) -> tuple[str, Any] | None:
    """Group and value of an entry of an experiment's defaults list, in Hydra's spelling: `override /init: linear`."""
    if entry == "_self_":
        return None
    if isinstance(entry, Mapping) and len(entry) == 1:
        ((group, value),) = entry.items()
        group = str(group).removeprefix("override ").strip().lstrip("/")
        if group.startswith("hydra/"):
            resolved.choices[group] = value
            return None
        if group in presets.groups():
            return group, value
    resolved.faults.append(
        f"{EXPERIMENT}: cannot use the line '{show(entry)}' of defaults; write GROUP: OPTION in the file"
    )
    return None
