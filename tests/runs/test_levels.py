"""The level of statistics decides what is measured, not what a verdict says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kancli.config.compose import compose
from kancli.config.presets import Presets, builtin_folder
from kancli.inits import SCHEMES
from kancli.runs import experiment


@pytest.mark.slow
@settings(max_examples=8)
@given(
    width=st.sampled_from(["2-5-1", "3-4-2"]), n=st.sampled_from([50, 300, 1500]), scheme=st.sampled_from(list(SCHEMES))
)
def test_the_level_of_statistics_moves_no_verdict(width, n, scheme):
    """What both levels judge has one value in both, with any number of samples."""
    words = [f"width={width}", f"inputs.n={n}", f"init={scheme}", "figures=none"]
    found = []
    for level in ("basic", "full"):
        run = compose([*words, f"stats={level}"], Presets([builtin_folder()])).settings
        found.append({verdict.name: verdict for verdict in experiment.compute(run).verdicts})
    basic, full = found
    assert list(basic) == list(full)
    for name, verdict in basic.items():
        if verdict.detail != "measured with stats=full":
            assert verdict == full[name]
