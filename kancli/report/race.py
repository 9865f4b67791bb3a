"""Content of the page of a race, from its race.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kancli.racing.output import CAPTION, table_lines
from kancli.racing.reader import read_race


def race_content(folder: Path) -> dict[str, Any]:
    """Title and status, and the sections: the answer with its table and remarks, and the line for a full run.

    Raises:
        ConfigError: race.json is damaged.
    """
    record = read_race(folder)
    answer = record.answer
    header, *lines = table_lines(record)
    return {
        "title": f"race on {record.task}",
        "status": record.status,
        "sentence": answer.sentence if answer else "no round is done",
        "columns": header,
        "lines": lines,
        "caption": CAPTION,
        "remarks": answer.remarks if answer else [],
        "command": answer.command if answer else None,
    }
