"""Samples of a function: ranges, labels, normalisation, dtype."""

import pytest
import torch

from kancli import create_dataset


def first(x):
    return x[:, [0]]


def test_create_dataset_as_in_the_reference():
    def f(x):
        return torch.exp(torch.sin(torch.pi * x[:, [0]]) + x[:, [1]] ** 2)

    data = create_dataset(f, n_var=2, ranges=[[0, 1], [-3, 5]], train_num=300, test_num=20)
    assert {name: tuple(t.shape) for name, t in data.items()} == {
        "train_input": (300, 2), "train_label": (300, 1), "test_input": (20, 2), "test_label": (20, 1),
    }  # fmt: skip
    for part in ("train", "test"):
        assert torch.equal(f(data[f"{part}_input"]), data[f"{part}_label"])
    low, high = data["train_input"].min(0).values, data["train_input"].max(0).values
    assert (low >= torch.tensor([0.0, -3.0])).all()
    assert (high <= torch.tensor([1.0, 5.0])).all()
    assert high[1] > 4
    assert low[1] < -2
    again, other = create_dataset(f, ranges=[[0, 1], [-3, 5]], train_num=300), create_dataset(f, seed=1)
    assert torch.equal(again["train_input"], data["train_input"])
    assert not torch.equal(other["train_input"][:300], create_dataset(f)["train_input"][:300])


def test_create_dataset_normalises_by_the_training_set():
    data = create_dataset(lambda x: 3 * x[:, 0] + 7, ranges=[2, 4], normalize_input=True, normalize_label=True)
    assert data["train_label"].shape == (1000, 1)
    for what in ("input", "label"):
        train, test = data[f"train_{what}"], data[f"test_{what}"]
        torch.testing.assert_close(train.mean(0), torch.zeros(train.shape[1]), atol=1e-5, rtol=0)
        torch.testing.assert_close(train.std(0), torch.ones(train.shape[1]))
        assert test.mean().abs() < 0.2
    with pytest.raises(ValueError, match="ranges"):
        create_dataset(lambda x: x, ranges=[1, 2, 3])


@pytest.mark.parametrize(
    ("f", "error", "match"),
    [
        (lambda x: x[0] * x[1], ValueError, r"shape \[2\] for 1000 samples"),
        (lambda x: x.sum(), ValueError, r"shape \[\] for 1000 samples"),
        (lambda x: x.T, ValueError, r"shape \[2, 1000\] for 1000 samples"),
        (lambda x: x[None], ValueError, r"shape \[1, 1000, 2\]"),
        (lambda x: x.numpy(), TypeError, "ndarray"),
        (lambda x: None, TypeError, "NoneType"),
    ],
)
def test_labels_of_another_number_of_rows_are_refused(f, error, match):
    with pytest.raises(error, match=match):
        create_dataset(f)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"train_num": 0}, "train_num=0: allowed: integer"),
        ({"test_num": -1}, "test_num=-1"),
        ({"n_var": 1.5}, "n_var=1.5"),
        ({"ranges": [0, float("inf")]}, "ranges="),
        ({"ranges": "ab"}, "ranges='ab'"),
    ],
)
def test_numbers_that_are_not_legal_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        create_dataset(first, **arguments)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_constant_columns_become_zero_when_normalised(value):
    data = create_dataset(
        lambda x: torch.full_like(x[:, [0]], value),
        ranges=[[value, value], [0, 1]],
        normalize_input=True,
        normalize_label=True,
    )
    assert (data["train_input"][:, 0] == 0).all()
    assert (data["train_label"] == 0).all()
    assert all(tensor.isfinite().all() for tensor in data.values())


def test_one_training_sample_is_normalised_to_zero():
    data = create_dataset(first, train_num=1, normalize_input=True, normalize_label=True)
    assert (data["train_input"] == 0).all()
    assert all(tensor.isfinite().all() for tensor in data.values())


def test_whole_numbers_are_normalised_as_numbers():
    data = create_dataset(lambda x: (x[:, [0]] > 0).long(), normalize_label=True)
    torch.testing.assert_close(data["train_label"].std(), torch.tensor(1.0))


def test_labels_of_a_model_carry_no_graph():
    data = create_dataset(torch.nn.Linear(2, 1))
    assert not data["train_label"].requires_grad


def test_the_default_dtype_is_followed(default_float64):
    data = create_dataset(first)
    assert {tensor.dtype for tensor in data.values()} == {torch.float64}
