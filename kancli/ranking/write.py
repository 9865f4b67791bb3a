"""Write ranking.csv, ranking.json, medians.csv and the figure of a ranking."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kancli.figures import render as figures
from kancli.figures.options import FigureOptions
from kancli.ranking.options import METRICS
from kancli.ranking.output import as_csv, as_json, medians_csv
from kancli.ranking.result import NAME, Ranking, Ratio, TaskRatio
from kancli.runs.derived import write_derived

if TYPE_CHECKING:
    from kancli.figures.ranking import RankingData


def write(ranking: Ranking, first: Path, target: Path | None, *, overwrite: bool) -> list[Path]:
    """Write the files of a ranking; return their paths.

    Args:
        first: the folder of the first sweep, which takes the files.
        target: the folder that takes them instead.
        overwrite: replace files that differ.

    Raises:
        ConfigError: the folder cannot be created, or a file would be replaced.
        WriteError: a file cannot be written.
    """
    from kancli.figures import ranking as figure

    options = FigureOptions()
    with figures.matplotlib_cache(first):
        encoded = figures.encode_all("ranking", figure.plot(figure_data(ranking), options), options)
    files = {"ranking.csv": as_csv(ranking), NAME: as_json(ranking)}
    if ranking.medians is not None:
        files["medians.csv"] = medians_csv(ranking.medians)
    files |= {f"figures/{name}": content for name, content in encoded.items()}
    return write_derived(target or first, files, overwrite=overwrite)


def figure_data(ranking: Ranking) -> RankingData:
    """The metric that is shown, as the figure takes it."""
    from kancli.figures.ranking import RankingData

    content = ranking.metrics[ranking.metric]
    rows = {row.init: row for row in content.schemes}
    inits = [row.init for row in content.schemes if row.init != ranking.baseline and not row.is_reference]
    references = [row.init for row in content.schemes if row.is_reference]
    schemes = [ranking.baseline, *inits, *references]
    ratios = [[_ratios(row) for row in sorted(task.schemes, key=lambda row: schemes.index(row.init))]
              for task in content.tasks]  # fmt: skip
    ratios.append([_ratios(rows[scheme].overall) for scheme in schemes[1:]])
    friedman = content.friedman
    ranked = schemes[: 1 + len(inits)]
    return RankingData(
        metric=METRICS[ranking.metric],
        schemes=ranked,
        reference=references[0] if references else None,
        tasks=[f"{task.task} (pole)" if task.singular else task.task for task in content.tasks],
        ratios=np.moveaxis(np.array(ratios, dtype=float), 2, 0),
        rope=ranking.rope,
        ranks=np.array([_number(rows[scheme].mean_rank) for scheme in ranked]),
        critical_difference=friedman and friedman.critical_difference,
        groups=[[schemes.index(name) for name in group] for group in friedman.groups] if friedman else [],
        factors=np.array(content.factors),
        profile=np.array([rows[scheme].profile or [math.nan] * len(content.factors) for scheme in ranked]),
    )


def _ratios(row: Ratio | TaskRatio) -> list[float]:
    return [_number(row.ratio), _number(row.low), _number(row.high)]


def _number(value: float | None) -> float:
    return math.nan if value is None else value
