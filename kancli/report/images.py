"""Figures as data URIs, so that the page needs no other file."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from kancli.errors import ConfigError
from kancli.figures.options import NAMES
from kancli.regular_files import read_bytes
from kancli.report.data import relative_url
from kancli.runs.reader import RecordedRun
from kancli.sweeps.reader import RunsFolder
from kancli.sweeps.representatives import select_representatives
from kancli.sweeps.row import Row

FIRST = ("ranking", "race", "sweep", "compare", "network")  # the others follow by name
MAX_BYTES = 16 << 20  # of one figure
MAX_JOBS_BYTES = 6 << 20  # of the embedded figures of jobs
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


def folder_figures(runs: RunsFolder, base: str) -> tuple[list[Figure], list[Link]]:
    """Read the PNG figures in a folder's `figures`, and list the SVG and PDF ones as links.

    Of a run they are those that it wrote.

    Args:
        base: the path from the folder of the page to that of the runs.

    Raises:
        ConfigError: a figure is damaged.
    """
    run = next((run for _, run in runs.runs), None) if runs.is_run else None
    names = sorted(map(Path, _listed(runs.folder) if run is None else run.record.sha256.files), key=_sort_key)
    figures = [name for name in names if name.parent == Path("figures")]
    embedded = [make_figure(name.stem, _read_png(runs.folder, run, str(name)))
                for name in figures if name.suffix == ".png"]  # fmt: skip
    links = [Link(name.name, relative_url(str(name), base)) for name in figures if name.suffix in (".svg", ".pdf")]
    return embedded, links


def _listed(folder: Path) -> list[str]:
    figures = folder / "figures"
    return [f"figures/{path.name}" for path in figures.iterdir()] if figures.is_dir() else []


def _sort_key(path: Path) -> tuple[int, str]:
    return (FIRST.index(path.stem) if path.stem in FIRST else len(FIRST), path.name)


def job_figures(runs: RunsFolder, base: str) -> tuple[list[Figure], list[Link], list[str]]:
    """Read the network diagram of one job for each combination of swept keys, list those of the other jobs as links,
    and say which jobs were chosen. `base` as for `folder_figures`."""
    drawn = {row.number: (row, run) for row, run in runs.runs if run.has(NETWORK)}
    if not drawn:
        return [], [], []
    selection = select_representatives([row for row, _ in drawn.values()])
    bytes_left = MAX_JOBS_BYTES
    embedded: dict[int, Figure] = {}
    for title, row in selection.jobs:
        content = _read_png(runs.folder, drawn[row.number][1], NETWORK)
        bytes_left -= len(content)
        if bytes_left >= 0:
            embedded[row.number] = make_figure(f"job {row.number}: {title}", content, _url(row, base))
    links = [
        Link(" ".join([f"job {row.number}", *(f"{key}={value}" for key, value in row.keys.items())]), _url(row, base))
        for row, _ in drawn.values()
        if row.number not in embedded
    ]
    return list(embedded.values()), links, selection.remarks


def _url(row: Row, base: str) -> str:
    return relative_url(f"{row.folder}/{NETWORK}", base)


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
