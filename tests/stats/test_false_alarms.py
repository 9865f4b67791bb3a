"""No verdict fails for more than 1 % of the seeds of a scheme, but for what the scheme is known for."""

import pytest

from kancli.inits import SCHEMES
from kancli.stats.false_alarms import FAILING, KNOWN
from tests.benchmarks.verdicts import alarms


def failing(name, width, n_seeds):
    counts = alarms(width, {"scheme": name}, n_seeds, "basic")
    return {verdict: count / n_seeds for (verdict, said), count in counts.items() if said == "fail"}


def test_the_table_keeps_the_limit():
    for (scheme, _), shares in FAILING.items():
        assert all(share < 0.01 or verdict == KNOWN[scheme] for verdict, share in shares.items())


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEMES)
def test_the_table_is_what_a_thousand_seeds_give(name):
    assert failing(name, [2, 5, 1], 1000) == pytest.approx(FAILING.get((name, "2-5-1"), {}), abs=0.002)
