"""A table as a task: which rows and columns train and test, the scale, and the answers to mistakes."""

import numpy as np
import pytest
import torch

from kancli.config.identity import identity
from kancli.config.validation import validate
from kancli.errors import ConfigError
from kancli.inputs.files import read_table
from kancli.tasks.data import Data
from kancli.tasks.splitting import split


@pytest.fixture
def table(tmp_path):
    """Forty rows of a, b, c and y, all different."""
    path = tmp_path / "table.csv"
    rows = np.random.default_rng(0).normal(size=(40, 4)) * [1, 10, 0.1, 5] + [0, 100, 3, -7]
    np.savetxt(path, rows, delimiter=",", header="a,b,c,y", comments="")
    return path, rows


def test_rows_are_split_once_each(table):
    path, rows = table
    data = Data(path=str(path), normalize=False).data()
    train, test = (torch.cat([part.x, part.y], dim=1).numpy() for part in (data.train, data.test))
    assert (len(train), len(test), data.mesh) == (32, 8, None)
    order = np.argsort(rows[:, 0])
    both = np.concatenate([train, test])
    np.testing.assert_array_equal(both[np.argsort(both[:, 0])], rows[order])
    numbers = [int(np.flatnonzero(rows[:, 0] == row[0])[0]) for row in train]
    assert numbers == sorted(numbers)
    assert numbers != list(range(32))


def test_the_seed_chooses_the_rows(table):
    def test_rows(seed):
        return Data(path=str(table[0]), normalize=False, seed=seed).data().test.x

    assert torch.equal(test_rows(1), test_rows(1))
    assert not torch.equal(test_rows(1), test_rows(2))


def test_the_scale_is_that_of_the_training_rows(table):
    path = table[0]
    plain, data = (Data(path=str(path), targets=2, normalize=normalize).data() for normalize in (False, True))
    x, y = plain.train.x.numpy(), plain.train.y.numpy()
    assert (x.shape, y.shape) == ((32, 2), (32, 2))
    np.testing.assert_allclose(data.train.x.amin(dim=0), [-1, -1])
    np.testing.assert_allclose(data.train.x.amax(dim=0), [1, 1])
    np.testing.assert_allclose(data.train.y.mean(dim=0), [0, 0], atol=1e-12)
    np.testing.assert_allclose(data.train.y.std(dim=0, correction=0), [1, 1])
    expected = 2 * (plain.test.x.numpy() - x.min(axis=0)) / (x.max(axis=0) - x.min(axis=0)) - 1
    np.testing.assert_allclose(data.test.x, expected)
    np.testing.assert_allclose(data.test.y, (plain.test.y.numpy() - y.mean(axis=0)) / y.std(axis=0))


def test_a_column_that_does_not_vary_becomes_zero():
    values = np.tile([3.0, 0.1, 7.0], (10, 1))
    values[:, 1] = np.arange(10)
    data = split(values, 1, n_test=3, normalize=True, seed=0)
    assert float(data.train.x[:, 0].abs().max()) == 0
    assert float(data.train.y.abs().max()) == 0
    assert float(data.train.x[:, 1].max()) == 1


def test_no_test_rows(table):
    data = Data(path=str(table[0]), test=0.0).data()
    assert data.test is None
    assert len(data.train.x) == 40


@pytest.mark.parametrize(("test", "n_test"), [(0.5, 20), (0.001, 1), (0.99, 40), (0.2, 8)])
def test_the_share_of_test_rows(table, test, n_test):
    task = Data(path=str(table[0]), test=test)
    assert (task.n_test, task.n_train) == (n_test, 40 - n_test)


def test_columns_by_name_and_the_names_that_are_kept(table):
    path, rows = table
    task = Data(path=str(path), columns=("y", "c"), normalize=False)
    assert task.names == ("y", "c")
    assert (task.n_in, task.n_out, task.label) == (1, 1, "table.csv")
    assert set(task.data().train.y[:, 0].tolist()) <= set(rows[:, 2].tolist())
    facts = Data(path=str(path), targets=2).facts()
    assert (facts["inputs"], facts["targets"], facts["training"]) == ("a, b", "c, y", "32 rows, drawn at random")


def test_other_formats(tmp_path, table):
    np.save(tmp_path / "table.npy", table[1])
    by_numbers = Data(path=str(tmp_path / "table.npy"))
    assert by_numbers.names == ("1", "2", "3", "4")
    torch.testing.assert_close(by_numbers.data().train.x, Data(path=str(table[0])).data().train.x)


MISTAKES = {
    "nowhere.csv": ({}, "task.path=nowhere.csv: no such file"),
    "a.csv": ({"columns": ("q",)}, "task.columns: it has no column q; allowed: the names a, b, c, y"),
    "b.csv": ({"targets": 4}, "task.targets=4: b.csv has 4 columns, and at least one must be an input"),
    "c.csv": ({"test": 0.99}, "task.test=0.99: leaves no row of c.csv for training"),
    "d.csv": ({}, "width=2-5-1: the task d.csv has 3 inputs and 1 output; type width=in-5-out"),
    "e.csv": ({"targets": 2}, "has 2 inputs and 2 outputs"),
    "f.npy": ({"header": True}, "task.header=true is for text files; leave task.header out"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name, table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name.endswith(".npy"):
        np.save(name, table[1])
    elif name != "nowhere.csv":
        table[0].rename(name)
    keys, message = MISTAKES[name]
    (fault,) = Data(path=name, **keys).faults((2, 5, 1))
    assert message in fault


def test_a_header_in_doubt_is_asked_for_by_the_key_of_the_task(tmp_path):
    path = tmp_path / "doubt.csv"
    path.write_text("1,2\n0.5,0.25\n")
    with pytest.raises(ConfigError, match=r"task\.header=true if it names the columns, task\.header=false"):
        Data(path=str(path)).table()
    with pytest.raises(ConfigError, match=r"inputs\.header=true if"):
        read_table(path)


def test_numbers_beyond_float32_need_a_scale(tmp_path):
    path = tmp_path / "large.csv"
    path.write_text("x,y\n1e39,1\n2e39,2\n3e39,4\n4e39,3\n")
    assert Data(path=str(path)).faults((1, 1)) == []
    assert Data(path=str(path), normalize=False).faults((1, 1), "float64") == []
    (fault,) = Data(path=str(path), normalize=False).faults((1, 1))
    assert "beyond float32" in fault
    assert float(Data(path=str(path), test=0.0).data().train.x.max()) == 1


def test_targets_whose_squares_overflow_need_a_scale(tmp_path):
    path = tmp_path / "large.csv"
    path.write_text("x,y\n1,1\n2,2e25\n3,4\n4,3\n")
    assert Data(path=str(path)).value_faults() == []
    (fault,) = Data(path=str(path), normalize=False).value_faults()
    assert "targets of size 2e+25" in fault
    assert Data(path=str(path), normalize=False).value_faults("float64") == []


def test_the_identity_is_that_of_the_content(table, tmp_path):
    def of(name, **keys):
        return identity(validate({"width": [3, 1], "task": {"kind": "data", "path": str(tmp_path / name), **keys}}))

    (tmp_path / "same.csv").write_bytes(table[0].read_bytes())
    (tmp_path / "other.csv").write_bytes(table[0].read_bytes() + b"1,2,3,4\n")
    assert of("table.csv") == of("same.csv") != of("other.csv")
    assert of("table.csv") != of("table.csv", normalize=False)
