"""Tasks that are a user's own tables: the last columns are the targets. Imports neither numpy nor torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kancli.errors import ConfigError
from kancli.inputs.formats import Separator
from kancli.schema import REQUIRED, Integer, Optional, Real, Several, Text, Truth, key
from kancli.seeding import MAX_SEED
from kancli.tasks.task import MAX_TARGET, Regression, Task

if TYPE_CHECKING:
    from kancli.inputs.table import ReadOptions, Table


@dataclass(frozen=True, kw_only=True)
class Data(Task):
    """The rows of a file of numbers, split at random into training and test rows."""

    path: str = key(
        REQUIRED,
        Text("path of a .csv, .txt, .npy, .npz or .parquet file; its last columns are the targets"),
        "file with a row for each sample",
    )
    targets: int = key(1, Integer(1, 10**6), "number of targets: the last columns, of those that are read")
    test: float = key(0.2, Real(0, 0.99), "share of the rows for testing")
    normalize: bool = key(
        True,
        Truth(),
        "map each input to [-1, 1], and each target to mean 0 and standard deviation 1, by the training rows; losses"
        " and errors are then those of the normalised targets",
    )
    seed: int = key(42, Integer(0, MAX_SEED), "seed of the data, which all members and jobs share")
    header: bool | None = key(
        None, Optional(Truth()), "whether the first row of a text file names its columns; null: where that is clear"
    )
    sep: str | None = key(
        None, Optional(Separator()), "what separates the columns of a text file; null: as it is written"
    )
    columns: tuple[str, ...] | None = key(
        None,
        Optional(Several(Text("a column's name or number"), at_least=1, example="[x,y] or [1,2]", bare=True)),
        "columns to read, by name or by number from 1, or names of arrays in a .npz file; null: all",
    )

    @property
    def n_in(self) -> int:
        """Number of columns that are no targets.

        Raises:
            ConfigError: there are none, or the file cannot be used.
        """
        n_columns = len(self.table().columns)
        if n_columns <= self.targets:
            raise ConfigError(
                [
                    f"task.targets={self.targets}: {self.path} has {n_columns} columns, and at least one must be an"
                    " input; give fewer targets, or other task.columns"
                ]
            )
        return n_columns - self.targets

    @property
    def n_out(self) -> int:
        return self.targets

    @property
    def n_train(self) -> int:
        return len(self.table().values) - self.n_test

    @property
    def n_test(self) -> int:
        """Number of test rows: the share, rounded, but at least one where it is not 0."""
        return max(1, round(self.test * len(self.table().values))) if self.test else 0

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns that are read, inputs first; their numbers where the file has none."""
        return tuple(map(str, self.table().as_json()["columns"]))

    @property
    def label(self) -> str:
        return Path(self.path).name

    @property
    def data_bytes(self) -> int:
        return 4 * self.table().values.nbytes

    def facts(self) -> dict[str, str]:
        facts = super().facts()
        facts["inputs"] = ", ".join(self.names[: self.n_in])
        facts["targets"] = ", ".join(self.names[self.n_in :])
        facts["training"] = f"{self.n_train} rows, drawn at random"
        facts["test"] = f"{self.n_test} rows" if self.n_test else "none"
        if self.normalize:
            facts["scale"] = "inputs in [-1, 1], targets of mean 0 and standard deviation 1, over the training rows"
        return facts | {"error": "relative L2 norm on the test rows"}

    def faults(self, width: tuple[int, ...], dtype: str = "float32") -> list[str]:
        try:
            self.table("float64" if self.normalize else dtype)
            faults = super().faults(width, dtype)
        except ConfigError as error:
            return error.faults
        if self.n_train < 1:
            faults = [f"task.test={self.test:g}: leaves no row of {self.path} for training; give a smaller share, or 0"]
        return faults

    def value_faults(self, dtype: str = "float32") -> list[str]:
        largest = float(abs(self.table().values[:, -self.targets :]).max())
        if self.normalize or largest <= MAX_TARGET[dtype]:
            return []
        return [
            f"task={self.path}: has targets of size {largest:g}, whose squares, of which the loss is a mean, are beyond"
            f" {dtype}; take task.normalize=true or smaller numbers"
        ]

    def table(self, dtype: str = "float64") -> Table:
        """The numbers of the file, and how it was read.

        Args:
            dtype: number type that must hold the values.

        Raises:
            ConfigError: the file cannot be used; the message names file, row and column.
        """
        from kancli.inputs.files import read_table

        return read_table(Path(self.path), self._options(), dtype=dtype)

    def _options(self) -> ReadOptions:
        from kancli.inputs.table import ReadOptions

        return ReadOptions(self.header, self.sep, self.columns, section="task")

    def data(self) -> Regression:
        """The rows, split by the stream "task/split", each part in the order of the file.

        Raises:
            ConfigError: as for `table`.
        """
        from kancli.tasks.splitting import split

        return split(self.table().values, self.targets, n_test=self.n_test, normalize=self.normalize, seed=self.seed)
