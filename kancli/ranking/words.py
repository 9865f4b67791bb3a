"""A ranking in words: the sentence that a person can repeat, and remarks on what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kancli.ranking.options import METRICS
from kancli.ranking.outcomes import Outcomes
from kancli.ranking.result import MetricRanking, Ratio, SchemeRanking
from kancli.ranking.search import NONE, Search
from kancli.ranking.significance import LEVEL
from kancli.runs.console import number

MAX_CHOSEN = 3  # combinations of knobs that a remark names
FEW_PAIRS = 5  # below, 95 % intervals cover less: `kan-run explain rank` has how much
NO_DIFFERENCE = "no difference that matters"


def make_sentence(ranking: MetricRanking, metric: str, baseline: str, rope: float) -> str:
    """The best scheme, by how much and how sure; then which of the schemes next to it do not differ."""
    if not ranking.n_tasks:
        return "no task without a pole has runs of all schemes: there is nothing to rank"
    others = [row for row in ranking.schemes if row.init != baseline]
    best = others[0]
    name = METRICS[metric]
    tasks = "this task" if ranking.n_tasks == 1 else f"these {ranking.n_tasks} tasks"
    kinds = {row.overall.difference for row in others}
    if kinds == {"equivalent"}:
        names = join([baseline, *(row.init for row in others)])
        return f"{names}: {NO_DIFFERENCE} in {name}, by a factor of {rope:g} on {tasks}"
    if best.overall.difference == "lower":
        parts = [f"{best.init}: {name} {fold(best.overall)} lower than {baseline}'s, {_standing(best, ranking)}"]
    elif kinds == {"higher"}:
        parts = [f"{baseline}: the lowest {name} on {tasks}; the next, {best.init}'s, is {times(best.overall)} as high"]
    else:
        parts = [f"on {tasks} no {name} is shown to be lower than {baseline}'s; {best.init}'s is"
                 f" {times(best.overall)} as high"]  # fmt: skip
    same = [row.init for row in others if row.overall.difference == "equivalent"]
    if same:
        parts.append(f"{NO_DIFFERENCE} between {join(same)} and {baseline}")
    return "; ".join([*parts, *_beside(best, ranking)])


def _standing(best: SchemeRanking, ranking: MetricRanking) -> str:
    """On how many tasks a scheme is first, and whether that holds over tasks."""
    first = f"first on {best.first} of {count(ranking.n_tasks, 'task')}"
    if ranking.smallest_p_holm > LEVEL:
        return f"{first}, too few to say how it is on others"
    if best.p_holm is None or best.p_holm > LEVEL:
        return f"{first}, which does not show that it is lower on others (p = {number(best.p_holm)})"
    return f"{first} (p = {number(best.p_holm)} over tasks)"


def _beside(best: SchemeRanking, ranking: MetricRanking) -> list[str]:
    """Which schemes cannot be told from the best one, or do not differ from it."""
    found: dict[str, list[str]] = {}
    for first, second, ratio in ranking.pairs:
        if best.init in (first, second):
            found.setdefault(ratio.difference, []).append(second if first == best.init else first)
    lines = []
    if same := found.get("equivalent"):
        lines.append(f"{NO_DIFFERENCE} between {best.init} and {join(same)}")
    if best.overall.difference == "lower" and (unsure := found.get("undecided")):
        lines.append(f"undecided between {best.init} and {join(unsure)}")
    return lines


def make_remarks(ranking: MetricRanking, outcomes: Outcomes) -> list[str]:
    """What the numbers of a ranking rest on, and what it cannot say."""
    lines = []
    singular = [task.task for task in ranking.tasks if task.singular]
    if singular:
        lines.append(f"left out of all means and tests, for a pole on the domain: {join(singular)}")
    lines += [_reach(ranking), *_friedman(ranking)]
    if lost := sum(network.is_lost for network in outcomes.networks):
        lines.append(
            f"{lost} of {len(outcomes.networks)} networks failed or diverged: they count as losses, and in means as the"
            " worst network of their task"
        )
    if outcomes.n_incomplete:
        lines.append(
            f"{count(outcomes.n_incomplete, 'run')} incomplete or damaged: left out; kan-run resume SWEEP runs them"
        )
    sound = [task for task in ranking.tasks if not task.singular]
    partial = len(sound) - ranking.n_tasks
    if partial:
        lines.append(f"{count(partial, 'task')} without a pair that all schemes have: left out of the tests over tasks")
    fewest = min((row.n for task in sound for row in task.schemes if row.n), default=0)
    if fewest == 1:
        lines.append("one seed a task: no interval; sweep over seeds, seed='range(10)'")
    elif 0 < fewest < FEW_PAIRS:
        lines.append(f"{fewest} seeds a task: its interval covers less than 95 %; ten are better, seed='range(10)'")
    return lines


def search_remarks(init: str | None, search: Search | None, chosen: Mapping[str, int] | None) -> list[str]:
    """Which knobs were chosen, and how often; or why a scheme was not searched.

    Args:
        init: the scheme that was to be searched.
        chosen: the number of networks with each combination of knobs.
    """
    if init is None or init == NONE:
        return []
    if search is None:
        return [f"{init}: no search: it takes two combinations of its knobs, two tasks without a pole and two seeds"]
    total = sum((chosen or {}).values())
    most = sorted((chosen or {}).items(), key=lambda entry: -entry[1])[:MAX_CHOSEN]
    names = [f"{scheme.removeprefix(f'{init} ')} for {n}" for scheme, n in most]
    return [f"{search.name}: of {len(search.schemes)} combinations of knobs, the best on other tasks and seeds: of"
            f" {total} networks {join(names)}"]  # fmt: skip


def _reach(ranking: MetricRanking) -> str:
    """The smallest p that the design can reach."""
    smallest = (
        f"the smallest p of a signed-rank test over {count(ranking.n_tasks, 'task')} is {number(ranking.smallest_p)}"
    )
    one_sided = f" ({number(ranking.smallest_p / 2)} one-sided)" if ranking.n_tasks else ""
    n_tests = len(ranking.schemes) - 1
    corrected = (
        f", {number(ranking.smallest_p_holm)} after Holm's correction for {n_tests} tests" if n_tests > 1 else ""
    )
    if ranking.smallest_p_holm <= LEVEL:
        return smallest + one_sided + corrected
    return f"{smallest}{one_sided}{corrected}: no claim about other tasks; that takes {ranking.tasks_needed}"


def _friedman(ranking: MetricRanking) -> list[str]:
    """What the test of all schemes at once says."""
    test = ranking.friedman
    if test is None:
        return []
    line = f"Friedman's test of all schemes: p = {number(test.p)} (smallest possible: {number(test.smallest_p)})"
    if test.critical_difference > len(ranking.schemes) - 1:
        return [f"{line}; no two mean ranks can differ on so few tasks (Nemenyi)"]
    return [f"{line}; mean ranks differ where they are {number(test.critical_difference)} apart (Nemenyi)"]


def fold(ratio: Ratio) -> str:
    """By how much a metric is lower: "6.1 times (5.2 to 7.3)"."""
    assert ratio.ratio is not None
    assert ratio.low is not None
    assert ratio.high is not None
    return f"{number(1 / ratio.ratio)} times ({number(1 / ratio.high)} to {number(1 / ratio.low)})"


def times(ratio: Ratio) -> str:
    """A ratio with its interval, where it has one: "1.2 times (1.1 to 1.3)"."""
    interval = "" if ratio.low is None else f" ({number(ratio.low)} to {number(ratio.high)})"
    return f"{number(ratio.ratio)} times{interval}"


def count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def join(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
