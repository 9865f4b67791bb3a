"""Runs held against each other: check, bless, diff, compare."""
