"""Tests of the curves of training, of their statistics and of the verdicts on them."""

import csv
import io
import math

import numpy as np
import pytest

from kancli.stats.options import Verdicts
from kancli.training.curves import Curves, join, read_curves
from kancli.training.statistics import training_statistics
from kancli.training.verdicts import judge_training

NAN = math.nan
BOUNDS = vars(Verdicts())


def curves_of(train, test=None, rel_l2=None):
    """Curves at steps 0, 10, 20, ... of members, a list each."""
    train = np.array(train, dtype=float).T
    missing = np.full_like(train, NAN)
    errors = {
        "train_loss": train,
        "test_loss": missing if test is None else np.array(test, dtype=float).T,
        "rel_l2": missing if rel_l2 is None else np.array(rel_l2, dtype=float).T,
    }
    return Curves(10 * np.arange(len(train)), 0.5 * np.arange(len(train)), errors)


def statistics_of(curves, diverged=None, **options):
    diverged = diverged or [None] * curves.errors["train_loss"].shape[1]
    reasons = {}
    return training_statistics("f1", 20, curves, diverged, reasons=reasons, **options), reasons


def test_a_single_network_has_plain_numbers():
    entry, reasons = statistics_of(curves_of([[8, 0.6, 0.02]], [[9, 1, 0.04]]), ensemble=False)
    assert (entry["first_train_loss"], entry["train_loss"]) == (8, 0.02)
    assert entry["test_loss"] == 0.04
    assert (entry["steps_to_tenth"], entry["steps_to_hundredth"], entry["steps_to_thousandth"]) == (10, 20, None)
    assert entry["rel_l2"] is None
    assert reasons.keys() == {"training.rel_l2", "training.steps_to_thousandth"}
    assert (entry["diverged"], entry["seconds"]) == (0, 1.0)


def test_losses_of_members_have_the_geometric_mean_and_the_sd_of_logs():
    entry, _ = statistics_of(curves_of([[8, 1], [8, 0.01], [8, 0.1]]), ensemble=True)
    loss = entry["train_loss"]
    assert loss["mean"] == pytest.approx(0.1)
    assert loss["sd"] == pytest.approx(math.log(10))
    assert (loss["min"], loss["max"], loss["n"]) == (0.01, 1, 3)
    # Student's t at two degrees of freedom is 4.302653
    assert loss["high"] == pytest.approx(0.1 * math.exp(4.302653 * math.log(10) / math.sqrt(3)), rel=1e-5)
    assert loss["low"] * loss["high"] == pytest.approx(0.01)


def test_a_member_that_diverged_does_not_count():
    curves = curves_of([[8, 1], [8, NAN]])
    entry, _ = statistics_of(curves, [None, "step 3: layer 0 coef"], ensemble=True)
    assert entry["diverged"] == 1
    assert entry["train_loss"]["n"] == 2, "its last finite loss is the first"
    verdicts = judged(curves, [None, "step 3: layer 0 coef"])
    assert (verdicts["diverges"].verdict, verdicts["diverges"].value) == ("fail", 0.5)
    assert verdicts["diverges"].detail == "step 3: layer 0 coef"
    assert verdicts["stalls"].value == pytest.approx(1 / 8)


def judged(curves, diverged=None):
    n_members = curves.errors["train_loss"].shape[1]
    found = judge_training(curves, diverged or [None] * n_members, BOUNDS, ensemble=n_members > 1)
    return {verdict.name: verdict for verdict in found}


@pytest.mark.parametrize(
    ("train", "test", "name", "verdict"),
    [
        ([8, 0.1], [8, 0.2], "diverges", "pass"),
        ([8, 0.1], [8, 0.2], "stalls", "pass"),
        ([8, 0.1], [8, 0.2], "memorises", "pass"),
        ([8, 5], [8, 5], "stalls", "warn"),
        ([8, 8], [8, 8], "stalls", "fail"),
        ([8, 0.1], [8, 2], "memorises", "warn"),
        ([8, 0.1], [8, 20], "memorises", "fail"),
    ],
)
def test_verdicts(train, test, name, verdict):
    assert judged(curves_of([train], [test]))[name].verdict == verdict


def test_without_test_samples_nothing_is_memorised():
    verdict = judged(curves_of([[8, 1]]))["memorises"]
    assert (verdict.verdict, verdict.detail) == (None, "the task has no test samples")


def test_rows_are_those_of_each_member_and_end_where_it_stopped():
    rows = list(curves_of([[8, 1, 0.5], [4, NAN, NAN]]).rows([7, 8]))
    assert [(row["member"], row["seed"], row["step"], row["train_loss"]) for row in rows] == [
        (0, 7, 0, 8),
        (0, 7, 10, 1),
        (0, 7, 20, 0.5),
        (1, 8, 0, 4),
    ]
    assert rows[0]["test_loss"] is None
    assert list(rows[0]) == ["member", "seed", "step", "train_loss", "test_loss", "rel_l2", "seconds"]


def test_curves_are_read_as_they_were_written():

    curves = curves_of([[8, 1, 0.5], [4, NAN, NAN]], [[8, 2, 1], [4, NAN, NAN]])
    rows = list(curves.rows([7, 8]))
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    again = read_curves(text.getvalue().splitlines())
    for name, values in curves.errors.items():
        np.testing.assert_array_equal(again.errors[name], values)
    np.testing.assert_array_equal(again.seconds, curves.seconds)


def test_joined_curves_have_all_members_at_the_steps_of_any():
    one, other = curves_of([[8, 1]]), curves_of([[4, 2, 1], [3, 2, 1]])
    joined = join([one, other])
    assert joined.steps.tolist() == [0, 10, 20]
    np.testing.assert_array_equal(joined.errors["train_loss"], [[8, 4, 3], [1, 2, 2], [NAN, 1, 1]])
