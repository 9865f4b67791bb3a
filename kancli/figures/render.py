"""Render figures by name to files. A figure's module is imported when the figure is plotted."""

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
from typing import TYPE_CHECKING

from kancli.figures.options import OF_KAN, FigureOptions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from kancli.figures.data import FigureData

log = logging.getLogger("kancli")

# Dates would make the bytes of a file differ from run to run.
METADATA = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}


def plot(name: str, data: FigureData, options: FigureOptions) -> Figure:
    """Plot one of the figures named in `options.NAMES`.

    Raises:
        NothingToDrawError: the run lacks the data of the figure.
    """
    with _default_style():
        return importlib.import_module(f"kancli.figures.{name}").plot(data, options)


def render_files(data: FigureData, options: FigureOptions) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield the name of each figure of a run, and the contents of its files by path in the run's folder.

    Skips a figure whose data the run lacks, with a warning, and those of an MLP that show splines.
    """
    from kancli.figures.data import NothingToDrawError

    for name in options.drawn(trained=data.training is not None):
        if name in OF_KAN and not data.is_kan:
            log.info("figures=%s: an MLP has no splines on its edges; left out", name)
            continue
        try:
            figure = plot(name, data, options)
        except NothingToDrawError as error:
            log.warning("%s", error)
            continue
        yield name, {f"figures/{file}": content for file, content in encode_all(name, figure, options).items()}


@contextlib.contextmanager
def matplotlib_cache(folder: Path) -> Iterator[None]:
    """Context manager: gives matplotlib a temporary cache in `folder` where it has no other place for one.

    matplotlib stores its list of fonts in the cache. Its warnings about it are silenced.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        if _has_temporary_folder():  # matplotlib falls back to it if the home folder is read-only
            yield
            return
        with tempfile.TemporaryDirectory(prefix=".matplotlib-", dir=folder) as cache:
            os.environ["MPLCONFIGDIR"] = cache
            try:
                yield
            finally:
                del os.environ["MPLCONFIGDIR"]
    finally:
        logger.setLevel(level)


def _has_temporary_folder() -> bool:
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        return False
    return True


def encode_all(name: str, figure: Figure, options: FigureOptions) -> dict[str, bytes]:
    """Encode a figure in all formats of the options, by file name."""
    return {f"{name}.{format}": encode(figure, format, options.dpi) for format in options.format}


def encode(figure: Figure, format: str, dpi: float) -> bytes:
    """Encode a figure in one of `FORMATS`. Equal figures give equal bytes."""
    buffer = io.BytesIO()
    with _default_style(), warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", "Glyph")
        figure.savefig(buffer, format=format, dpi=dpi, metadata=METADATA[format])
    missing_glyphs = [warning for warning in caught if "Glyph" in str(warning.message)]
    for warning in caught:
        if warning not in missing_glyphs:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if missing_glyphs:
        log.warning("figures: the font lacks some letters of a name or title; boxes stand for them")
    return buffer.getvalue()


def _default_style() -> AbstractContextManager[None]:
    """Context manager: matplotlib's defaults in place of a matplotlibrc or a notebook's style."""
    import matplotlib as mpl

    changed = {
        name: value
        for name, value in mpl.rcParamsDefault.items()
        if not name.startswith("backend") and mpl.rcParams[name] != value
    }
    changed["svg.hashsalt"] = "kancli"  # ids that do not change from run to run
    changed["text.hinting"] = "none"  # takes two thirds of the time
    return mpl.rc_context(changed)  # pyright: ignore[reportArgumentType]
