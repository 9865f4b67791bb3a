"""Races of made-up candidates, whose winner is known."""

import dataclasses
import math

import msgspec
import pytest

from kancli.errors import NonFiniteError
from kancli.racing.result import RaceRecord
from tests.racing.made_up import CurveTrainer, make_race


def decay(rate):
    return lambda steps: math.exp(-rate * steps / 800)


def assert_holds(ratio, value):
    """The interval of a ratio holds the true one."""
    assert ratio.low < value < ratio.high


def test_the_fastest_wins_by_its_factor(tmp_path, presets):
    trainer = CurveTrainer([*(decay(rate) for rate in (1, 2, 3, 4, 6, 5, 2.5)), decay(1.5)], noise=0.05)
    record = make_race(tmp_path, trainer, presets).run()
    answer = record.answer
    assert (record.status, answer.winner, answer.runner_up, answer.default) == ("complete", "c4", "c5", "default")
    assert_holds(answer.to_runner_up, math.exp(-1))
    assert_holds(answer.to_default, math.exp(-4.5))
    assert answer.to_runner_up.difference == "lower"
    assert answer.command == "kan-run init=c4"
    assert "c4 wins: test loss" in answer.sentence
    assert [entry.steps for entry in record.rounds] == [300, 700]
    assert record.final.seeds == [3, 4, 5, 6, 7]  # decided at the first look, on seeds of its own
    assert {entry.candidate for entry in record.final.entries} == {"c4", "c5", "default"}
    assert record.member_steps == sum(steps for _, steps in trainer.trained) == 3 * (8 * 300 + 4 * 400) + 15 * 800


def test_a_scheme_with_a_slow_start_survives_if_it_leads_by_half_of_the_steps(tmp_path, presets):
    # c0 is third of eight at first, and best from a third of the steps on.
    slow = lambda steps: 0.9 if steps < 400 else 1e-3  # noqa: E731
    others = [decay(rate) for rate in (1.2, 1.0, 0.2, 0.15, 0.12, 0.11, 0.1)]
    assert make_race(tmp_path, CurveTrainer([slow, *others], noise=0.01), presets).run().answer.winner == "c0"
    too_slow = lambda steps: 0.99 if steps < 400 else 1e-3  # noqa: E731 - behind all by the first round
    race = make_race(tmp_path / "2", CurveTrainer([too_slow, *others], noise=0.001), presets)
    (tmp_path / "2").mkdir()
    assert race.run().answer.winner == "c1"


def test_the_default_may_win_though_a_slow_start_had_it_dropped(tmp_path, presets):
    curves = [decay(rate) for rate in (1.2, 1.0, 0.9, 0.8)]
    late = lambda steps: 1.0 if steps < 750 else 0.01  # noqa: E731
    answer = make_race(tmp_path, CurveTrainer([*curves, late], noise=0.05), presets).run().answer
    assert (answer.winner, answer.runner_up, answer.to_default) == ("default", "c0", None)
    assert set(answer.ratios) == {"c0", "c1"}
    assert_holds(answer.to_runner_up, 0.01 / math.exp(-1.2))


def test_ties_stay_undecided_and_are_said_to_be(tmp_path, presets):
    record = make_race(tmp_path, CurveTrainer([decay(1)] * 2 + [decay(0)], noise=1.0), presets).run()
    assert record.answer.to_runner_up.difference == "undecided"
    assert record.answer.sentence.startswith("undecided between ")
    assert len(record.final.seeds) == 8  # the second look was taken
    close = make_race(tmp_path, CurveTrainer([decay(1)] * 2 + [decay(0)], noise=0.01), presets).run()
    assert close.answer.sentence.startswith("no difference that matters between ")
    assert len(close.final.seeds) == 5


def test_a_candidate_that_diverges_loses(tmp_path, presets):
    def diverging(steps):
        return math.nan if steps > 300 else 1e-6

    record = make_race(tmp_path, CurveTrainer([diverging, decay(3), decay(2), decay(1)]), presets).run()
    assert record.answer.winner == "c1"
    (lost,) = (entry for entry in record.rounds[0].entries if entry.candidate == "c0")
    assert (lost.lost, lost.kept, lost.validation) == (3, False, 1.0)


def test_it_says_so_if_all_diverge_and_keeps_no_states(tmp_path, presets):
    trainer = CurveTrainer([lambda steps: math.nan if steps > 300 else 1.0] * 8)
    race = make_race(tmp_path, trainer, presets, written=(written := []))
    with pytest.raises(NonFiniteError, match="every network diverged within 700 steps"):
        race.run()
    assert (race.record.status, written[-1].status, written[-1].batches) == ("failed", "failed", [])
    assert written[-1].answer.sentence.startswith(
        "undecided: every network diverged before the final; after 300 of 800"
    )
    assert not (tmp_path / "state").exists()


def test_the_time_ends_a_race_with_what_it_knows(tmp_path, presets):
    says = []
    trainer = CurveTrainer([decay(rate) for rate in (3, 2, 1, 0)], noise=0.01)
    race = make_race(tmp_path, trainer, presets, says=says, minutes=1.0)
    train, calls = trainer.train, []

    def train_then_wait(*args):
        calls.append(args)
        race.before += 40.0 if len(calls) > 1 else 0.0  # the time passes in the last batch of the round
        return train(*args)

    trainer.train = train_then_wait
    record = race.run()
    assert record.status == "out of time"
    assert record.final is None
    assert record.answer.sentence.startswith("undecided: race.minutes=1 is over before the final; after 500 of 800")
    again = make_race(tmp_path, trainer, presets, record=record, minutes=9.0)
    trainer.train = train
    assert again.run().answer.winner == "c0"


def test_the_answer_without_a_final_is_that_of_the_last_end_of_the_time(tmp_path, presets):
    trainer, record = CurveTrainer([decay(rate) for rate in (1, 2, 3, 4, 5, 6, 7, 0)], noise=0.01), None
    train = trainer.train
    for minutes, done in ((1.0, 300), (2.0, 700)):
        race = make_race(tmp_path, trainer, presets, record=record, minutes=minutes)

        def train_until_a_round_is_done(*args, race=race, done=done):
            race.before += 1000.0 if race.record.rounds and race.record.rounds[-1].steps == done else 0.0
            return train(*args)

        trainer.train = train_until_a_round_is_done
        record = race.run()
        assert record.answer.sentence.startswith(
            f"undecided: race.minutes={minutes:g} is over before the final; after {done} of 800 steps c6 leads"
        )
        record = dataclasses.replace(record, seconds=0.0)


def test_less_time_than_planned_makes_fewer_steps(tmp_path, presets):
    trainer = CurveTrainer([decay(rate) for rate in (3, 2, 1, 0)], noise=0.01)
    race = make_race(tmp_path, trainer, presets, says=(says := []), minutes=1.0)
    race.rates = [1e-2] * 4  # a network-step; 3 * 4 * 500 + 3 * 5 * 800 of them take 180 s
    record = race.run()
    assert record.final_steps == record.final.steps == pytest.approx(800 * 0.8 * 60 / 180, rel=0.1)
    assert any("race.minutes=1 allows" in line for line in says)
    assert any("of 800 steps, for which race.minutes=1 is too short" in remark for remark in record.answer.remarks)


def test_a_race_without_time_for_its_first_round_keeps_its_steps(tmp_path, presets):
    trainer = CurveTrainer([decay(rate) for rate in (3, 2, 1, 0)], noise=0.01)
    race = make_race(tmp_path, trainer, presets, minutes=0.02)
    race.rates = [1e-2] * 4  # it takes 180 s, and has 1.2
    record = race.run()
    assert (record.status, record.final_steps, record.rounds, trainer.trained) == ("out of time", 800, (), [])
    again = make_race(tmp_path, trainer, presets, record=record, minutes=9.0)
    assert again.run().answer.winner == "c0"


class KilledError(Exception):
    pass


def test_a_race_that_is_killed_at_any_moment_comes_to_the_same_end(tmp_path, presets):
    curves = [decay(rate) for rate in (1, 2, 3, 4, 5.95, 6, 2.5, 1.5)]

    def plain(record):
        return {**msgspec.to_builtins(record), "seconds": None}

    whole = CurveTrainer(curves)
    (tmp_path / "whole").mkdir()
    expected = plain(make_race(tmp_path / "whole", whole, presets).run())
    assert not (tmp_path / "whole/state").exists()
    n_calls = 0
    for at in range(1, 40):
        folder = tmp_path / str(at)
        folder.mkdir()
        trainer, written = CurveTrainer(curves), []
        train, left = trainer.train, iter(range(at))

        def train_until_killed(*args, train=train, left=left):
            if next(left, None) is None:
                raise KilledError
            return train(*args)

        trainer.train = train_until_killed
        try:
            race = make_race(folder, trainer, presets, written=written)
            assert plain(race.run()) == expected
            n_calls = at
            break
        except KilledError:
            pass
        trainer.train = train
        record = msgspec.convert(msgspec.to_builtins(written[-1]), RaceRecord) if written else None
        assert plain(make_race(folder, trainer, presets, record=record).run()) == expected
    assert n_calls > 8
