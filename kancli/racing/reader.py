"""Read race.json. torch is not imported."""

from __future__ import annotations

from pathlib import Path

from kancli.errors import ConfigError
from kancli.racing.result import SCHEMA, RaceRecord
from kancli.runs.hashes import is_sealed
from kancli.runs.json_files import convert, read_json
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
    return record
