"""`kan-run resume RUN`: go on with a run whose training was interrupted or killed, from the state that it saved."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from kancli.config.identity import config_of, identity
from kancli.config.recorded import check_config
from kancli.config.validation import validate
from kancli.errors import ConfigError, one_line
from kancli.runs.folder import RunFolder
from kancli.runs.input_file import input_files_of, locate
from kancli.runs.print_run import Style
from kancli.runs.reader import read_run
from kancli.runs.record import initial_record, run_in_folder
from kancli.runs.record_training import Bar
from kancli.runs.temporaries import remove_abandoned
from kancli.runs.training import check_resumable
from kancli.runs.training_state import STATE, read_state

log = logging.getLogger("kancli")

RESUMABLE = ("running", "interrupted")  # of a run that was killed, or got a signal


def resume_run(
    path: Path, *, style: Style, progress: Callable[[str], AbstractContextManager[None]], bar: Bar
) -> dict[str, Any]:
    """Compute the start of a run again, and go on with its training; it ends as if it had not been interrupted.

    Args:
        style, progress, bar: as for `record_run`.

    Returns:
        The contents of stats.json.

    Raises:
        ConfigError: the run has ended, is at work or has no training; or its record or its state is damaged.
    """
    run = read_run(path)
    record = run.record
    if record.status not in RESUMABLE:
        raise ConfigError([f"{path}: the run has ended ({record.status}); repeat it: kan-run rerun {path}"])
    config = locate(record.config, record.input_files, path)
    check_config(config, path / "run.json")
    settings = validate(config)
    if not settings.trains:
        raise ConfigError([f"{path}: a run without training is short, and starts again: kan-run rerun {path}"])
    if identity(settings) != record.identity:
        raise ConfigError([f"{path}: its files have changed since it began; repeat it: kan-run rerun {path}"])
    state = read_state(path)
    if state is not None:
        try:
            check_resumable(settings, state)
        except ValueError as error:
            remedy = "remove it to train from the start"
            raise ConfigError([f"{path}: {STATE}: {one_line(error)}; {remedy}"]) from None
    head = initial_record(
        config_of(settings), identity(settings), record.overrides, record.argv, input_files_of(settings, path)
    )
    folder = RunFolder.reopen(run, {**head, "started": record.started or head["started"], "resumed": head["started"]})
    for name in (STATE, "run.json"):
        remove_abandoned(path / name)
    log.info("training goes on from step %d", 0 if state is None else state.step)
    return run_in_folder(
        settings, folder, overrides=record.overrides, style=style, progress=progress, bar=bar, state=state
    )
