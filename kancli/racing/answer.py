"""The answer of a race in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kancli.racing.result import Answer, RaceRecord
from kancli.racing.schedule import LEVEL, SLOW
from kancli.racing.selection import compare
from kancli.ranking.result import Ratio
from kancli.ranking.words import fold, join, times
from kancli.runs.console import number

Array = np.ndarray

FEW_SAMPLES = 30  # of the test, below which they decide more than the networks do


def answer_of_final(
    record: RaceRecord, by_name: Mapping[str, tuple[Array, Array]], default: str, level: float, looks: int
) -> Answer:
    """The answer of the final so far.

    Args:
        by_name: of each of its candidates, log test losses `[s]` and the shares of the samples in them `[n]`.
        level: of the intervals.
        looks: how often the finalists may be compared.
    """
    final, rope = record.final, record.options.rope
    assert final is not None
    winner, runner_up = (entry.candidate for entry in final.entries[:2])

    def ratio_to(other: str) -> Ratio:
        (first, first_shares), (second, second_shares) = by_name[winner], by_name[other]
        return compare(first, second, (first_shares, second_shares), level=level, rope=rope)

    ratios = {name: ratio_to(name) for name in by_name if name != winner}
    return Answer(
        winner=winner,
        runner_up=runner_up,
        default=default,
        ratios=ratios,
        test=final.entries[0].test,
        sentence="; ".join(
            [_beside(winner, runner_up, ratios[runner_up], rope), _cost(default, runner_up, ratios.get(default))]
        ),
        remarks=_remarks(record, looks),
        command=_command(record, winner),
    )


def answer_of_rounds(record: RaceRecord, default: str) -> Answer:
    """Who led in a race that ended before its final."""
    last = record.rounds[-1]
    winner, runner_up = (entry.candidate for entry in last.entries[:2])
    cause = f"race.minutes={number(record.options.minutes)} is over"
    if record.status == "failed":
        cause = "every network diverged"
    sentence = (
        f"undecided: {cause} before the final; after {last.steps} of {record.steps} steps {winner} leads, then"
        f" {runner_up}"
    )
    return Answer(winner, runner_up, default, {}, None, sentence, [], _command(record, winner))


def _command(record: RaceRecord, name: str) -> str:
    return next(candidate.command for candidate in record.candidates if candidate.name == name)


def _beside(winner: str, runner_up: str, ratio: Ratio, rope: float) -> str:
    """The winner beside the runner-up: by how much, and how sure."""
    if ratio.difference == "equivalent":
        return (
            f"no difference that matters between {winner} and {runner_up}: test loss {times(ratio)} as high, within a"
            f" factor of {rope:g}"
        )
    if ratio.difference == "lower":
        return f"{winner} wins: test loss {fold(ratio)} lower than that of {runner_up}, the runner-up"
    if ratio.difference == "higher":
        return (
            f"undecided between {winner} and {runner_up}: validation is for {winner}, but its test loss is"
            f" {times(ratio)} as high"
        )
    return f"undecided between {winner} and {runner_up}: {winner}'s test loss is {times(ratio)} as high"


def _cost(default: str, runner_up: str, ratio: Ratio | None) -> str:
    """What the default scheme would have cost."""
    if ratio is None or default == runner_up:
        return f"{default} is what kan-run takes by default"
    if ratio.low is None:
        return f"nothing can be said of {default}, which kan-run takes by default"
    return f"{default}, which kan-run takes by default, would have {fold(ratio)} that loss"


def _remarks(record: RaceRecord, looks: int) -> Sequence[str]:
    """What the numbers rest on, and what they cannot say."""
    final, samples = record.final, record.samples
    assert final is not None
    corrected = f", corrected for {looks} looks," if looks > 1 else ""
    used = f"seeds {final.seeds[0]} to {final.seeds[-1]}"
    lines = [
        f"selected and named by {samples['validation']} validation samples; measured on {samples['test']} test samples,"
        f" which selected nothing, with {used}, which were used for nothing before",
        f"intervals: {100 * (1 - LEVEL):g} %{corrected} for other seeds and other samples like these",
    ]
    if record.is_equation:
        lines[0] = (
            "the loss of an equation is no error: networks are selected and measured by the squared error against the"
            f" known solution, at {samples['validation']} points and at {samples['test']} others, with fresh {used}"
        )
    if samples["test"] < FEW_SAMPLES:
        lines.append(f"{samples['test']} test samples are few: the answer may be theirs")
    if record.final_steps < record.steps:
        lines.append(
            f"after {record.final_steps} of {record.steps} steps, for which race.minutes="
            f"{number(record.options.minutes)} is too short; schemes may change places later"
        )
    if slow := [candidate.name for candidate in record.candidates if candidate.too_slow]:
        lines.append(f"left out, for steps that take more than {SLOW} times the median's: {join(slow)}")
    if lost := [f"{entry.lost} of {entry.candidate}" for entry in final.entries if entry.lost]:
        lines.append(f"diverged in the final: {join(lost)}; they count as untrained networks")
    return lines
