"""The command line: words in, exit code out."""

from __future__ import annotations

from kancli.cli.dispatch import main

__all__ = ["main"]
