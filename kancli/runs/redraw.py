"""`kan-run draw RUN`: the figures of a finished run, drawn again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.errors import ConfigError, one_line
from kancli.figures import render as figures
from kancli.runs.folder import RunFolder
from kancli.runs.reader import figure_data_of_run, read_run

if TYPE_CHECKING:
    from kancli.config.presets import Presets


def draw_again(folder: Path, typed: Sequence[str], presets: Presets) -> list[Path]:
    """Draw the figures of a finished run again, and return the files written.

    Args:
        typed: overrides of `figures` and its keys; the others are as the run had them.

    Raises:
        ConfigError: the folder is not that of a finished run, one of its files is damaged, an override is of no figure,
            or there is nothing that can be drawn.
    """
    run = read_run(folder)
    settings, scene = figure_data_of_run(folder, run["config"], typed, presets)
    target = RunFolder(folder, {})
    try:
        with figures.drawing_in(folder):
            made = [files for _, files in figures.files(scene, settings.figures)]  # all, before any is replaced
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise ConfigError([f"{folder}/stats.json: damaged: not what is to be drawn: {one_line(error)}"]) from None
    if not made:
        raise ConfigError([f"{folder}: nothing to draw; type for example figures=all"])
    for files in made:
        for path, content in files.items():
            target.write(path, content)
    written = [folder / name for name in target.files]
    run["sha256"]["files"].update(target.files)
    target.write_json("run.json", run)
    return written
