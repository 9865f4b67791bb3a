"""Validate a config against the keys of `catalogue`, one by one and together.

Imports neither numpy nor torch.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
from collections.abc import Collection, Mapping
from typing import Any

from kancli.config.catalogue import HYDRA_FOLDERS, SECTIONS, SUBSECTIONS, TOP_LEVEL, VARIANTS, catalogue
from kancli.config.checkpoint import checkpoint_faults, with_checkpoint
from kancli.config.finite import find_infinite
from kancli.config.memory import RunSize
from kancli.config.settings import Settings
from kancli.config.task_width import with_task_sizes
from kancli.config.training_memory import training_bytes
from kancli.errors import ConfigError, one_line
from kancli.figures.options import OF_TRAINING, name_faults
from kancli.inits import SCHEMES
from kancli.inits.checkpoint import FromCheckpoint
from kancli.inits.plugins import TARGET, NoSchemeError, name_of, scheme_at
from kancli.inits.scheme import Scheme
from kancli.inits.scheme_checks import find_faults
from kancli.schema import keys, read
from kancli.seeding import MAX_SEED
from kancli.spelling import show
from kancli.synonyms import ABSENT, SYNONYMS, nearest
from kancli.tasks.kinds import inputs_with_task
from kancli.tasks.task import Task
from kancli.training.options import Train, read_refinements

ITEM_BYTES = {"float32": 4, "float64": 8}
MANTISSA = {"float32": 24, "float64": 53}
MIN_NORMAL = {"float32": 2.0**-126, "float64": 2.0**-1022}  # normal numbers
MAX_FINITE = {"float32": 2.0**127, "float64": 2.0**1023}


def validate(config: Mapping[str, Any], typed: Collection[str] = ()) -> Settings:
    """Validate a composed config of plain values.

    Args:
        typed: keys and groups that were typed, which a checkpoint must agree with.

    Raises:
        ConfigError: with all faults, not only the first.
    """
    faults: list[str] = []
    values: dict[str, Any] = {}
    for name, (selector, table) in VARIANTS.items():
        if name != "init":
            values[name] = _read_variant(name, config.get(name, {selector: next(iter(table))}), faults)
    config = with_task_sizes(config, values["task"], faults)
    if values["model"] is not None:
        try:
            config = with_checkpoint(config, values["model"], typed, faults)
        except ConfigError as error:
            raise ConfigError([*faults, *error.faults]) from None
    values["init"] = _read_variant("init", config.get("init", {"scheme": next(iter(SCHEMES))}), faults)
    own = read(Settings, config, "", faults)
    for name, section in SECTIONS.items():
        values[name] = _read_section(section, config.get(name, {}), name, faults)
    faults += [_unknown_message(name, config[name]) for name in config if name not in TOP_LEVEL]
    if own is None or any(value is None for value in values.values()):
        raise ConfigError(faults)
    values["init"] = values["init"].with_defaults_for(values["grid"].range)
    values["inputs"] = inputs_with_task(values["inputs"], values["task"])
    settings = dataclasses.replace(own, **values)
    faults += [fault for fault in _cross_checks(settings) if fault not in faults]
    if faults:
        raise ConfigError(faults)
    return settings


def read_task(config: Mapping[str, Any]) -> Task:
    """The task of a composed config, without a check against its other keys.

    Raises:
        ConfigError: a key of the task has a fault.
    """
    faults: list[str] = []
    task = _read_variant("task", config.get("task", {"kind": "none"}), faults)
    if task is None:
        raise ConfigError(faults)
    return task


def _read_section(section: type, config: Any, name: str, faults: list[str]) -> Any:
    if not isinstance(config, Mapping):
        legal = ", ".join(f"{name}.{entry}" for entry in keys(section))
        faults.append(f"{name}={show(config)}: allowed: keys {legal}")
        return None
    inner = SUBSECTIONS.get(name, {})
    parts = {part: _read_section(inner[part], config.get(part, {}), f"{name}.{part}", faults) for part in inner}
    unknown = [entry for entry in config if entry not in (*keys(section), *inner)]
    faults += [_unknown_message(f"{name}.{entry}", config[entry]) for entry in unknown]
    own = read(section, config, f"{name}.", faults)
    return None if own is None or None in parts.values() else dataclasses.replace(own, **parts)


def _read_variant(name: str, config: Any, faults: list[str]) -> Any:
    if name == "init" and isinstance(config, Mapping) and TARGET in config:
        return _read_plugin(config, faults)
    selector, table = VARIANTS[name]
    choice: Any = config.get(selector) if isinstance(config, Mapping) else config
    if not isinstance(config, Mapping) or not isinstance(choice, str) or choice not in table:
        faults.append(f"{name}.{selector}={show(choice)}: allowed: one of {', '.join(table)}{nearest(choice, table)}")
        return None
    variant = table[choice]
    for entry in config:
        if entry != selector and entry not in keys(variant):
            faults.append(_misplaced_message(name, choice, entry, config[entry]))
    # Messages name a scheme's knobs by their bare names, as they are typed.
    return read(variant, config, "" if name == "init" else f"{name}.", faults)


def _read_plugin(config: Mapping[str, Any], faults: list[str]) -> Scheme | None:
    """Read a third-party scheme."""
    if "scheme" in config:
        faults.append(
            f"init.scheme={show(config['scheme'])} init.{TARGET}={show(config[TARGET])}: give one of the two;"
            " put your own scheme into a preset DIR/init/NAME.yaml, and add --config-dir DIR"
        )
        return None
    try:
        scheme = scheme_at(config[TARGET])
    except NoSchemeError as fault:
        faults.append(f"init.{TARGET}={show(config[TARGET])}: {fault}")
        return None
    knobs = keys(scheme)
    before = len(faults)
    if reserved := [name for name in knobs if name in (*TOP_LEVEL, "scheme", TARGET)]:
        faults.append(
            f"init.{TARGET}={config[TARGET]}: its knob {reserved[0]} is a key of every run; give it another name"
        )
    for entry in config:
        if entry != TARGET and entry not in knobs:
            has = ", ".join(knobs) or "none; declare a field with kancli.schema.key to make it a knob"
            hint = nearest(entry, knobs)
            faults.append(f"{entry}={show(config[entry])}: {config[TARGET]} has no such knob (it has {has}){hint}")
    if len(faults) > before:
        return None
    try:
        return read(scheme, config, "", faults)
    except Exception as error:  # raised by the third-party class
        faults.append(f"init.{TARGET}={config[TARGET]}: cannot be created: {one_line(error)}")
        return None


def _misplaced_message(name: str, choice: Any, entry: str, value: Any) -> str:
    """The message for a key that the chosen variant lacks, whether or not another variant has it."""
    selector, table = VARIANTS[name]
    typed = entry if name == "init" else f"{name}.{entry}"
    owners = [other for other, variant in table.items() if entry in keys(variant)]
    has = ", ".join(keys(table[choice])) or "none"
    if not owners and entry in TOP_LEVEL:
        return (
            f"{typed}={show(value)}: {name}.{selector}={choice} has no such knob (it has {has});"
            f" it is a key of a run: did you mean {entry}?"
        )
    if not owners:
        return _unknown_message(typed, value)
    return (
        f"{typed}={show(value)}: {name}.{selector}={choice} has no such knob (it has {has}); "
        f"{entry} belongs to {f'{name}.{selector}' if name == 'task' else name}={' or '.join(owners)}"
    )


def _unknown_message(path: str, value: Any) -> str:
    """The message for a key that does not exist."""
    if isinstance(value, Mapping) and value and "." not in path:
        path, value = f"{path}.{next(iter(value))}", next(iter(value.values()))
    if path in ABSENT:
        return f"{path}={show(value)}: no such key: {ABSENT[path]}"
    legal = [*(key.path for key in catalogue()), *TOP_LEVEL, *HYDRA_FOLDERS]
    dotted = "." in path and path not in SYNONYMS
    hint = nearest(path, [name for name in legal if "." in name] if dotted else legal)
    same_ending = [name for name in legal if name.endswith(f".{path}")]
    if not hint and same_ending:
        hint = f"; did you mean {same_ending[0]}?"
    return f"{path}={show(value)}: no such key{hint or '; kan-run --help lists them all'}"


def _cross_checks(settings: Settings) -> list[str]:
    faults = settings.task.faults(settings.width, settings.dtype)
    if faults:  # the inputs of the task do not fit either
        return faults
    faults = settings.inputs.faults(settings.width[0], settings.dtype) + settings.model.faults(settings.width)
    is_builtin = type(settings.init) in (*SCHEMES.values(), FromCheckpoint)
    if not is_builtin:
        name = name_of(type(settings.init))
        faults += [f"init.{TARGET}={name}: {fault}" for fault in find_faults(settings.init, settings.layer_sizes())]
    last = settings.seed + settings.n_seeds - 1
    if last > MAX_SEED:
        faults.append(f"seed={settings.seed} n_seeds={settings.n_seeds}: the last seed, {last}, is above {MAX_SEED}")
    grid = settings.grid
    low, high = grid.range
    step = (high - low) / grid.size
    reach = max(abs(low), abs(high)) + settings.k * step  # of the extended knots
    if step <= MIN_NORMAL[settings.dtype] or reach > MAX_FINITE[settings.dtype]:
        faults.append(f"grid.range={show(list(grid.range))}: the knots are outside the range of {settings.dtype}")
    elif step <= max(abs(low), abs(high)) * 2.0 ** (2 - MANTISSA[settings.dtype]):
        faults.append(
            f"grid.range={show(list(grid.range))} grid={grid.size}: neighbouring knots are the same number in"
            f" {settings.dtype}; widen the range, or take dtype=float64"
        )
    if not grid.adapts and grid.eps != 1:
        faults.append(f"grid.eps={grid.eps:g}: only adapted knots can be uneven; add grid.adapt=samples")
    faults += checkpoint_faults(settings)
    if grid.adapts and settings.init.standardises:
        faults.append(
            f"grid.adapt={grid.adapt}: this scheme standardises its bases over the samples; take another init"
        )
    width = settings.width
    faults += [f"figures.{fault}" for fault in name_faults(settings.figures, width[0], width[-1])]
    faults += _training_faults(settings)
    faults = faults or run_size(settings).find_faults()
    if not faults and is_builtin:  # last: it may need torch, which is slow to load
        faults += find_infinite(settings.init, settings.inputs, settings.layer_sizes(), settings.dtype)
    return faults or settings.task.value_faults(settings.dtype)


def _training_faults(settings: Settings) -> list[str]:
    """A line for each key of training and its figures that has nothing to train."""
    if settings.task.exists:
        return _training_conflicts(settings)
    faults, given = [], vars(settings.train)
    if settings.train.optimizer != "none":
        defaults = vars(Train())
        faults = [f"train.{name}={show(given[name])}" for name in given if given[name] != defaults[name]]
    if settings.figures.names and all(name in OF_TRAINING for name in settings.figures.names):
        faults.append(f"figures={show(list(settings.figures.names))}")
    return [f"{' '.join(faults)}: without a task nothing is trained; add one, such as task=f2"] if faults else []


def _training_conflicts(settings: Settings) -> list[str]:
    faults, train = [], settings.train
    if train.refine is not None:
        grids = [settings.grid.size, *(grid for _, grid in read_refinements(train.refine))]
        if any(finer <= coarse for coarse, finer in itertools.pairwise(grids)):
            faults.append(
                f"train.refine={train.refine}: allowed: each grid finer than the one before, first {grids[0]}"
            )
    if train.only == ("bias",) and settings.model.is_kan and not settings.init.has_bias:
        faults.append("train.only=[bias]: this init has no bias; allowed: coef, scale_base, scale_sp")
    if train.compile is True and importlib.util.find_spec("numba") is None:
        faults.append("train.compile=true: needs numba: pip install '.[fast]' in the clone of kancli")
    return faults


def run_size(settings: Settings) -> RunSize:
    """The sizes that determine the memory of a run."""
    n, grid = settings.inputs.count(), settings.grid
    fit_points = {"none": 0, "samples": (settings.k + 1) * grid.size, "pykan": n}[grid.adapt]
    size, item = settings.network_size, ITEM_BYTES[settings.dtype]
    return RunSize(
        width=size.width,
        grid=size.grid,
        k=size.k,
        item=item,
        members=settings.n_seeds,
        samples=n,
        kept=settings.activations.count(n),
        fit_points=fit_points if settings.model.is_kan else 0,
        level=settings.stats.level,
        first=min(n, max(settings.stats.first.n, settings.stats.n_quantiles)),
        backward=min(n, settings.stats.ntk.n),
        figures=settings.figures.drawn(trained=settings.trains),
        scale=settings.figures.scale,
        dpi=settings.figures.dpi if "png" in settings.figures.format else 0,
        fits_knots=settings.init.fits_knots,
        task=settings.task.data_bytes,
        training=training_bytes(settings, item),
    )
