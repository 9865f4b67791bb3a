"""Medians over seeds of a sweep, beside the published ones of the same networks."""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from kancli.ranking.outcomes import Architecture, Outcomes, TrainedNetwork
from kancli.ranking.result import Median, Medians
from kancli.runs.json_files import convert

FILE = Path(__file__).with_name("published.yaml")
METRICS = ("train_loss", "rel_l2")


class PublishedSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers that were published of some networks."""

    title: str
    hidden: list[tuple[int, ...]]
    grids: list[int]
    tasks: dict[str, dict[str, dict[str, float]]]  # by task, scheme and metric

    def networks(self) -> set[tuple[tuple[int, ...], int]]:
        return {(hidden, grid) for hidden in self.hidden for grid in self.grids}


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of published.yaml."""

    source: str
    k: int
    steps: int
    sets: list[PublishedSet]


@functools.cache
def read_published() -> Published:
    """The published numbers."""
    import yaml

    return convert(FILE, yaml.safe_load(FILE.read_text(encoding="utf-8")), Published)


def find_medians(outcomes: Outcomes) -> Medians:
    """The medians over seeds of each task, scheme and values of other swept keys, beside published ones.

    Of several networks it is the median over them of their medians over seeds. A lost network counts as infinite. The
    ratio is None where the networks, the knobs or the steps are not those that were published.
    """
    published = read_published()
    rows = [
        _median(metric, *names, networks, published)
        for names, networks in _groups(outcomes.networks).items()
        for metric in METRICS
        if any(metric in network.values for network in networks)
    ]
    return Medians(published.source, rows, _remarks(rows, published))


def _groups(networks: Sequence[TrainedNetwork]) -> dict[tuple[str, str, str], list[TrainedNetwork]]:
    """The networks of each task, scheme and combination of the other swept keys, but for the network's own sizes."""
    groups: dict[tuple[str, str, str], list[TrainedNetwork]] = {}
    for network in networks:
        others = " ".join(word for word in network.pair[1:] if not word.startswith(("width=", "grid=", "grid.size=")))
        groups.setdefault((network.task, network.scheme, others), []).append(network)
    return groups


def _median(
    metric: str, task: str, scheme: str, others: str, networks: Sequence[TrainedNetwork], published: Published
) -> Median:
    by_size: dict[Architecture | None, list[float]] = {}
    for network in networks:
        value = math.inf if network.is_lost else network.values.get(metric, math.nan)
        by_size.setdefault(network.architecture, []).append(value)
    median = statistics.median(statistics.median(values) for values in by_size.values())
    number, is_same = _find(metric, task, networks, published)
    finite = math.isfinite(median)
    first = next(iter(by_size))
    return Median(
        metric=metric,
        task=task,
        init=scheme,
        others=others,
        networks=str(first) if len(by_size) == 1 else f"{len(by_size)} networks",
        n=min(map(len, by_size.values())),
        median=median if finite else None,
        published=number,
        ratio=median / number if finite and is_same and number else None,
    )


def _find(
    metric: str, task: str, networks: Sequence[TrainedNetwork], published: Published
) -> tuple[float | None, bool]:
    """The published number of the preset's knobs, and whether it is of the same networks and steps."""
    if not all(network.is_preset for network in networks if network.architecture is not None):
        return None, False
    for numbers in published.sets:
        number = numbers.tasks.get(task, {}).get(networks[0].init, {}).get(metric)
        if number is None:
            continue
        architectures = [network.architecture for network in networks]
        sizes = {architecture and (architecture.width[1:-1], architecture.grid) for architecture in architectures}
        is_same = sizes == numbers.networks() and all(
            architecture is not None
            and architecture.k == published.k
            and network.steps in (None, published.steps)  # None: of a lost one
            for network, architecture in zip(networks, architectures, strict=True)
        )
        return number, is_same
    return None, False


def _remarks(rows: Sequence[Median], published: Published) -> list[str]:
    """Which published numbers are of other networks, and whether there are none at all."""
    if not any(row.published is not None for row in rows):
        return ["no published numbers are known of these tasks and schemes"]
    if all(row.ratio is not None for row in rows if row.published is not None and row.median is not None):
        return []
    shown = {row.task for row in rows if row.published is not None}
    kinds = []
    for numbers in published.sets:
        if shown & numbers.tasks.keys():
            sizes = (
                f"[d,{','.join(map(str, numbers.hidden[0]))},1], grid {numbers.grids[0]}"
                if len(numbers.hidden) == 1
                else f"{len(numbers.networks())} networks"
            )
            kinds.append(f"{numbers.title}, {sizes}")
    return [
        f"no ratio where the networks or their steps differ: the published numbers are {'; '.join(kinds)},"
        f" {published.steps} steps"
    ]


def as_rows(medians: Medians) -> list[tuple[Any, ...]]:
    """The rows of medians.csv, below `COLUMNS`."""
    return [tuple(getattr(row, name) for name in COLUMNS) for row in medians.rows]


COLUMNS = ("metric", "task", "init", "others", "networks", "n", "median", "published", "ratio")


def median_lines(medians: Medians) -> list[list[str]]:
    """The cells of the table of medians, the header first: a line for each task, scheme and other swept keys."""
    from kancli.runs.console import number

    def cells(row: Median | None) -> list[str]:
        if row is None:
            return ["", "", ""]
        ours = "lost" if row.median is None else number(row.median)
        return [ours, *("" if value is None else number(value) for value in (row.published, row.ratio))]

    lines: dict[tuple[str, ...], Mapping[str, Median]] = {}
    for row in medians.rows:
        key = (row.task, row.init, row.others, row.networks, str(row.n))
        lines[key] = {**lines.get(key, {}), row.metric: row}
    header = ["task", "init", "others", "networks", "seeds"]
    header += ["train loss", "published", "ratio", "rel L2", "published", "ratio"]
    table = [header] + [[*key, *(cell for metric in METRICS for cell in cells(found.get(metric)))]
                        for key, found in lines.items()]  # fmt: skip
    if not any(line[2] for line in table[1:]):  # no other swept key
        table = [line[:2] + line[3:] for line in table]
    return table
