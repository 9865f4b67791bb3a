"""Read race.json. torch is not imported."""

from __future__ import annotations

from pathlib import Path

from kancli.errors import ConfigError
from kancli.racing.options import PREFIX, RaceOptions
from kancli.racing.result import SCHEMA, RaceRecord
from kancli.racing.schedule import plan_looks
from kancli.runs.hashes import is_sealed
from kancli.runs.json_files import convert, read_json
from kancli.schema import read
from kancli.seeding import MAX_SEED
from kancli.spelling import show
from kancli.sweeps.history import RACE


def read_race(folder: Path) -> RaceRecord:
    """Read race.json.

    Raises:
        ConfigError: it is missing or damaged.
    """
    content = read_json(folder / RACE)
    if content.get("schema") != SCHEMA:
        raise ConfigError([f"{folder / RACE}: has schema {show(content.get('schema'))}, this kancli reads {SCHEMA}"])
    record = convert(folder / RACE, content, RaceRecord)
    if not is_sealed(content):
        raise ConfigError([f"{folder / RACE}: damaged: is not what the race wrote"])
    if faults := _faults(record):
        raise ConfigError([f"{folder / RACE}: damaged: {faults[0]}"])
    return record


def _faults(record: RaceRecord) -> list[str]:
    """Parts that do not belong together, and options that are not legal."""
    faults: list[str] = []
    read(RaceOptions, vars(record.options), PREFIX, faults)
    names = [candidate.name for candidate in record.candidates]
    results = [*record.rounds, *([record.final] if record.final else [])]
    named = {entry.candidate for result in results for entry in result.entries}
    if record.answer:
        named |= {record.answer.winner, record.answer.runner_up, record.answer.default, *record.answer.ratios}
    if len(set(names)) < max(len(names), 2) or not named <= set(names):
        faults.append("its rounds are not those of its candidates")
    networks = [network for batch in record.batches for network in batch]
    if any(not (0 <= candidate < len(names) and 0 <= seed <= MAX_SEED) for candidate, seed in networks):
        faults.append("its batches are not those of its candidates")
    if any(len(entry.validation_by_seed) != len(result.seeds) or len(entry.test_by_seed) not in (0, len(result.seeds))
           for result in results for entry in result.entries):  # fmt: skip
        faults.append("its losses are not those of its seeds")
    if not 1 <= record.final_steps <= record.steps or (not faults and _lacks_look(record)):
        faults.append("its final is not one of its steps and looks")
    return faults


def _lacks_look(record: RaceRecord) -> bool:
    return record.final is not None and len(record.final.seeds) not in plan_looks(record.options.seeds)
