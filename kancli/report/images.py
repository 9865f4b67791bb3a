"""Figures as data URIs, so that the page needs no other file."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kancli.errors import ConfigError
from kancli.figures.options import NAMES
from kancli.report.data import relative_url
from kancli.runs.files import check_plain
from kancli.sweeps.table import Row

log = logging.getLogger("kancli")

FIRST = ("sweep", "compare", "network")  # the others follow by name
MAX_BYTES = 16 << 20  # of one figure
MAX_JOBS = 24  # whose own figure is embedded
MAX_JOBS_BYTES = 6 << 20  # of all of these
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


def folder_figures(folder: Path) -> tuple[list[Figure], list[Link]]:
    """Read the PNG figures in a folder's `figures`, and list the SVG and PDF ones as links.

    Raises:
        ConfigError: a figure is damaged.
    """
    figures = folder / "figures"
    paths = sorted(figures.iterdir(), key=_sort_key) if figures.is_dir() else []
    embedded = [make_figure(path.stem, read_png(path)) for path in paths if path.suffix == ".png"]
    links = [Link(path.name, relative_url(f"figures/{path.name}")) for path in paths if path.suffix in (".svg", ".pdf")]
    return embedded, links


def _sort_key(path: Path) -> tuple[int, str]:
    return (FIRST.index(path.stem) if path.stem in FIRST else len(FIRST), path.name)


def job_figures(folder: Path, rows: Sequence[Row]) -> tuple[list[Figure], list[Link]]:
    """Read the network diagrams of the first jobs that have one, and list those of the other jobs as links."""
    paths = [(row, path) for row in rows if (path := folder / row.folder / "figures" / "network.png").is_file()]
    bytes_left = MAX_JOBS_BYTES
    embedded: list[Figure] = []
    links: list[Link] = []
    for row, content in _undamaged(paths):
        bytes_left -= len(content)
        name = " ".join([f"job {row.number}", *(f"{key}={value}" for key, value in row.keys.items())])
        url = relative_url(f"{row.folder}/figures/network.png")
        if bytes_left >= 0 and len(embedded) < MAX_JOBS:
            embedded.append(make_figure(name, content, url))
        else:
            links.append(Link(name, url))
    return embedded, links


def _undamaged(paths: Sequence[tuple[Row, Path]]) -> Iterator[tuple[Row, bytes]]:
    for number, (row, path) in enumerate(paths):
        if number >= MAX_JOBS:  # only a link
            yield row, b""
            continue
        try:
            yield row, read_png(path)
        except ConfigError as error:
            log.warning("%s; left out", error)


def read_png(path: Path) -> bytes:
    """Read a PNG file.

    Raises:
        ConfigError: it cannot be read, or is not a PNG.
    """
    check_plain(path, MAX_BYTES)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError([f"{path}: damaged: {error.strerror}"]) from None
    if not content.startswith(SIGNATURE):
        raise ConfigError([f"{path}: damaged: not a PNG"])
    return content


def make_figure(name: str, content: bytes, url: str | None = None) -> Figure:
    """Return a PNG as a figure, with the size in pixels from its header."""
    width, height = (int.from_bytes(content[offset : offset + 4], "big") for offset in (16, 20))
    return Figure(name, f"data:image/png;base64,{base64.b64encode(content).decode()}", width, height, url)
