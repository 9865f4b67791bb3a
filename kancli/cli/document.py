"""The option --json of every verb: one JSON document on stdout instead of tables."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kancli.config.presets import Presets


def print_document(
    run: Callable[[argparse.Namespace, Presets], int], args: argparse.Namespace, presets: Presets, known: dict[str, Any]
) -> int:
    """Run a verb silently and print the document that it leaves in `args.document`; return its exit code.

    Args:
        known: gets what the document holds already when the verb raises an exception, for `print_error_document`.
    """
    args.document = {}
    try:
        with open(os.devnull, "w", errors="replace") as nowhere, contextlib.redirect_stdout(nowhere):
            code = run(args, presets)
    except BaseException:
        known |= args.document if isinstance(args.document, dict) else {}
        raise
    print_json(args.document)
    return code


def print_error_document(known: Mapping[str, Any], message: str, code: int) -> None:
    """Print the document of an error: what was known before, `error` and `exit_code`."""
    print_json({**known, "error": message, "exit_code": code})


def print_json(document: Any) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=False), flush=True)


def print_files(args: argparse.Namespace, written: Sequence[Path], **more: Any) -> None:
    """Print the paths of the files that a verb wrote; the document of --json has them as `files`, and `more`."""
    args.document = {"files": list(map(str, written)), **more}
    for path in written:
        print(path)


def document_of_run(folder: Path) -> dict[str, Any]:
    """The folder of a run, its status and identity, and the contents of its stats.json."""
    from kancli.runs.reader import read_run

    run = read_run(folder)
    stats = run.stats if run.record.has_ended and run.has("stats.json") else None
    return {"folder": str(folder), "status": run.record.status, "identity": run.record.identity, "stats": stats}


def document_of_sweep(folder: Path) -> dict[str, Any]:
    """The folder of a sweep, and the contents of its summary.json if it has been started."""
    from kancli.runs.json_files import read_json

    summary = folder / "summary.json"
    return {"folder": str(folder), **(read_json(summary) if summary.exists() else {})}
