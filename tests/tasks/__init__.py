"""Tests of kancli.tasks."""
