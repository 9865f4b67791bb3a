"""The division of the data of a race."""

import numpy as np
import pytest
import torch

from kancli.config.compose import compose
from kancli.errors import ConfigError
from kancli.racing.held_out import divide


def table(path, rows, **more):
    x = np.arange(3.0 * rows).reshape(rows, 3)
    np.savetxt(path, x, delimiter=",", **more)
    return path


def task(presets, *words):
    return compose([*words, "width=in-2-out"], presets).settings.task


def rows_of(samples):
    return {tuple(row) for row in torch.cat([samples.x, samples.y], -1).tolist()}


def test_every_row_has_one_use_and_the_test_rows_are_the_task_s(tmp_path, presets):
    data = task(presets, f"task={table(tmp_path / 'a.csv', 100)}")
    divided, whole = divide(data, 0.25), data.data()
    assert divided.sizes() == {"train": 60, "validation": 20, "test": 20}
    train, validation = rows_of(divided.train.train), rows_of(divided.validation)
    assert not train & validation
    assert train | validation == rows_of(whole.train)
    assert rows_of(divided.test) == rows_of(whole.test)
    again = divide(task(presets, f"task={tmp_path / 'a.csv'}"), 0.25)
    assert torch.equal(again.validation.x, divided.validation.x)
    other = divide(task(presets, f"task={tmp_path / 'a.csv'}", "task.seed=7"), 0.25)
    assert rows_of(other.validation) != validation


@pytest.mark.parametrize("words", [[], ["task.test=0"]])
def test_a_race_needs_rows_to_hold_out(tmp_path, presets, words):
    data = task(presets, f"task={table(tmp_path / 'five.csv', 5)}", *words)
    with pytest.raises(ConfigError, match="task.test=0" if words else "of 5 rows 1 select and 1 test; a race needs 5"):
        divide(data, 0.2)


def test_an_equation_is_selected_and_measured_at_separate_points(presets):
    data = divide(task(presets, "task=poisson"), 0.2)
    assert data.sizes() == {"train": 441, "validation": 4000, "test": 4000}
    assert not rows_of(data.validation) & rows_of(data.test)
    x, y = data.test.x, data.test.y
    torch.testing.assert_close(y, torch.sin(torch.pi * x[:, :1]) * torch.sin(torch.pi * x[:, 1:]))
