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
from typing import Any

import torch
from torch import Tensor

from kancli.config.identity import config_of, identity
from kancli.config.settings import Settings
from kancli.errors import KanError, NonFiniteError, VerdictError
from kancli.figures import render as figures
from kancli.figures.data import FigureData
from kancli.kan.network import KAN
from kancli.runs import signals
from kancli.runs.build import laws_of
from kancli.runs.console import number
from kancli.runs.environment import environment
from kancli.runs.experiment import compute
from kancli.runs.folder import RunFolder
from kancli.runs.hashes import ladder
from kancli.runs.result import Result
from kancli.runs.summary import _print
from kancli.seeding import SEMANTICS
from kancli.stats.network_stats import EdgeRanges
from kancli.stats.verdicts import Verdict

log = logging.getLogger("kancli")


def record_run(
    settings: Settings,
    path: Path,
    hydra_record: Mapping[str, str],
    *,
    overrides: Sequence[str],
    brief: bool,
    progress: Callable[[str], AbstractContextManager[None]],
) -> dict[str, Any]:
    """Compute a run, write its folder, print its summary and last the folder's path; return the contents of stats.json.

    Args:
        path: the folder to make.
        hydra_record: what goes into `.hydra`, by file name.
        overrides: what was typed for this run.
        brief: print one line instead of the tables.
        progress: shows what is going on.

    Raises:
        NonFiniteError: after everything was written, if a value of the forward pass is infinite or NaN.
        VerdictError: after everything was written, if a verdict failed and the settings are strict.
    """
    start = time.perf_counter()
    head = initial_record(config_of(settings), identity(settings), overrides, sys.argv)
    folder = RunFolder.create(path, hydra_record, head, overwrite=settings.overwrite)
    with record_failure(folder):
        log.info("identity %s", folder.head["identity"])
        with progress("computing"):
            result = compute(settings)
            figure_seconds = record(result, folder)
        finish(folder, result, figure_seconds, total=time.perf_counter() - start)
    try:
        _print(result, path, brief)
    except OSError:  # whoever read our output has gone; the run is recorded, and others may follow
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if (error := error_of(result)) is not None:
        raise error
    return result.stats


def initial_record(
    config: Mapping[str, Any], identity: str, overrides: Sequence[str], argv: Sequence[str]
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
        **environment(),
    }


@contextlib.contextmanager
def record_failure(folder: RunFolder) -> Iterator[None]:
    """Context manager: records an exception in run.json, then re-raises it."""
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError, KanError):  # on a full disk not even this can be said
            if signals.pending_signal(error) is not None:
                folder.close("interrupted")
            else:
                folder.close("failed", error=f"{type(error).__name__}: {error}")
        raise


def record(result: Result, folder: RunFolder) -> dict[str, float]:
    """Write all files of a run except the final run.json; return the seconds that each figure took."""
    settings = result.settings
    seconds: dict[str, float] = {}
    folder.write_tensors("params.safetensors", result.parameters())
    if result.activations:
        folder.write_tensors("activations.safetensors", result.activations)
    folder.write_stats(result.stats)
    if result.members:
        folder.write_members(result.members)
    if settings.figures.names:
        laws = laws_of(settings, result.model)
        scene = FigureData(result.figure_model, result.ranges, result.stats, result.activations, laws, settings.n_seeds)
        start = time.perf_counter()
        with figures.matplotlib_cache(folder.path):
            for name, files in figures.render_files(scene, settings.figures):
                for path, content in files.items():
                    folder.write(path, content)
                now = time.perf_counter()
                seconds[f"figure {name}"], start = now - start, now
    if result.ranges:
        folder.write_tensors("figures.safetensors", range_tensors(result.figure_model, result.ranges))
    return seconds


def range_tensors(model: KAN, ranges: Sequence[EdgeRanges]) -> dict[str, Tensor]:
    """The contents of figures.safetensors, for drawing the functions on the edges again.

    `layers.{l}.low`, `.high` `[in]` and `.mean_abs`, `.std` `[in, out]` of the first member; basis statistics as
    `.standard_mean`, `.standard_inverse_std` `[in, G + k]`, or `[s, in, G + k]` of the first members.
    """
    tensors = {}
    for index, (layer, edge_ranges) in enumerate(zip(model.layers, ranges, strict=True)):
        tensors |= {f"layers.{index}.{name}": torch.from_numpy(values) for name, values in vars(edge_ranges).items()}
        if (standard := layer.basis_statistics) is not None:
            tensors |= {f"layers.{index}.standard_{name}": tensor.cpu() for name, tensor in vars(standard).items()}
    return tensors


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
    closing = {"status": "complete"} if result.non_finite is None else {"status": "failed", "error": result.non_finite}
    failed = _failed_verdicts(result)
    for verdict in failed:
        log.info("verdict failed: %s: %s", verdict.name, verdict.detail)
    folder.close(
        **closing,
        failed_verdicts=[verdict.name for verdict in failed],
        seconds=seconds,
        ladder=ladder(folder.head["identity"], folder.tensor_hashes(), result.stats),
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
