"""No verdict fails for more than 1 % of the seeds of a preset, but for what the preset is known for."""

import pytest

from kancli.stats.false_alarms import FAILING, KNOWN, SEEDS, WIDTHS
from tests.benchmarks.verdicts import PRESETS, alarms


def test_the_table_keeps_the_limit():
    for (preset, width), shares in FAILING.items():
        assert preset in PRESETS.options("init")
        assert width in WIDTHS
        assert all(share < 0.01 or verdict in KNOWN[preset] for verdict, share in shares.items()), (preset, width)


def test_what_a_preset_is_known_for_it_does():
    for preset, verdicts in KNOWN.items():
        found = {verdict for (name, _), shares in FAILING.items() if name == preset for verdict in shares}
        assert found >= set(verdicts)


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS.options("init"))
def test_the_table_is_what_a_thousand_seeds_give(name):
    counts = alarms(name, [2, 5, 1], SEEDS, "basic")
    failing = {verdict: count / SEEDS for (verdict, said), count in counts.items() if said == "fail"}
    assert failing == pytest.approx(FAILING.get((name, "2-5-1"), {}), abs=0.002)
