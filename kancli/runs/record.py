"""Record a run: compute it, write its folder, and print its summary."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kancli.config.identity import config_of, identity
from kancli.config.models import CheckpointModel
from kancli.config.settings import Settings
from kancli.errors import KanError, NonFiniteError, VerdictError, WriteError
from kancli.inputs.samplers import File
from kancli.runs import signals
from kancli.runs.console import number
from kancli.runs.environment import environment
from kancli.runs.experiment import compute
from kancli.runs.figure_files import figure_data_of, range_tensors, write_figures
from kancli.runs.folder import RunFolder
from kancli.runs.hashes import stage_hashes
from kancli.runs.input_file import NO_FILES, InputFiles, input_files_of
from kancli.runs.print_run import Style, print_run
from kancli.runs.result import Result, metadata_of, parameters_of
from kancli.seeding import SEMANTICS
from kancli.stats.verdicts import Verdict
from kancli.tasks.data import Data

if TYPE_CHECKING:
    from kancli.runs.record_training import Bar
    from kancli.training.result import TrainingState

log = logging.getLogger("kancli")


def record_run(
    settings: Settings,
    path: Path,
    hydra_record: Mapping[str, str],
    *,
    overrides: Sequence[str],
    style: Style,
    progress: Callable[[str], AbstractContextManager[None]],
    bar: Bar,
) -> dict[str, Any]:
    """Compute a run, write its folder, and print its summary and the folder's path.

    Args:
        path: the folder to create.
        hydra_record: the files of `.hydra`, by name.
        overrides: as typed for this run.
        style: how much to print.
        progress: context manager that shows a message while it is open.
        bar: shows how training goes on.

    Returns:
        The contents of stats.json.

    Raises:
        NonFiniteError: a value of the forward pass is infinite or NaN; all files are written first.
        VerdictError: a verdict failed and the settings are strict; all files are written first.
    """
    files = input_files_of(settings, path)
    initial = initial_record(config_of(settings), identity(settings), overrides, process_argv(), files)
    folder = RunFolder.create(path, hydra_record, initial, overwrite=settings.overwrite)
    return run_in_folder(settings, folder, overrides=overrides, style=style, progress=progress, bar=bar)


def run_in_folder(
    settings: Settings,
    folder: RunFolder,
    *,
    overrides: Sequence[str],
    style: Style,
    progress: Callable[[str], AbstractContextManager[None]],
    bar: Bar,
    state: TrainingState | None = None,
) -> dict[str, Any]:
    """As `record_run`, in a folder that is there.

    Args:
        state: of the training, to go on from.
    """
    start = time.perf_counter()
    with record_failure(folder):
        log_start(folder.head["identity"], settings)
        with progress("computing"):
            result = compute(settings)
            seconds = record(result, folder)
        if settings.trains:
            from kancli.runs.record_training import train_and_record

            result, more = train_and_record(result, folder, bar, state)
            seconds |= more
        finish(folder, result, seconds, total=time.perf_counter() - start)
    try:
        print_run(result, folder.path, overrides, style)
    except OSError:  # the reader of stdout has closed it; the run is recorded, and others may follow
        with open(os.devnull, "w") as null:
            os.dup2(null.fileno(), sys.stdout.fileno())
    if (error := error_of(result)) is not None:
        raise error
    return result.stats


def initial_record(
    config: Mapping[str, Any],
    identity: str,
    overrides: Sequence[str],
    argv: Sequence[str],
    files: InputFiles = NO_FILES,
) -> dict[str, Any]:
    """The contents of run.json at the start of a run, without its status."""
    return {
        "identity": identity,
        "semantics": SEMANTICS,
        "argv": list(argv),
        "overrides": list(overrides),
        "seed": config["seed"],
        "started": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "config": config,
        **files.as_json(),
        **environment(),
    }


def log_start(identity: str, settings: Settings) -> None:
    """Log the identity of a run, and how its files of samples were read."""
    log.info("identity %s", identity)
    if (mlp := settings.mlp) is not None:
        log.info("%s", mlp.describe())
        log.info("init, grid, k, base_fun, train.only and train.refine matter to the size of an MLP alone")
    for name, source in (("inputs", settings.inputs), ("task", settings.task)):
        if isinstance(source, (File, Data)):
            log.info("%s %s: %s", name, source.path, source.table().describe())
    if isinstance(settings.model, CheckpointModel):
        log.info("model %s: the parameters; what init drew them is unknown", settings.model.path)


def process_argv() -> list[str]:
    """The command line of this process as text that JSON can hold; empty in a program that embeds Python."""
    words = getattr(sys, "argv", [])
    return [str(word).encode(errors="backslashreplace").decode() for word in words]


@contextlib.contextmanager
def record_failure(folder: RunFolder) -> Iterator[None]:
    """Context manager: records an exception in run.json, then re-raises it."""
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError, KanError):  # a full disk has no room for this either
            if isinstance(error, WriteError) and error.no_room and folder.is_staged:
                folder.discard()  # it can be made again
            elif signals.pending_signal(error) is not None:
                folder.close("interrupted")
            else:
                folder.close("failed", error=f"{type(error).__name__}: {error}")
        raise


def record(result: Result, folder: RunFolder) -> dict[str, float]:
    """Write all files of a run except the final run.json; return the seconds that each figure took."""
    folder.write_tensors("params.safetensors", parameters_of(result.model), metadata_of(result.model))
    if result.activations:
        folder.write_tensors("activations.safetensors", result.activations)
    folder.write_stats(result.stats)
    if result.members:
        folder.write_members(result.members)
    figures = result.settings.figures
    seconds = write_figures(figure_data_of(result), figures, folder) if figures.names else {}
    if result.ranges:
        folder.write_tensors("figures.safetensors", range_tensors(result.figure_model, result.ranges))
    if result.trained is not None:
        from kancli.runs.record_training import record_training

        seconds |= record_training(result, folder)
    return seconds


def finish(folder: RunFolder, result: Result, figure_seconds: Mapping[str, float], *, total: float) -> None:
    """Write the final run.json of a run whose other files are written.

    Args:
        figure_seconds: as `record` returned them.
        total: seconds that the run took.
    """
    seconds = {**result.seconds, **figure_seconds, "total": total}
    log.info("seconds: %s", ", ".join(f"{name} {value:.3f}" for name, value in seconds.items()))
    if result.non_finite is not None:
        log.error("%s", result.non_finite)
    ending = {"status": "complete"} if result.non_finite is None else {"status": "failed", "error": result.non_finite}
    failed = _failed_verdicts(result)
    for verdict in failed:
        log.info("verdict failed: %s: %s", verdict.name, verdict.detail)
    mlp = result.settings.mlp
    folder.close(
        **ending,
        **({} if mlp is None else {"mlp": mlp.as_json()}),
        failed_verdicts=[verdict.name for verdict in failed],
        seconds=seconds,
        **({} if result.trained is None else {"kernel": result.trained.outcome.kernel}),
        ladder=stage_hashes(folder.head["identity"], folder.tensor_hashes(), result.stats, folder.trained_hashes()),
    )


def error_of(result: Result) -> KanError | None:
    """The error of a run whose files were all written: non-finite values, or failed verdicts if strict."""
    if result.non_finite is not None:
        return NonFiniteError(f"{result.non_finite}; what there is was saved")
    failed = _failed_verdicts(result)
    if result.settings.strict and failed:
        reasons = (f"{failure.name} {number(failure.value)}, bound {number(failure.threshold)}" for failure in failed)
        return VerdictError(f"strict=true: {'; '.join(reasons)}; all was saved")
    return None


def _failed_verdicts(result: Result) -> list[Verdict]:
    return [verdict for verdict in result.verdicts if verdict.verdict == "fail"]
