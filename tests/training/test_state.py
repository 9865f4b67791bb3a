"""Tests of resuming: a training that stopped goes on to the same bits."""

import json

import pytest
import torch
from safetensors.torch import load, save

from kancli.training.fit import fit_
from kancli.training.options import Train
from kancli.training.result import TrainingState
from kancli.training.state import select_members
from tests.training.networks import burgers, kan, regression

CASES = {
    "adam": (Train(optimizer="adam", lr=0.01, steps=14, every=3), regression()),
    "batch": (Train(optimizer="adamw", lr=0.01, steps=14, every=3, batch=8), regression()),
    "refine": (Train(optimizer="adam", lr=0.01, steps=14, every=3, refine="4:7,9:8"), regression()),
    "adapt": (Train(optimizer="adam", lr=0.01, steps=14, every=3, adapt_every=4), regression()),
    "lbfgs": (Train(optimizer="lbfgs", steps=6, every=2), regression()),
    "rba": (Train(optimizer="adam", lr=0.01, steps=14, every=3), burgers(n=4)),
    "target": (Train(optimizer="adam", lr=0.05, steps=14, every=3, target=0.4), regression()),
}


def through_files(state):
    """A state as it comes back from disk."""
    return TrainingState(load(save(state.tensors)), json.loads(json.dumps(state.plain)))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in ("lbfgs", "rba", "adapt") else name for name in CASES],
)
@pytest.mark.parametrize("after", [1, 4, 5])
def test_resuming_gives_the_bits_of_not_having_stopped(name, after):
    train, data = CASES[name]
    whole, parts = kan(n_members=2), kan(n_members=2)
    wanted = fit_(whole, data, train)
    asked = iter(range(after))
    first = fit_(parts, data, train, should_stop=lambda: next(asked, None) is None)
    assert first.ended == "interrupted"
    fresh = kan(n_members=2, seed=99)
    rest = fit_(fresh, data, train, state=through_files(first.state))
    for mine, theirs in zip(fresh.parameters(), whole.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    for mine, theirs in zip(rest.rows, wanted.rows, strict=True):
        assert mine.step == theirs.step
        assert torch.equal(mine.train_loss, theirs.train_loss)
        torch.testing.assert_close(mine.rel_l2, theirs.rel_l2, rtol=0, atol=0, equal_nan=True)
    assert rest.stops == wanted.stops
    assert [refit["step"] for refit in rest.refits] == [refit["step"] for refit in wanted.refits]


def test_states_are_handed_on_while_training():
    states = []
    train = Train(optimizer="adam", steps=6, every=2, save_s=0)
    fit_(kan(), regression(), train, on_state=states.append)
    assert [state.step for state in states] == [1, 2, 3, 4, 5, 6]
    rest = kan(seed=5)
    fit_(rest, regression(), train, state=states[3])
    whole = kan()
    fit_(whole, regression(), train)
    for mine, theirs in zip(rest.parameters(), whole.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize(
    ("model", "train", "words"),
    [
        (kan((2, 5, 1)), Train(optimizer="adam", steps=3), "another model"),
        (kan(bias=True), Train(optimizer="adam", steps=3), "another model"),
        (kan(), Train(optimizer="sgd", steps=3), "a state of optimizer adam, not sgd"),
    ],
)
def test_a_state_of_something_else_is_refused(model, train, words):
    state = fit_(kan(), regression(), Train(optimizer="adam", steps=1)).state
    with pytest.raises(ValueError, match=words):
        fit_(model, regression(), train, state=state)


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_a_damaged_state_is_refused_before_the_first_step(optimizer):
    """Whichever tensor is missing or has another shape or type, and whichever plain value has another type."""
    train = Train(optimizer=optimizer, steps=3, every=1)
    asked = iter(range(2))
    whole = fit_(kan(n_members=2), regression(), train, should_stop=lambda: next(asked, None) is None).state
    optional = ("rows.test_loss", "rows.rel_l2")
    for name, tensor in whole.tensors.items():
        for other in (None, tensor.unsqueeze(0), tensor.to(torch.float16)):
            tensors = {key: value for key, value in whole.tensors.items() if key != name}
            if other is not None:
                tensors[name] = other
            elif name in optional:
                continue
            with pytest.raises(ValueError, match=name.split(".")[0]):
                fit_(kan(n_members=2), regression(), train, state=TrainingState(tensors, whole.plain))
    for name in whole.plain:
        for plain in ({key: value for key, value in whole.plain.items() if key != name}, {**whole.plain, name: [None]}):
            with pytest.raises(ValueError, match=name):
                fit_(kan(n_members=2), regression(), train, state=TrainingState(whole.tensors, plain))


@pytest.mark.parametrize("name", [pytest.param("lbfgs", marks=pytest.mark.slow), "adam", "rba", "batch"])
def test_some_members_go_on_alone_as_with_the_others(name):
    train, data = CASES[name]
    seeds = [3, 8, 5]
    whole, part = kan(n_members=3), kan(n_members=2, seed=50)
    wanted = fit_(whole, data, train, seeds=seeds)
    asked = iter(range(4))
    first = fit_(kan(n_members=3), data, train, seeds=seeds, should_stop=lambda: next(asked, None) is None)
    state = select_members(through_files(first.state), [0, 2])
    rest = fit_(part, data, train, seeds=[3, 5], state=state)
    for mine, theirs in zip(part.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs[[0, 2]])
    assert [row.step for row in rest.rows] == [row.step for row in wanted.rows]
    torch.testing.assert_close(rest.rows[-1].train_loss, wanted.rows[-1].train_loss[[0, 2]])


def test_members_that_stopped_keep_their_end_among_others():
    train, data = CASES["target"]
    state = fit_(kan(n_members=4), data, train).state
    stopped = {int(member) for member in state.plain["stops"]}
    assert stopped, "the case has members that reach their target"
    chosen = sorted(stopped)[-1:]
    alone = select_members(state, chosen)
    assert alone.plain["stops"] == {"0": state.plain["stops"][str(chosen[0])]}
    assert alone.tensors["members"].tolist() == []
    assert alone.tensors["rows.train_loss"].shape[1] == len(alone.tensors["first_loss"]) == 1
