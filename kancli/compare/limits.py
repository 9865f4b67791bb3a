"""The number of columns that `kan-run compare` accepts. Numpy is not loaded: a wrong number is answered at once."""

from __future__ import annotations

from kancli.errors import ConfigError

MIN_COLUMNS, MAX_COLUMNS = 2, 40


def check_count(count: int) -> None:
    """Check the number of columns.

    Raises:
        ConfigError: it is too small or too large.
    """
    if not MIN_COLUMNS <= count <= MAX_COLUMNS:
        plural, change = ("" if count == 1 else "s"), ("more" if count < MIN_COLUMNS else "fewer")
        raise ConfigError(
            [f"compare: {count} column{plural}; allowed: {MIN_COLUMNS} to {MAX_COLUMNS}; name {change} runs, sweeps or"
             " presets (runs of a sweep that differ only in their seed share a column)"]
        )  # fmt: skip
