"""A race for the terminal, as a table of all networks, and as the figure takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from kancli.racing.result import Entry, RaceRecord, RoundResult
from kancli.ranking.output import interval
from kancli.runs.console import number
from kancli.sweeps.results import encode_csv

if TYPE_CHECKING:
    from kancli.figures.race import RaceData

COLUMNS = ("round", "steps", "candidate", "seed", "kept", "validation_loss", "test_loss")
FINAL = "final"
CAPTION = (
    "loss: geometric mean over seeds of the mean squared error on samples that do not train, after the last steps that"
    " a candidate made; ratio: the winner's test loss over the candidate's, with its interval"
)


def as_csv(record: RaceRecord) -> bytes:
    """One row for each network in each round; losses of networks that diverged are empty."""
    rows = [
        (name, result.steps, entry.candidate, seed, str(entry.kept).lower(), validation, test)
        for name, result in _rounds(record)
        for entry in result.entries
        for seed, validation, test in zip(
            result.seeds, entry.validation_by_seed, entry.test_by_seed or [None] * len(result.seeds), strict=True
        )
    ]
    return encode_csv(COLUMNS, rows)


def _rounds(record: RaceRecord) -> list[tuple[str, RoundResult]]:
    rounds = [(str(place), result) for place, result in enumerate(record.rounds, 1)]
    return [*rounds, (FINAL, record.final)] if record.final else rounds


def format_race(record: RaceRecord) -> list[Table | Text | str]:
    """The candidates in the order of their last round, what the numbers rest on, the answer, and the line to type."""
    answer = record.answer
    if answer is None:
        return []
    title = "a full run of it:" if record.final else "a full run of the one ahead:"
    command = Text(f"  {answer.command}", no_wrap=True)
    return [_table(record), CAPTION, "", *answer.remarks, answer.sentence, title, command]


def table_lines(record: RaceRecord) -> list[list[str]]:
    """The cells of the table of candidates, the header first; those that came further come first."""
    lines = [["candidate", "round", "steps", "seeds", "validation loss", "test loss", "ratio", "interval"]]
    shown: set[str] = set()
    for name, result in reversed(_rounds(record)):
        for entry in result.entries:
            if entry.candidate not in shown:
                shown.add(entry.candidate)
                lines.append(_cells(record, name, result, entry))
    return lines


def _table(record: RaceRecord) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    header, *lines = table_lines(record)
    for title in header:
        table.add_column(title, justify="left" if title == "candidate" else "right", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    return table


def _cells(record: RaceRecord, name: str, result: RoundResult, entry: Entry) -> list[str]:
    ratios = record.answer.ratios if record.answer else {}
    lost = f" ({entry.lost} diverged)" if entry.lost else ""
    cells = [entry.candidate, name, str(result.steps), str(len(result.seeds)), number(entry.validation) + lost]
    if name != FINAL:
        return [*cells, "", "", ""]
    ratio = ratios.get(entry.candidate)
    if ratio is None:
        return [*cells, number(entry.test), "1", ""]
    return [*cells, number(entry.test), number(ratio.ratio), interval(ratio)]


def figure_data(record: RaceRecord) -> RaceData:
    """What the figure shows: the validation losses by steps, and the test losses of the final."""
    from kancli.figures.race import Line, RaceData

    lines: dict[str, list[tuple[int, float]]] = {candidate.name: [] for candidate in record.candidates}
    for _, result in _rounds(record):
        for entry in result.entries:
            if entry.validation is not None:
                lines[entry.candidate].append((result.steps, entry.validation))
    final = record.final.entries if record.final else record.rounds[-1].entries[:2]
    named = [entry.candidate for entry in final]
    tests = [(entry.candidate, [loss for loss in entry.test_by_seed if loss is not None])
             for entry in (record.final.entries if record.final else ())]  # fmt: skip
    return RaceData(record.task, [Line(name, points, name in named) for name, points in lines.items()], tests)
