"""`kan-run open`: show the page or the picture of a run or a sweep with the desktop's program."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from kancli.cli.arguments import epilog
from kancli.errors import ConfigError

if TYPE_CHECKING:
    from kancli.config.presets import Presets

# The most telling file first.
NAMES = ("report.html", "figures/sweep.png", "figures/compare.png", "figures/network.png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.usage = "kan-run open [RUN]"
    parser.description = (
        "Open the page of a run or a sweep, or else its picture, with the desktop's program.\n"
        "The path is on stdout; without a desktop nothing else happens."
    )
    parser.add_argument("words", nargs="*", metavar="RUN", help="the folder of a run or a sweep [latest]")
    parser.epilog = epilog(
        {"kan-run open": "the newest run", "kan-run open latest-sweep": "the newest sweep"},
        {0: "fine", 2: "no such folder, or nothing to see in it"},
    )


def run(args: argparse.Namespace, presets: Presets) -> int:
    from kancli.sweeps.history import resolve_latest

    if len(args.words) > 1:
        raise ConfigError([f"open {' '.join(args.words)}: name one folder"])
    path = _visible(Path(args.words[0] if args.words else resolve_latest("latest")))
    args.document = {"file": str(path)}
    print(path, flush=True)
    _show(path.absolute())
    return 0


def _visible(path: Path) -> Path:
    """The file to open for a path: itself, or of a folder the page or a picture.

    Raises:
        ConfigError: there is none.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise ConfigError([f"open {quote(str(path))}: no such folder; kan-run ls lists runs and sweeps"])
    for name in NAMES:
        if (path / name).is_file():
            return path / name
    pictures = sorted(path.glob("figures/*.*"))
    if not pictures:
        raise ConfigError(
            [f"open {quote(str(path))}: holds no page and no picture; type kan-run report {quote(str(path))}"]
        )
    return pictures[0]


def _show(path: Path) -> None:
    """Start the desktop's program for a file, and leave it running; do nothing without a desktop."""
    if sys.platform == "win32":
        os.startfile(path)
        return
    has_desktop = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    program = shutil.which("open" if sys.platform == "darwin" else "xdg-open") if has_desktop else None
    if program is not None:
        silent = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
        os.posix_spawn(program, [program, str(path)], os.environ, file_actions=silent, setpgroup=0)
