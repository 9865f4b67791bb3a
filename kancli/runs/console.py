"""Print to the terminal: a console, and numbers as text."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from kancli.runs.terminal import clean, unfiltered

UNWRAPPED = 10_000  # columns without a terminal: lines are left whole, for grep and the like
MIN_TABLE = 80  # columns: a narrower terminal wraps the lines of a table, where rich would cut its words
LINE_END = re.compile(r"(?:[^\S\n]|\x1b\[[\d;]*m)+$", re.MULTILINE)  # its blanks and codes of colours
STYLES = {"undecided": "dim", "warn": "yellow", "fail": "bold red"}  # of the verdicts that are not pass


class PipeConsole(Console):
    """A console that replaces control characters of its content, and raises BrokenPipeError when its reader has gone,
    where rich would exit."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=clean(segment.text))

    def on_broken_pipe(self) -> None:
        raise


def console(file: IO[str]) -> Console:
    """A console for a stream: colour on a terminal only, and whole lines elsewhere unless COLUMNS gives a width."""
    has_width = file.isatty() or os.environ.get("COLUMNS", "").isdigit()
    width = None if has_width else UNWRAPPED  # None: rich's own choice
    return PipeConsole(file=unfiltered(file), width=width, highlight=False, emoji=False, markup=False)


def typical(value: Any) -> float | None:
    """A number itself; of a summary over members, the mean."""
    return value["mean"] if isinstance(value, Mapping) else value


def maximum(value: Any) -> float | None:
    """A number itself; of a summary over members, the maximum."""
    return value["max"] if isinstance(value, Mapping) else value


def spread(entry: Mapping[str, Any], std: str = "std") -> str:
    """Mean and, on a second line, ±std, to three digits: seven such columns fit a terminal of 80.

    Args:
        std: name of the statistic after ±.
    """
    return f"{number(typical(entry['mean']))}\n±{number(typical(entry[std]))}"


def interval(value: Any) -> str:
    """The 95 % interval of a mean over members, where it has one; empty for a plain number."""
    has_interval = isinstance(value, Mapping) and value["low"] is not None
    return f" [{number(value['low'])}, {number(value['high'])}]" if has_interval else ""


def number(value: float | None) -> str:
    """A number to three digits; "-" for None."""
    if value is None:
        return "-"
    text = f"{value:.3g}"
    return "0" if text in ("0", "-0") else text


def share(value: float | None) -> str:
    """A share in per cent, to two digits; a share too small for them is "<0.01 %", not 0."""
    if value is None:
        return "-"
    if value >= 0.1:
        return f"{100 * value:.0f} %"
    return f"{100 * value:.2g} %" if value == 0 or value >= 5e-5 else "<0.01 %"


def show(lines: Sequence[RenderableType], file: IO[str]) -> None:
    """Print tables and lines of text, without blanks at the end of a line where they would make another.

    A `Text` with `no_wrap` stays in one line, however long: it is a command, of which a shell would run the first part.
    """
    out, wide = console(file), console(file)
    for line in lines:
        if isinstance(line, Table):
            wide.width = max(out.width, Measurement.get(out, out.options.update(max_width=MIN_TABLE), line).maximum)
        chosen = wide if isinstance(line, Table) else out
        is_whole = isinstance(line, Text) and bool(line.no_wrap)
        if file.isatty() and chosen.width <= out.width:
            chosen.print(line, soft_wrap=is_whole)
            continue
        with chosen.capture() as captured:
            chosen.print(line, soft_wrap=is_whole)
        unfiltered(file).write(LINE_END.sub(lambda match: "".join(match[0].split()), captured.get()))
