"""The page: Jinja2 templates filled with the content of each section, the stylesheet and the script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from kancli._version import __version__
from kancli.errors import ConfigError, one_line
from kancli.report import images, sections, tables
from kancli.report.data import page_data
from kancli.report.environment import environment
from kancli.report.race import race_content
from kancli.report.ranking import ranking_section
from kancli.runs.training_summary import training_lines
from kancli.sweeps.reader import RunsFolder

FOLDER = Path(__file__).parent
VERDICT_SYMBOLS = {"pass": "✓", "undecided": "?", "warn": "!", "fail": "✗"}


@dataclass(frozen=True)
class Section:
    """A section of the page, left out if its content is None."""

    title: str
    template: str
    content: Mapping[str, Any] | None


def render_page(runs: RunsFolder, base: str = ".") -> bytes:
    """Render the page of a sweep, a folder of runs or a single run as UTF-8.

    Args:
        base: the path from the folder of the page to that of the runs, to which the page links.

    Raises:
        ConfigError: a file of the folder is damaged.
    """
    templates = _templates()
    data = {**page_data(runs.rows, base), "symbols": {**VERDICT_SYMBOLS, **sections.STATUS_SYMBOLS}}
    contents = {
        section.title: templates.get_template(section.template).render(section.content)
        for section in (_run_sections(runs, base) if runs.is_run else _sweep_sections(runs, base, data))
        if section.content is not None
    }
    return _render(
        templates,
        ["page.js"] if runs.is_run else ["columns.js", "table.js", "page.js"],
        kind="a run" if runs.is_run else "a folder of runs" if runs.head is None else "a sweep",
        title=sections.title(runs),
        name=runs.name,
        status_counts=sections.status_counts(runs.rows),
        sections=contents,
        data=data,
    )


def render_race(folder: Path, base: str = ".") -> bytes:
    """Render the page of a race as UTF-8.

    Raises:
        ConfigError: a file of the folder is damaged.
    """
    templates, content, runs = _templates(), race_content(folder), RunsFolder(folder, [], [])
    contents = {"Answer": templates.get_template("race.html").render(content)}
    if (figures := _figures(runs, base)) is not None:
        contents["Figures"] = templates.get_template("figures.html").render(figures)
    return _render(
        templates,
        ["page.js"],
        kind="a race",
        title=content["title"],
        name=runs.name,
        status_counts={},
        sections=contents,
        data={},
    )


def _render(templates: Environment, scripts: Sequence[str], **content: Any) -> bytes:
    """The page of some sections.

    Args:
        scripts: files of the page's script.
        content: what page.html takes, besides style and script.
    """
    style, script = _read("report.css"), _read(*scripts)
    page = templates.get_template("page.html").render(
        version=__version__,
        style=style,
        script=script,
        style_hash=_csp_hash(style),
        script_hash=_csp_hash(script),
        **content,
    )
    return page.encode("utf-8", "replace")  # file names may hold lone surrogates


def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("kancli", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    templates.globals |= {"VERDICT_SYMBOLS": VERDICT_SYMBOLS, "STATUS_SYMBOLS": sections.STATUS_SYMBOLS}
    return templates


def _read(*names: str) -> str:
    return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in names)


def _sweep_sections(runs: RunsFolder, base: str, data: Mapping[str, Any]) -> list[Section]:
    return [
        Section("Plan", "plan.html", sections.plan(runs)),
        Section("Failures", "failures.html", sections.failures(runs.rows, base)),
        Section("Ranking", "ranking.html", ranking_section(runs.folder)),
        Section("Results", "results.html", tables.results(data)),
        Section("Main effects", "effects.html", tables.effects(runs.rows, data["shown"])),
        Section("Figures", "figures.html", _figures(runs, base)),
        Section("Verdicts", "verdicts.html", tables.verdict_summary(runs.rows, _config(runs))),
        Section("Environment", "environment.html", _environment(runs)),
        Section("Replay", "replay.html", sections.replay(runs)),
    ]


def _run_sections(runs: RunsFolder, base: str) -> list[Section]:
    return [
        Section("Failures", "failures.html", sections.failures(runs.rows, base)),
        Section("Training", "training.html", _from_stats(runs, lambda: _training(runs.stats))),
        Section("Verdicts", "run_verdicts.html", _from_stats(runs, lambda: tables.run_verdicts(runs.rows[0].verdicts))),
        Section("Layers", "layers.html", _from_stats(runs, lambda: tables.layers(runs.stats["layers"]))),
        Section("Figures", "figures.html", _figures(runs, base)),
        Section("Environment", "environment.html", _environment(runs)),
        Section("Replay", "replay.html", sections.replay(runs)),
    ]


def _training(stats: Mapping[str, Any]) -> dict[str, Any] | None:
    """What training came to; None for a run without."""
    return {"lines": training_lines(stats["training"])} if stats.get("training") else None


def _from_stats(runs: RunsFolder, make: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    """Return a section's content from stats.json; None if the run has none.

    Raises:
        ConfigError: stats.json is damaged.
    """
    if not runs.rows[0].verdicts:
        return None
    try:
        return make()
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ConfigError([f"{runs.folder}/stats.json: damaged: {one_line(error)}"]) from None


def _figures(runs: RunsFolder, base: str) -> dict[str, Any] | None:
    figures, links = images.folder_figures(runs, base)
    thumbnails, thumbnail_links, remarks = ([], [], []) if runs.is_run else images.job_figures(runs, base)
    if not (figures or links or thumbnails or thumbnail_links):
        return None
    return {
        "figures": figures,
        "links": links,
        "thumbnails": thumbnails,
        "thumbnail_links": thumbnail_links,
        "remarks": remarks,
    }


def _environment(runs: RunsFolder) -> dict[str, Any]:
    config = _config(runs)
    return {
        **environment(runs.rows, runs.records),
        "config": None if config is None else tables.format_config(config),
    }


def _config(runs: RunsFolder) -> Mapping[str, Any] | None:
    return next((record.config for record in runs.records if record is not None), None)


def _csp_hash(text: str) -> str:
    """Return the hash by which the page's Content-Security-Policy allows a script or style, and no other."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
