"""The figures: what can be asked for, and drawing by name. One module a figure, imported when it is drawn."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kancli.figures.options import FigureOptions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.figures.data import FigureData

log = logging.getLogger("kancli")


# What makes the bytes of a file repeat: no dates, and no ids by chance.
WITHOUT_DATES = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def plot(name: str, data: FigureData, options: FigureOptions) -> Figure:
    """Draw one figure of `NAMES`.

    Args:
        look: how it should look.

    Raises:
        NothingToDrawError: the run lacks what the figure shows.
    """
    with _own_style():
        return importlib.import_module(f"kancli.figures.{name}").plot(data, options)


def files(data: FigureData, options: FigureOptions) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Draw all figures asked for: the name of each, and its files by their names in a run's folder. One that shows what
    the run lacks is left out with a warning."""
    from kancli.figures.data import NothingToDrawError

    for name in options.names:
        try:
            figure = plot(name, data, options)
        except NothingToDrawError as error:
            log.warning("%s", error)
            continue
        yield name, {f"figures/{file}": content for file, content in encode_all(name, figure, options).items()}


@contextlib.contextmanager
def drawing_in(folder: Path) -> Iterator[None]:
    """Draw within. matplotlib wants a folder for its list of fonts; where it finds none that it can write to, it has
    one in `folder` meanwhile, and says nothing of it."""
    speaks = logging.getLogger("matplotlib")
    level = speaks.level
    speaks.setLevel(logging.ERROR)
    try:
        if _has_temporary_folder():  # matplotlib makes its own there, where it may not at home
            yield
            return
        with tempfile.TemporaryDirectory(prefix=".matplotlib-", dir=folder) as cache:
            os.environ["MPLCONFIGDIR"] = cache
            try:
                yield
            finally:
                del os.environ["MPLCONFIGDIR"]
    finally:
        speaks.setLevel(level)


def _has_temporary_folder() -> bool:
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        return False
    return True


def encode_all(name: str, figure: Figure, options: FigureOptions) -> dict[str, bytes]:
    """A figure in the formats asked for, by file name."""
    return {f"{name}.{each}": encode(figure, each, options.dpi) for each in options.format}


def encode(figure: Figure, format: str, dpi: float) -> bytes:
    """A figure as a file of one of `FORMATS`. The same figure gives the same bytes."""
    buffer = io.BytesIO()
    # The fastest compression: a third of the time, a few per cent more bytes.
    more: dict[str, Any] = {"pil_kwargs": {"compress_level": 1}} if format == "png" else {}
    with _own_style(), warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", "Glyph")
        figure.savefig(buffer, format=format, dpi=dpi, metadata=WITHOUT_DATES[format], **more)
    glyphs = [each for each in caught if "Glyph" in str(each.message)]
    for each in caught:
        if each not in glyphs:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if glyphs:
        log.warning("figures: the font lacks some letters of a name or title; boxes stand for them")
    return buffer.getvalue()


def _own_style() -> AbstractContextManager[None]:
    """matplotlib's defaults, whatever a matplotlibrc or a notebook's style says: one config, one picture."""
    import matplotlib as mpl

    changed = {
        name: value
        for name, value in mpl.rcParamsDefault.items()
        if not name.startswith("backend") and mpl.rcParams[name] != value
    }
    changed["svg.hashsalt"] = "kancli"
    changed["text.hinting"] = "none"  # letters are drawn in two thirds of the time
    return mpl.rc_context(changed)  # pyright: ignore[reportArgumentType]
