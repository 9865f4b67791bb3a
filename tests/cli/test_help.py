"""The help is a golden file: `KANCLI_REWRITE=1 pytest tests/cli/test_help.py` writes it anew."""

import os
from pathlib import Path

from kancli.cli.help import WIDTH
from kancli.config.validation import TOP_LEVEL, catalogue

GOLDEN = Path(__file__).parents[1] / "golden" / "help.txt"


def test_help_is_the_golden_file(kan_run):
    outcome = kan_run("--help")
    assert outcome.code == 0
    if os.environ.get("KANCLI_REWRITE") == "1":
        GOLDEN.write_text(outcome.out)
    assert outcome.out == GOLDEN.read_text()


def test_help_names_every_group_preset_and_key(kan_run, presets):
    text = kan_run("-h").out
    for group in presets.groups():
        assert f"\n{group}" in text
        assert all(f"\n  {option} " in text for option in presets.options(group))
    assert all(f"\n  {key.path} " in text or f"\n  {key.path}\n" in text for key in catalogue())
    assert set(TOP_LEVEL) <= {key.path.split(".")[0] for key in catalogue()} | set(presets.groups())


def test_help_fits_its_width(kan_run):
    assert max(map(len, kan_run("--help").out.splitlines())) <= WIDTH
