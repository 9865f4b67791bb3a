"""A race as plain values: the contents of race.json. None is an undefined number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from kancli.racing.options import RaceOptions
from kancli.ranking.result import Ratio

SCHEMA = 1
Status = Literal["running", "complete", "out of time", "failed"]  # failed: all networks diverged


@dataclass(frozen=True)
class Entry:
    """A candidate in a round: its mean squared errors on the samples that select, and in the final on those that do
    not."""

    candidate: str
    kept: bool  # whether it goes on; in the final, whether it won
    validation: float | None  # geometric mean over seeds; a diverged network counts as an untrained one
    test: float | None  # the same on the test samples; None before the final
    lost: int  # networks that diverged
    validation_by_seed: Sequence[float | None]  # None of those
    test_by_seed: Sequence[float | None] = ()


@dataclass(frozen=True)
class RoundResult:
    """What a round came to."""

    steps: int  # since the start of training
    seeds: Sequence[int]
    entries: Sequence[Entry]  # the best first


@dataclass(frozen=True)
class CandidateRecord:
    """What took part."""

    name: str
    command: str  # for a full run
    identity: str  # of its settings
    enters: bool  # false for the default scheme where it was not named: it is measured in the final, and cannot win
    too_slow: bool  # left out, so that the others have time
    seconds_a_step: float  # of one network


@dataclass(frozen=True)
class Answer:
    """What a race found.

    Args:
        ratios: of the winner's test loss to those of the others in the final, by name; none without a final.
    """

    winner: str
    runner_up: str
    default: str
    ratios: Mapping[str, Ratio]
    test: float | None  # the winner's, geometric mean over the final's seeds
    sentence: str
    remarks: Sequence[str]
    command: str  # for a full run of the winner

    @property
    def to_runner_up(self) -> Ratio | None:
        """The ratio to the runner-up; None without a final."""
        return self.ratios.get(self.runner_up)

    @property
    def to_default(self) -> Ratio | None:
        """The ratio to the default; None if that is the winner, or without a final."""
        return self.ratios.get(self.default)


@dataclass(frozen=True)
class RaceRecord:
    """The contents of race.json."""

    schema: int
    status: Status
    typed: Sequence[str]
    options: RaceOptions
    task: str
    is_equation: bool
    samples: Mapping[str, int]  # by use: train, validation, test
    untrained: Mapping[str, float]  # mean square of the targets, by use
    steps: int  # of the settings
    final_steps: int  # of the final, fewer where the time is short
    candidates: Sequence[CandidateRecord]
    rounds: Sequence[RoundResult] = ()  # before the final
    final: RoundResult | None = None
    answer: Answer | None = None
    batches: Sequence[Sequence[tuple[int, int]]] = field(default=())  # candidate and seed of the networks in training
    member_steps: int = 0  # steps of all networks together
    seconds: float = 0.0
    semantics: int = 0
    self_sha256: str = ""
