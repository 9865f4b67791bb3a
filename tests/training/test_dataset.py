"""Tests of reading pykan's dict of tensors."""

import numpy as np
import pytest
import torch

from kancli.training.dataset import read_dataset

LIKE = torch.zeros(1, dtype=torch.float64)
X, Y = torch.rand(5, 2), torch.rand(5, 1)
GOOD = {"train_input": X, "train_label": Y, "test_input": X[:3], "test_label": Y[:3]}


def read(own_loss=False, width=(2, 1), **changes):
    return read_dataset(GOOD | changes, LIKE, width, own_loss=own_loss)


def test_samples_have_the_dtype_of_the_model():
    train, test = read()
    assert torch.equal(train.x, X.double())
    assert torch.equal(test.y, Y[:3].double())
    assert test.x.dtype == torch.float64


def test_labels_without_an_axis_are_one_target():
    train, _ = read(train_label=Y[:, 0])
    assert torch.equal(train.y, Y.double())


def test_a_loss_of_ones_own_takes_labels_of_any_kind():
    classes = torch.tensor([0, 2, 1, 1, 0])
    train, _ = read(own_loss=True, width=(2, 3), train_label=classes)
    assert train.y is classes or torch.equal(train.y, classes)
    assert train.y.dtype == torch.long


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"train_input": X[:, :1]}, ValueError, r"dataset\['train_input'\] has shape \[5, 1\]: allowed: \[n, 2\]"),
        ({"train_label": Y[:4]}, ValueError, r"dataset\['train_label'\] has shape \[4, 1\]: allowed: \[5, 1\]"),
        ({"test_label": torch.rand(3, 2)}, ValueError, r"\['test_label'\] has shape \[3, 2\]: allowed: \[3, 1\]"),
        ({"train_input": X[:0], "train_label": Y[:0]}, ValueError, "has no samples"),
        ({"test_input": np.ones((3, 2))}, TypeError, r"\['test_input'\] is a ndarray: allowed: a tensor"),
    ],
)
def test_other_entries_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        read(**changes)


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="dataset has no test_label: create_dataset"):
        read_dataset({name: GOOD[name] for name in list(GOOD)[:3]}, LIKE, (2, 1), own_loss=False)
    with pytest.raises(TypeError, match="dataset is a Tensor: allowed: a dict of tensors"):
        read_dataset(X, LIKE, (2, 1), own_loss=False)
