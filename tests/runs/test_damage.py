"""Damaged files of a run, a sweep and a baseline under every verb: an answer, never an internal error."""

import pytest

from tests.runs.damage import fuzz


@pytest.mark.slow
def test_damaged_files_are_answered(tmp_path):
    codes, faults = fuzz(200, 0, tmp_path)
    assert not faults
    assert sum(codes.values()) == 200
    assert {0, 2, 5} <= set(codes)
