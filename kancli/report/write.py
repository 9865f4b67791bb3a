"""Write `report.html` into the folder of a sweep, of a race, of runs or of a run: a page that needs neither network nor
server.

The same folder gives the same bytes. torch is not imported."""

from __future__ import annotations

import os
from pathlib import Path

from kancli.report.page import render_page, render_race
from kancli.runs.derived import write_derived
from kancli.sweeps.history import RACE
from kancli.sweeps.reader import read_folder

NAME = "report.html"


def write_report(folder: Path, *, target: Path | None, overwrite: bool) -> Path:
    """Write the page, and return its path.

    Args:
        target: the folder to write to; None for the one that the page reports on.
        overwrite: replace a page that differs.

    Raises:
        ConfigError: the folder holds no runs, a file is damaged, or a page would be replaced.
        WriteError: the page cannot be written.
    """
    chosen = target or folder
    base = os.path.relpath(folder.resolve(), chosen.resolve())
    is_race = (folder / RACE).exists()
    files = {NAME: render_race(folder, base) if is_race else render_page(read_folder(folder), base)}
    (path,) = write_derived(chosen, files, overwrite=overwrite)
    return path
