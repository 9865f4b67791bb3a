"""Fixtures for the Python interface."""

import pytest
import torch


@pytest.fixture
def default_float64():
    """torch's default dtype is float64 during a test."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)
