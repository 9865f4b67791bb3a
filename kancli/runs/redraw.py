"""`kan-run draw RUN`: the figures of a finished run, drawn again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.errors import ConfigError, one_line
from kancli.figures import render as figures
from kancli.runs.derived import changed_files, write_derived
from kancli.runs.figure_data import read_figure_data, settings_of_run
from kancli.runs.folder import RunFolder
from kancli.runs.hashes import seal
from kancli.runs.json_files import read_json
from kancli.runs.reader import read_drawable_run

if TYPE_CHECKING:
    from kancli.config.presets import Presets


def draw_again(
    folder: Path, typed: Sequence[str], presets: Presets, *, target: Path | None = None, overwrite: bool = False
) -> list[Path]:
    """Draw the figures of a finished run again, and return their files.

    Args:
        typed: overrides of `figures` and its keys; the others are as the run had them.
        target: the folder to write to; None for the run's own, whose record then lists the figures.
        overwrite: replace figures that differ.

    Raises:
        ConfigError: the folder is not that of a finished run, one of its files is damaged, an override is of another
            key, there is nothing to draw, or a figure would be replaced.
    """
    run = read_drawable_run(folder)
    settings = settings_of_run(run, typed, presets)
    data = read_figure_data(run, settings)
    try:
        with figures.matplotlib_cache(folder):
            encoded = [files for _, files in figures.render_files(data, settings.figures)]  # before any is replaced
    except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
        raise ConfigError([f"{folder}/stats.json: damaged: cannot be drawn: {one_line(error)}"]) from None
    if not encoded:
        raise ConfigError([f"{folder}: nothing to draw; type for example figures=all"])
    files = {path: content for figure in encoded for path, content in figure.items()}
    if target is not None:
        named = {Path(path).name: content for path, content in files.items()}
        return write_derived(target, named, overwrite=overwrite)
    own = RunFolder(folder, {})
    for path, content in changed_files(folder, files, overwrite=overwrite).items():
        own.write(path, content)
    if own.files:
        record = read_json(folder / "run.json")  # whole: fields that this kancli does not know stay
        record["sha256"]["files"].update(own.files)
        record["sha256"].setdefault("sizes", {}).update(own.sizes)
        own.write_json("run.json", seal(record))
    return [folder / path for path in files]
