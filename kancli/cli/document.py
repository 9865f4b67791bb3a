"""The option --json of every verb: one JSON document on stdout instead of tables."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kancli.errors import KanError

if TYPE_CHECKING:
    from kancli.config.presets import Presets


def print_document(
    run: Callable[[argparse.Namespace, Presets], int], args: argparse.Namespace, presets: Presets
) -> int:
    """Run a verb silently and print the document that it leaves in `args.document`; return its exit code.

    An error is in the document too, as `error` and `exit_code`.
    """
    args.document = {}
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            code = run(args, presets)
    except KanError as error:
        known = args.document if isinstance(args.document, dict) else {}
        _print({**known, "error": str(error), "exit_code": error.exit_code})
        raise
    _print(args.document)
    return code


def _print(document: Any) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=False), flush=True)


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
