"""Run a race round by round, from its beginning or from what race.json says is done."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from kancli.errors import NonFiniteError
from kancli.racing import schedule, selection, states
from kancli.racing.answer import answer_of_final, answer_of_rounds
from kancli.racing.candidates import Entrants
from kancli.racing.networks import Batch, Errors, Network, Trainer
from kancli.racing.options import RaceOptions
from kancli.racing.result import Entry, RaceRecord, RoundResult, Status
from kancli.racing.trial import MARGIN, is_too_short
from kancli.ranking.words import join
from kancli.runs import signals

Array = np.ndarray


class StoppedError(Exception):
    """A signal, or the end of the time, stopped a round."""


class Race:
    """The rounds of a race.

    Args:
        record: what is done.
        write: writes race.json.
        say: prints a line about the progress.
    """

    def __init__(
        self,
        folder: Path,
        entrants: Entrants,
        trainer: Trainer,
        options: RaceOptions,
        record: RaceRecord,
        write: Callable[[RaceRecord], None],
        say: Callable[[str], None],
    ) -> None:
        if record.final is None:  # the answer is that of an earlier end of the time
            record = dataclasses.replace(record, answer=None)
        self.folder, self.entrants, self.options, self.record = folder, entrants, options, record
        self.write, self.say = write, say
        self.trainer = trainer
        self.seed = entrants.candidates[0].settings.seed
        self.racing = [number for number, candidate in enumerate(record.candidates) if candidate.enters]
        self.rates = [candidate.seconds_a_step for candidate in record.candidates]
        self.n_rounds = len(schedule.plan_rounds(len(self.racing), record.final_steps))
        self.looks = schedule.plan_looks(options.seeds)
        self.begin, self.before = time.monotonic(), record.seconds
        self.new_steps = 0  # steps times networks since the record was written

    @property
    def seconds(self) -> float:
        """Time so far, that of earlier calls included."""
        return self.before + time.monotonic() - self.begin

    def run(self) -> RaceRecord:
        """Go on to the end, or until a signal or the end of the time; the record says which.

        Raises:
            NonFiniteError: every network of a round diverged.
        """
        try:
            batches = self._load() or self.trainer.divide(self._networks(self.racing, self._first_seeds()))
            for number in range(len(self.record.rounds), self.n_rounds):
                batches = self._round(number, batches)
            self._final(batches if self.record.final else [])
        except StoppedError:
            if signals.pending_signal() is None:
                self._end("out of time")
            return self.record
        self._end("complete")
        return self.record

    def _round(self, number: int, batches: Sequence[Batch]) -> list[Batch]:
        networks = [network for batch in batches for network in batch.networks]
        plan = self._plan(number, sorted({network.candidate for network in networks}))
        batches, losses, _ = self._train(batches, plan.steps)
        racing = sorted(losses)
        table = self._logs(racing, losses, "validation")
        ranks = [racing[place] for place in selection.order(table)]
        kept = set(ranks[: plan.kept])
        self.say(f"{plan.steps} steps: {join([self._name(c) for c in ranks[: plan.kept]])} stay of {len(racing)}")
        entries = [
            self._entry(candidate, table[racing.index(candidate)], losses[candidate], kept=candidate in kept)
            for candidate in ranks
        ]
        result = RoundResult(plan.steps, list(self._first_seeds()), entries)
        chosen = [part for batch in batches if (part := batch.select(kept)) is not None]
        if number == self.n_rounds - 1:
            chosen = []  # the final has networks of its own
        self._save(f"round{number}", chosen, rounds=[*self.record.rounds, result])
        return chosen

    def _final(self, batches: list[Batch]) -> None:
        members = self._finalists()
        if self.entrants.default not in members:
            members.append(self.entrants.default)  # and may win, if it entered: a slow start had it dropped
        done = len(self.record.final.seeds) if self.record.final else 0
        if not done:
            self._shrink(self._predict(members, self.looks[0]))
        for look, count in enumerate(self.looks):
            if count <= done:
                continue
            if look and self._is_decided():
                return
            if look and self._predict(members, count - done) > self._seconds_left():
                self.say(f"no time for {count} seeds")
                return
            seeds = range(self.seed + schedule.FIRST_SEEDS + done, self.seed + schedule.FIRST_SEEDS + count)
            batches = [*batches, *self.trainer.divide(self._networks(members, seeds))]
            batches, losses, errors = self._train(batches, self.record.final_steps)
            self._look(look, batches, members, losses, errors)
            done = count

    def _look(
        self,
        look: int,
        batches: Sequence[Batch],
        members: Sequence[int],
        losses: dict[int, Array],
        errors: dict[int, Errors],
    ) -> None:
        """Compare the networks of the final so far, and record it."""
        tests = {member: errors[member].test_loss for member in members}
        logs = {"validation": self._logs(members, losses, "validation"), "test": self._logs(members, tests, "test")}
        ranks = selection.order(logs["validation"])
        ranks = sorted(ranks, key=lambda place: members[place] not in self.racing)  # stable: what cannot win comes last
        count = self.looks[look]
        first = self.seed + schedule.FIRST_SEEDS
        entries = [
            self._entry(members[place], logs["validation"][place], losses[members[place]],
                        kept=place == ranks[0], test=(logs["test"][place], tests[members[place]]))
            for place in ranks
        ]  # fmt: skip
        result = RoundResult(self.record.final_steps, list(range(first, first + count)), entries)
        shares = {member: selection.shares_of_samples(errors[member].test) for member in members}
        by_name = {self._name(member): (logs["test"][place], shares[member]) for place, member in enumerate(members)}
        record = dataclasses.replace(self.record, final=result)
        level = schedule.level_per_look(len(self.looks))
        answer = answer_of_final(record, by_name, self._name(self.entrants.default), level, len(self.looks))
        self.say(f"{count} seeds: {answer.sentence}")
        self._save(f"final{look}", batches, final=result, answer=answer)

    def _train(self, batches: Sequence[Batch], steps: int) -> tuple[list[Batch], dict[int, Array], dict[int, Errors]]:
        """Train batches up to a step; return them, and by candidate its losses and errors in the order of seeds.

        Raises:
            StoppedError: by a signal, or because the time is over.
            NonFiniteError: every network diverged.
        """
        trained, found = [], []
        for batch in batches:
            done = self.trainer.train(batch, steps, self._should_stop)
            if done is None:
                raise StoppedError
            trained.append(done[0])
            found += [(network, done[1], place) for place, network in enumerate(batch.networks)]
        self.new_steps = sum(
            len(batch.networks) * (steps - (batch.state.step if batch.state else 0)) for batch in batches
        )
        by_candidate: dict[int, list[tuple[Errors, int]]] = {}
        for network, errors, place in sorted(found, key=lambda entry: (entry[0].candidate, entry[0].seed)):
            by_candidate.setdefault(network.candidate, []).append((errors, place))
        joined = {
            candidate: Errors(
                np.array([errors.validation[place] for errors, place in entries]),
                np.stack([errors.test[place] for errors, place in entries]),
            )
            for candidate, entries in by_candidate.items()
        }
        if not any(np.isfinite(errors.validation).any() for errors in joined.values()):
            self._end("failed")
            raise NonFiniteError(f"race: every network diverged within {steps} steps; take a smaller train.lr")
        return trained, {candidate: errors.validation for candidate, errors in joined.items()}, joined

    def _logs(self, candidates: Sequence[int], losses: dict[int, Array], use: str) -> Array:
        """Log losses `[k, s]` of some candidates."""
        return selection.log_losses(np.stack([losses[number] for number in candidates]), self.record.untrained[use])

    def _entry(
        self, candidate: int, logs: Array, losses: Array, *, kept: bool, test: tuple[Array, Array] | None = None
    ) -> Entry:
        """Args: test: log losses and losses on the test samples."""
        return Entry(
            self._name(candidate),
            kept,
            selection.means(logs[None])[0],
            None if test is None else selection.means(test[0][None])[0],
            int((~np.isfinite(losses)).sum()),
            _plain(losses),
            [] if test is None else _plain(test[1]),
        )

    def _finalists(self) -> list[int]:
        if not self.record.rounds:
            return list(self.racing)
        names = [entry.candidate for entry in self.record.rounds[-1].entries if entry.kept]
        return [number for number in self.racing if self._name(number) in names]

    def _is_decided(self) -> bool:
        answer = self.record.answer
        return answer is not None and answer.to_runner_up is not None and answer.to_runner_up.difference in (
            "lower", "equivalent"
        )  # fmt: skip

    def _plan(self, number: int, racing: Sequence[int]) -> schedule.Round:
        """A round, of fewer steps where those that stayed take longer than was planned."""
        done = self.record.rounds[-1].steps if self.record.rounds else 0
        rate = fmean([self.rates[candidate] for candidate in racing])
        left = schedule.plan_rounds(len(self.racing), self.record.final_steps)[number:]
        seconds = rate * (
            schedule.network_steps(left, done) + self.looks[0] * schedule.FINALISTS * self.record.final_steps
        )
        self._shrink(seconds + self._predict([self.entrants.default], self.looks[0]))
        plan = schedule.plan_rounds(len(self.racing), self.record.final_steps)[number]
        return dataclasses.replace(plan, steps=max(plan.steps, done))

    def _predict(self, candidates: Sequence[int], seeds: int) -> float:
        """Seconds to train candidates to the end."""
        return seeds * self.record.final_steps * sum(self.rates[number] for number in candidates)

    def _shrink(self, seconds: float) -> None:
        """Shorten the final if the remaining work (`seconds`) does not fit the remaining time.

        Raises:
            StoppedError: it would be too short.
        """
        done = self.record.rounds[-1].steps if self.record.rounds else 0
        left = self._seconds_left()
        steps = max(done, schedule.fitting_steps(self.record.final_steps, seconds, MARGIN * left))
        if seconds > left and steps < self.record.final_steps:
            if is_too_short(steps, self.record.steps):
                raise StoppedError
            self.say(f"race.minutes={self.options.minutes:g} allows {steps} steps, not {self.record.final_steps}")
            self.record = dataclasses.replace(self.record, final_steps=steps)

    def _seconds_left(self) -> float:
        return 60 * self.options.minutes - self.seconds

    def _should_stop(self) -> bool:
        return signals.pending_signal() is not None or self.seconds > 60 * self.options.minutes

    def _first_seeds(self) -> range:
        return range(self.seed, self.seed + schedule.FIRST_SEEDS)

    def _networks(self, candidates: Sequence[int], seeds: range) -> list[Network]:
        return [Network(candidate, seed) for candidate in candidates for seed in seeds]

    def _name(self, candidate: int) -> str:
        return self.record.candidates[candidate].name

    def _load(self) -> list[Batch]:
        groups = [[Network(*pair) for pair in group] for group in self.record.batches]
        return states.load(self.folder, self._place(), groups) if groups else []

    def _place(self) -> str:
        """The name of the round that is done last."""
        if self.record.final is None:
            return f"round{len(self.record.rounds) - 1}"
        return f"final{self.looks.index(len(self.record.final.seeds))}"

    def _save(self, place: str, batches: Sequence[Batch], **changes: object) -> None:
        """Write the states and then the record, so that a race that is killed at any moment can go on."""
        states.save(self.folder, place, batches)
        self.record = dataclasses.replace(
            self.record,
            batches=[[(network.candidate, network.seed) for network in batch.networks] for batch in batches],
            member_steps=self.record.member_steps + self.new_steps,
            seconds=self.seconds,
            **changes,  # pyright: ignore[reportArgumentType]
        )
        self.write(self.record)
        states.remove_states(self.folder, keep=place)

    def _end(self, status: Status) -> None:
        """Record the end. Only a race out of time can go on, and keeps its states."""
        can_go_on = status == "out of time"
        record = dataclasses.replace(self.record, status=status, seconds=self.seconds)
        if not can_go_on:
            record = dataclasses.replace(record, batches=[])
        if record.answer is None and record.rounds:
            answer = answer_of_rounds(record, self._name(self.entrants.default))
            record = dataclasses.replace(record, answer=answer)
        self.record = record
        self.write(record)
        if not can_go_on:
            states.remove_states(self.folder)


def _plain(losses: Array) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in losses.tolist()]
