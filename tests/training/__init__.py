"""Tests of kancli.training."""
