"""Models to judge, and their verdicts, for the tests."""

from kancli.inits.initialise import declared, init_
from kancli.inits.reference import Reference
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.stats.collector import Collector
from kancli.stats.gradients import measure_gradients
from kancli.stats.law_distance import Declared
from kancli.stats.options import Verdicts
from kancli.stats.verdicts import judge

BOUNDS = vars(Verdicts())


def stats_of(model, x, scheme=None, full=True):
    laws = None
    if scheme is not None:
        laws = [{name: Declared(*each) for name, each in layer.items()} for layer in declared(model, scheme)]
    collector = Collector(model, laws, level="full" if full else "basic")
    collector.update(model.trace(x))
    return collector.compute(measure_gradients(model, x) if full else None)[0]


def verdicts_of(model, x, scheme=None, full=True, ensemble=False, **bounds):
    verdicts = judge(stats_of(model, x, scheme, full), {**BOUNDS, **bounds}, ensemble=ensemble)
    return {verdict.name: verdict for verdict in verdicts}


def interval(verdict):
    assert verdict.low is not None
    assert verdict.value is not None
    assert verdict.high is not None
    return verdict.low, verdict.value, verdict.high


def model_of(width, scheme=None, base="silu", members=None, seed=0):
    model = KAN(width, grid=5, k=3, base_fun=base_function(base), base_name=base, n_members=members)
    return init_(model, scheme or Reference(), seed=seed)
