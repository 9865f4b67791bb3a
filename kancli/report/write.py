"""Write `report.html` into the folder of a sweep, of runs or of a run: a page that needs neither network nor server.

The same folder gives the same bytes. torch is not imported."""

from __future__ import annotations

from pathlib import Path

from kancli.report.page import render_page
from kancli.runs.derived import write_derived
from kancli.sweeps.reader import read_folder

NAME = "report.html"


def write_report(folder: Path, *, overwrite: bool) -> Path:
    """Write the page into the folder that it reports on, and return its path.

    Args:
        overwrite: replace a page that differs.

    Raises:
        ConfigError: the folder holds no runs, a file is damaged, or a page would be replaced.
        WriteError: the page cannot be written.
    """
    files = {NAME: render_page(read_folder(folder))}
    (path,) = write_derived(folder, files, overwrite=overwrite, elsewhere="")
    return path
