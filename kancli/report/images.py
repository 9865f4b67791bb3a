"""Figures as data URIs, so that the page needs no other file."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from kancli.errors import ConfigError
from kancli.report.elements import Markup, link, tag, together
from kancli.runs.files import check_plain
from kancli.sweeps.table import Row

log = logging.getLogger("kancli")

FIRST = ("sweep", "compare", "network")  # the others follow by name
MAX_BYTES = 16 << 20  # of one figure
# Of the jobs' own figures.
MAX_JOBS, MAX_JOBS_BYTES = 24, 6 << 20
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def plates(folder: Path) -> Markup:
    """The figures that lie in a folder's `figures`, shown; those of other formats as links.

    Raises:
        ConfigError: one of them is damaged.
    """
    here = folder / "figures"
    paths = sorted(here.iterdir(), key=_order) if here.is_dir() else []
    shown = (figure(read_png(path), path.stem) for path in paths if path.suffix == ".png")
    others = [path.name for path in paths if path.suffix in (".svg", ".pdf")]
    links = [tag("li", tag("a", name, href=link(f"figures/{name}"))) for name in others]
    return together([*shown, *([tag("ul", *links, class_="links")] if links else [])])


def _order(path: Path) -> tuple[int, str]:
    return (FIRST.index(path.stem) if path.stem in FIRST else len(FIRST), path.name)


def thumbnails(folder: Path, rows: Sequence[Row]) -> Markup:
    """The diagrams of the jobs that have one: the first ones shown, the others as links."""
    drawn = [(row, path) for row in rows if (path := folder / row.folder / "figures" / "network.png").is_file()]
    left, shown, links = MAX_JOBS_BYTES, [], []
    for row, content in _readable(drawn):
        left -= len(content)
        name = " ".join([f"job {row.number}", *(f"{key}={value}" for key, value in row.keys.items())])
        address = link(f"{row.folder}/figures/network.png")
        if left >= 0 and len(shown) < MAX_JOBS:
            shown.append(figure(content, name, address))
        else:
            links.append(tag("li", tag("a", name, href=address)))
    parts = [tag("div", *shown, class_="thumbnails")] if shown else []
    if links:
        title = tag("summary", f"{len(links)} more, as links")
        parts.append(tag("details", title, tag("ul", *links, class_="links")))
    return together(parts)


def _readable(drawn: Sequence[tuple[Row, Path]]) -> Iterator[tuple[Row, bytes]]:
    for number, (row, path) in enumerate(drawn):
        if number >= MAX_JOBS:  # only linked to
            yield row, b""
            continue
        try:
            yield row, read_png(path)
        except ConfigError as error:
            log.warning("%s; left out", error)


def read_png(path: Path) -> bytes:
    """A figure's bytes.

    Raises:
        ConfigError: it cannot be read, or is no PNG.
    """
    check_plain(path, MAX_BYTES)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError([f"{path}: damaged: {error.strerror}"]) from None
    if not content.startswith(SIGNATURE):
        raise ConfigError([f"{path}: damaged: no PNG"])
    return content


def figure(content: bytes, name: str, address: str | None = None) -> Markup:
    """A figure with its name under it."""
    width, height = (int.from_bytes(content[at : at + 4], "big") for at in (16, 20))
    source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    image = tag("img", src=source, alt=name, width=width or None, height=height or None)
    caption = name if address is None else tag("a", name, href=address)
    return tag("figure", image, tag("figcaption", caption))
