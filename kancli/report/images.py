"""Figures as data URIs, so that the page needs no other file."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from kancli.errors import ConfigError
from kancli.figures.options import NAMES
from kancli.report.data import relative_url
from kancli.runs.reader import RecordedRun
from kancli.runs.regular_files import read_bytes
from kancli.sweeps.reader import RunsFolder

FIRST = ("sweep", "compare", "network")  # the others follow by name
MAX_BYTES = 16 << 20  # of one figure
MAX_JOBS = 24  # whose own figure is embedded
MAX_JOBS_BYTES = 6 << 20  # of all of these
NETWORK = "figures/network.png"
SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Link:
    """A file outside the page."""

    name: str
    url: str


@dataclass(frozen=True)
class Figure:
    """An embedded PNG; `url` is the file that its caption links to."""

    name: str
    source: str  # a data URI
    width: int  # in pixels
    height: int
    url: str | None = None

    @property
    def summary(self) -> str:
        """The one-line help of a run's figure, empty for others."""
        return NAMES.get(self.name, "")


def folder_figures(runs: RunsFolder) -> tuple[list[Figure], list[Link]]:
    """Read the PNG figures in a folder's `figures`, and list the SVG and PDF ones as links.

    Of a run they are those that it wrote.

    Raises:
        ConfigError: a figure is damaged.
    """
    run = next((run for _, run in runs.runs), None) if runs.is_run else None
    names = sorted(map(Path, _listed(runs.folder) if run is None else run.record.sha256.files), key=_sort_key)
    figures = [name for name in names if name.parent == Path("figures")]
    embedded = [make_figure(name.stem, _read_png(runs.folder, run, str(name)))
                for name in figures if name.suffix == ".png"]  # fmt: skip
    links = [Link(name.name, relative_url(str(name))) for name in figures if name.suffix in (".svg", ".pdf")]
    return embedded, links


def _listed(folder: Path) -> list[str]:
    figures = folder / "figures"
    return [f"figures/{path.name}" for path in figures.iterdir()] if figures.is_dir() else []


def _sort_key(path: Path) -> tuple[int, str]:
    return (FIRST.index(path.stem) if path.stem in FIRST else len(FIRST), path.name)


def job_figures(runs: RunsFolder) -> tuple[list[Figure], list[Link]]:
    """Read the network diagrams of the first jobs that have one, and list those of the other jobs as links."""
    bytes_left = MAX_JOBS_BYTES
    embedded: list[Figure] = []
    links: list[Link] = []
    for row, run in ((row, run) for row, run in runs.runs if run.has(NETWORK)):
        name = " ".join([f"job {row.number}", *(f"{key}={value}" for key, value in row.keys.items())])
        url = relative_url(f"{row.folder}/{NETWORK}")
        content = b""
        if bytes_left >= 0 and len(embedded) < MAX_JOBS:
            content = _read_png(runs.folder, run, NETWORK)
            bytes_left -= len(content)
        if content and bytes_left >= 0:
            embedded.append(make_figure(name, content, url))
        else:
            links.append(Link(name, url))
    return embedded, links


def _read_png(folder: Path, run: RecordedRun | None, name: str) -> bytes:
    """Read a PNG file of a folder, or of a run.

    Raises:
        ConfigError: it cannot be read, is not a PNG, or not what the run wrote.
    """
    content = read_bytes(folder / name, MAX_BYTES) if run is None else run.read(name, MAX_BYTES)
    if not content.startswith(SIGNATURE):
        raise ConfigError([f"{folder / name}: damaged: not a PNG"])
    return content


def make_figure(name: str, content: bytes, url: str | None = None) -> Figure:
    """Return a PNG as a figure, with the size in pixels from its header."""
    width, height = (int.from_bytes(content[offset : offset + 4], "big") for offset in (16, 20))
    return Figure(name, f"data:image/png;base64,{base64.b64encode(content).decode()}", width, height, url)
