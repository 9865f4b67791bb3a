"""The page as a whole: its sections put into the template, with the style and the script that lie beside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template
from typing import Any

from kancli._version import __version__
from kancli.errors import ConfigError, one_line
from kancli.report import images as pictures
from kancli.report import sections as words
from kancli.report import tables
from kancli.report.data import data_of, script_of
from kancli.report.elements import Markup, tag, together
from kancli.report.environment import environment
from kancli.sweeps.reader import RunsFolder

HERE = Path(__file__).parent


def document(found: RunsFolder) -> bytes:
    """The page about a folder.

    Raises:
        ConfigError: a file of the folder is damaged.
    """
    data = data_of(found.rows)
    parts = {title: content for title, content in _sections(found, data).items() if content}
    ids = {title: title.lower().replace(" ", "-") for title in parts}
    contents = (tag("li", tag("a", title, href=f"#{ids[title]}")) for title in parts)
    main = (tag("section", tag("h2", title), parts[title], id=ids[title]) for title in parts)
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    what = "run" if found.is_run else "runs" if found.head is None else "sweep"
    text = Template((HERE / "page.html").read_text(encoding="utf-8")).substitute(
        title=together([f"{what} {found.name}"]),
        name=together([found.name]),
        what=what,
        version=__version__,
        chips=words.chips(found.rows),
        contents=tag("ul", *contents),
        main=together(main),
        data=script_of(data),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    return text.encode("utf-8", "replace")  # a file's name may hold what is no character


def _sections(found: RunsFolder, data: Mapping[str, Any]) -> dict[str, Markup | None]:
    """The content of each section by its title; None where there is nothing to tell."""
    config = next((record["config"] for record in found.records if isinstance(record.get("config"), Mapping)), None)
    folded = tables.config(config) if config is not None else Markup()
    around = together([environment(found.rows, found.records), folded])
    failed = words.failures(found.rows)
    plates = pictures.plates(found.folder)
    if found.is_run:
        return {
            "Failures": failed,
            "Verdicts": _of_run(found, lambda: tables.verdicts(found.rows[0].verdicts)),
            "Layers": _of_run(found, lambda: tables.layers(found.stats["layers"])),
            "Figures": plates,
            "Environment": around,
            "Replay": words.commands(found),
        }
    return {
        "Plan": words.plan(found),
        "Failures": failed,
        "Results": tag("div", tables.cells(data), id="table"),
        "Main effects": tables.effects(found.rows, data["shown"]),
        "Figures": together([plates, pictures.thumbnails(found.folder, found.rows)]),
        "Verdicts": tables.definitions(found.rows, config),
        "Environment": around,
        "Replay": words.commands(found),
    }


def _of_run(found: RunsFolder, make: Callable[[], Markup]) -> Markup | None:
    """What a single run's stats.json tells.

    Raises:
        ConfigError: it is not what it should be.
    """
    if not found.rows[0].verdicts:
        return None
    try:
        return make()
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError([f"{found.folder}/stats.json: damaged: {one_line(error)}"]) from None


def _hash(text: str) -> str:
    """By which the page's own policy knows its script and its style: no other is run."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
