"""A ranking as files and for the terminal: ranking.csv, ranking.json, and tables."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich import box
from rich.table import Table

from kancli.ranking.options import METRICS
from kancli.ranking.published import COLUMNS as COLUMNS_OF_MEDIANS
from kancli.ranking.published import as_rows, median_lines
from kancli.ranking.result import Count, Difference, Medians, Ranking, Ratio, SchemeRanking, TaskRatio
from kancli.runs.console import number
from kancli.runs.json_files import pretty
from kancli.sweeps.results import encode_csv

COLUMNS = ("metric", "task", "init", "ratio", "low", "high", "wins", "n")
MAX_TASKS, MAX_MEDIANS = 40, 400  # on the terminal
ANSWERS: dict[Difference, str] = {
    "lower": "lower", "higher": "higher", "equivalent": "no difference that matters", "undecided": "undecided"
}  # fmt: skip
CAPTION = (
    "ratio: geometric mean of {metric} over that of {baseline}, tasks counting alike, with its 95 % interval; middle:"
    " the same of the middle half of the runs; runs, tasks: on how many it is lower than {baseline}; first: tasks on"
    " which it is the lowest; rank: mean over tasks; p: over tasks, after Holm; answer: whether the ratio differs from"
    " 1 by a factor of {rope:g} on these tasks"
)
MEDIANS_CAPTION = (
    "medians over the seeds of a task and scheme: the last training loss, and the relative L2 error on the task's mesh;"
    " ratio: to the published number"
)
TASK_CAPTION = "ratio to {baseline} on each task, with its 95 % interval, and the runs in which it is lower"


def as_csv(ranking: Ranking) -> bytes:
    """One row for each metric, task and scheme but the baseline."""
    rows = [
        (metric, task.task, row.init, row.ratio, row.low, row.high, row.wins, row.n)
        for metric, content in ranking.metrics.items()
        for task in content.tasks
        for row in task.schemes
    ]
    return encode_csv(COLUMNS, rows)


def as_json(ranking: Ranking) -> bytes:
    """The contents of ranking.json."""
    return (pretty(msgspec.to_builtins(ranking)) + "\n").encode()


def format_ranking(ranking: Ranking) -> list[Table | str]:
    """The schemes over all tasks, the ratios by task, the sentence, and what it rests on."""
    return [
        _scheme_table(ranking),
        caption(ranking),
        "",
        *_task_table(ranking),
        TASK_CAPTION.format(baseline=ranking.baseline),
        "",
        *_medians(ranking.medians),
        *ranking.remarks,
        ranking.sentence,
    ]


def _medians(medians: Medians | None) -> list[Table | str]:
    """The table of medians, its source and remarks."""
    if medians is None:
        return []
    header, *lines = median_lines(medians)
    table = _text_table(header, lines[:MAX_MEDIANS], ("task", "init", "others", "networks"))
    n_more = len(lines) - MAX_MEDIANS
    more = [f"... and {n_more} more: medians.csv has them all"] if n_more > 0 else []
    return [table, *more, MEDIANS_CAPTION, f"published: {medians.source}", *medians.remarks, ""]


def medians_csv(medians: Medians) -> bytes:
    """One row for each metric, task, scheme and values of other swept keys."""
    return encode_csv(COLUMNS_OF_MEDIANS, as_rows(medians))


def caption(ranking: Ranking) -> str:
    """What the columns of the table of schemes are."""
    return CAPTION.format(metric=METRICS[ranking.metric], baseline=ranking.baseline, rope=ranking.rope)


def scheme_lines(ranking: Ranking) -> list[list[str]]:
    """The cells of the table of schemes, the header first."""
    header = ["init", "ratio", "95 % interval", "middle", "runs", "tasks", "first", "rank", "p", "answer"]
    has_lost = any(row.lost for row in ranking.metrics[ranking.metric].schemes)
    rows = [_cells(row, ranking, has_lost=has_lost) for row in ranking.metrics[ranking.metric].schemes]
    return [header[:-1] + ["lost"] * has_lost + header[-1:], *rows]


def _cells(row: SchemeRanking, ranking: Ranking, *, has_lost: bool) -> list[str]:
    lost = [str(row.lost)] * has_lost
    rank = number(row.mean_rank)
    if row.init == ranking.baseline:
        return [row.init, "1", "", "", "", "", str(row.first), rank, "", *lost, ""]
    tasks, first = ("", "") if row.is_reference else (_share(row.per_task), str(row.first))
    ratios = [number(row.overall.ratio), interval(row.overall), number(row.interquartile.ratio)]
    answer, p = ANSWERS[row.overall.difference], number(row.p_holm)
    if row.is_reference:
        rank, p, answer = "", "", f"reference: {answer}"
    return [row.init, *ratios, _share(row.per_run), tasks, first, rank, p, *lost, answer]


def _scheme_table(ranking: Ranking) -> Table:
    header, *rows = scheme_lines(ranking)
    return _text_table(header, rows, ("init", "answer"))


def _text_table(header: Sequence[str], rows: Sequence[Sequence[str]], texts: Sequence[str]) -> Table:
    """A table of cells; columns of `texts` are aligned to the left."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for title in header:
        table.add_column(title, justify="left" if title in texts else "right", no_wrap=title != "answer")
    for row in rows:
        table.add_row(*row)
    return table


def _task_table(ranking: Ranking) -> list[Table | str]:
    content = ranking.metrics[ranking.metric]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("task", no_wrap=True)
    for row in content.tasks[0].schemes:
        table.add_column(row.init, justify="right")
    for task in content.tasks[:MAX_TASKS]:
        cells = (
            f"{number(row.ratio)} {interval(row)} {row.wins}/{row.n}" if row.ratio is not None else "-"
            for row in task.schemes
        )
        table.add_row(task.task + (" (pole)" if task.singular else ""), *cells)
    n_more = len(content.tasks) - MAX_TASKS
    return [table, *([f"... and {n_more} more: ranking.csv has them all"] if n_more > 0 else [])]


def interval(row: Ratio | TaskRatio) -> str:
    """The ends of an interval; empty without one."""
    return "" if row.low is None else f"{number(row.low)} to {number(row.high)}"


def _share(count: Count) -> str:
    return f"{count.wins} of {count.n}"
