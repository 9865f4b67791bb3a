"""Write `report.html` into the folder of a sweep, of runs or of a run: a page that needs neither network nor server.

The same folder gives the same bytes. torch is not imported."""

from __future__ import annotations

from pathlib import Path

from kancli.errors import ConfigError
from kancli.report.page import render_page
from kancli.runs.files import write_whole
from kancli.sweeps.reader import read_folder

NAME = "report.html"


def write_report(folder: Path) -> Path:
    """Write the page into the folder that it reports on, and return its path.

    Raises:
        ConfigError: the folder holds no runs, a file is damaged, or the page cannot be written.
    """
    content = render_page(read_folder(folder))
    path = folder / NAME
    try:
        write_whole(path, content)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from None
    return path
