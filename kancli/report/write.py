"""What `kan-run report` does: one HTML page about a sweep, a folder of runs or a run, made from the folder alone. It
needs no network and no server, and the same folder gives the same bytes. No torch is loaded."""

from __future__ import annotations

from pathlib import Path

from kancli.errors import ConfigError
from kancli.report.page import document
from kancli.runs.files import write_whole
from kancli.sweeps.reader import read_folder

NAME = "report.html"


def write_report(folder: Path) -> Path:
    """Write the page into the folder that it is about, and return its path.

    Raises:
        ConfigError: the folder holds no runs, a file is damaged, or the page cannot be written.
    """
    content = document(read_folder(folder))
    path = folder / NAME
    try:
        write_whole(path, content)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from None
    return path
