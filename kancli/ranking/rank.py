"""Rank the initialisations of some outcomes: each metric by task, over all runs, and over tasks as blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from kancli.errors import ConfigError
from kancli.ranking import bootstrap
from kancli.ranking.blocks import Block, make_blocks
from kancli.ranking.bootstrap import Estimate
from kancli.ranking.options import HELD_OUT_FIRST, METRICS, RankOptions
from kancli.ranking.outcomes import MLP, Outcomes, TrainedNetwork
from kancli.ranking.over_tasks import exp, rank_over_tasks
from kancli.ranking.published import find_medians
from kancli.ranking.reference import clause, networks_beside, with_reference, without_reference
from kancli.ranking.result import MetricRanking, Ranking, TaskRanking, TaskRatio
from kancli.ranking.search import find_search, with_searched_row
from kancli.ranking.words import make_remarks, make_sentence, search_remarks
from kancli.spelling import show
from kancli.synonyms import nearest

SCHEMA = 1
DEFAULT_BASELINE = "baseline"


def rank(outcomes: Outcomes, options: RankOptions) -> Ranking:
    """Rank the schemes by every metric that was measured.

    Raises:
        ConfigError: there is one scheme only, no run of the baseline, or no value of the metric.
    """
    outcomes, mlps = without_reference(outcomes)
    measured = list(dict.fromkeys(network.scheme for network in outcomes.networks))
    init = options.search or outcomes.study.get("search")
    is_published = outcomes.study.get("published", False) if options.published is None else options.published
    search = find_search(outcomes, init)
    schemes = _baseline_first(measured if search is None else search.rows(measured), options)
    metrics, chosen = {}, dict[str, Counter[str]]()
    for metric in METRICS:
        blocks = make_blocks(outcomes.networks, schemes if search is None else measured, metric)
        if search is not None and blocks:
            blocks, chosen[metric] = with_searched_row(blocks, measured, schemes, search, outcomes.singular)
        if blocks:
            metrics[metric] = _rank_metric(blocks, schemes, outcomes.singular, options.rope)
    shown = _shown_metric(metrics, options)
    sentence = make_sentence(metrics[shown], shown, schemes[0], options.rope)
    remarks = make_remarks(metrics[shown], outcomes) + search_remarks(init, search, chosen.get(shown))
    if mlps:
        networks = networks_beside(outcomes, mlps, schemes[0])
        metrics = {
            metric: _with_reference(ranking, networks, schemes[0], metric, outcomes.singular, options.rope)
            for metric, ranking in metrics.items()
        }
    return Ranking(
        schema=SCHEMA,
        baseline=schemes[0],
        metric=shown,
        rope=options.rope,
        networks=len(outcomes.networks) + len(mlps),
        lost=sum(network.is_lost for network in (*outcomes.networks, *mlps)),
        incomplete=outcomes.n_incomplete,
        singular=sorted(outcomes.singular),
        sentence=sentence + clause(metrics[shown], schemes[0]),
        remarks=remarks,
        metrics=metrics,
        medians=find_medians(outcomes) if is_published else None,
    )


def _with_reference(
    ranking: MetricRanking,
    networks: Sequence[TrainedNetwork],
    baseline: str,
    metric: str,
    singular: frozenset[str],
    rope: float,
) -> MetricRanking:
    """A ranking with the MLP's row.

    Args:
        networks: of the baseline and the MLP.
    """
    tasks, schemes = {task.task for task in ranking.tasks}, [baseline, MLP]
    blocks = [block for block in make_blocks(networks, schemes, metric) if block.task in tasks]
    return with_reference(ranking, _rank_metric(blocks, schemes, singular, rope)) if blocks else ranking


def _baseline_first(schemes: Sequence[str], options: RankOptions) -> list[str]:
    """The schemes with the baseline first."""
    if not schemes:
        raise ConfigError(["rank: all runs are of MLPs, which are for reference; sweep over init with model=kan,mlp"])
    if len(schemes) < 2:
        raise ConfigError([f"rank: all runs have init={schemes[0]}; name sweeps over two schemes or more"])
    baseline = options.baseline or (DEFAULT_BASELINE if DEFAULT_BASELINE in schemes else schemes[0])
    if baseline not in schemes:
        raise ConfigError([f"rank.baseline={baseline}: no run has it; allowed: {', '.join(schemes)}"
                           f"{nearest(baseline, schemes)}"])  # fmt: skip
    return [baseline, *(scheme for scheme in schemes if scheme != baseline)]


def _shown_metric(metrics: dict[str, MetricRanking], options: RankOptions) -> str:
    """The metric that is shown: as given, or the first that as many tasks have as any.

    Raises:
        ConfigError: no run has the metric, or any.
    """
    if not metrics:
        raise ConfigError(["rank: every run failed or diverged: there is nothing to rank"])
    if options.metric is None:
        measured = [metric for metric in (*HELD_OUT_FIRST, *METRICS) if metric in metrics]
        return max(measured, key=lambda metric: len(metrics[metric].tasks))
    if options.metric not in metrics:
        raise ConfigError([f"rank.metric={show(options.metric)}: no run has it; allowed: {', '.join(metrics)}"])
    return options.metric


def _rank_metric(
    blocks: Sequence[Block], schemes: Sequence[str], singular: frozenset[str], rope: float
) -> MetricRanking:
    """Rank by one metric, the first scheme being the baseline."""
    counts = bootstrap.resample_counts([block.logs.shape[1] for block in blocks])
    ratios = [block.logs[1:] - block.logs[0] for block in blocks]
    by_task, _ = bootstrap.estimate_tasks(ratios, counts)
    tasks = [
        _rank_task(block, estimate, schemes, is_singular=block.task in singular)
        for block, estimate in zip(blocks, by_task, strict=True)
    ]
    sound = [number for number, block in enumerate(blocks) if block.task not in singular]
    return rank_over_tasks(
        [blocks[number] for number in sound], [counts[number] for number in sound], schemes, tasks, rope
    )


def _rank_task(block: Block, estimate: Estimate, schemes: Sequence[str], *, is_singular: bool) -> TaskRanking:
    means = block.means
    wins, sizes = block.wins(), block.sizes()
    rows = [
        TaskRatio(
            init=scheme,
            ratio=exp(estimate.mean[number]),
            low=exp(estimate.low[number]),
            high=exp(estimate.high[number]),
            wins=int(wins[number]),
            n=int(sizes[number]),
            lost=int(block.lost[number + 1]),
        )
        for number, scheme in enumerate(schemes[1:])
    ]
    first = schemes[int(means.argmin())] if np.isfinite(means).all() else None
    return TaskRanking(block.task, is_singular, first, int(block.lost[0]), rows)
