"""Shared by the tests of runs: the result of the default run."""

import pytest

from kancli.config.validation import validate
from kancli.runs.experiment import compute


@pytest.fixture(scope="session")
def result():
    """That of the default config in float64, which tests leave unchanged."""
    return compute(validate({"dtype": "float64"}))
