"""Content of the section on the ranking of a sweep, from the ranking.json that `kan-run rank` wrote there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kancli.errors import ConfigError
from kancli.ranking.output import MEDIANS_CAPTION, caption, scheme_lines
from kancli.ranking.published import median_lines
from kancli.ranking.result import NAME, Ranking
from kancli.runs.json_files import read_json_as


def ranking_section(folder: Path) -> dict[str, Any] | None:
    """The sentence, the table of schemes and the remarks; None where nothing was ranked.

    Raises:
        ConfigError: ranking.json is damaged.
    """
    path = folder / NAME
    if not path.exists():
        return None
    ranking = read_json_as(path, Ranking)
    if ranking.metric not in ranking.metrics:
        raise ConfigError([f"{path}: damaged: it lacks its metric {ranking.metric}"])
    header, *lines = scheme_lines(ranking)
    medians = ranking.medians
    return {
        "medians": None if medians is None else median_lines(medians),
        "medians_caption": MEDIANS_CAPTION,
        "medians_remarks": [] if medians is None else [f"published: {medians.source}", *medians.remarks],
        "sentence": ranking.sentence,
        "columns": header,
        "lines": lines,
        "caption": caption(ranking),
        "remarks": ranking.remarks,
    }
