"""The glossary explains every number of stats.json and every verdict."""

import io

import torch

from kancli.cli.glossary import glossary
from kancli.cli.verdict_chapter import verdict_chapter
from kancli.inits import SCHEMES
from kancli.inits.initialise import declared, init_
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.runs.console import show
from kancli.stats.collector import Collector
from kancli.stats.glossary import EDGES, LAYER, NETWORK, NODES, TENSOR, verdict_notes
from kancli.stats.gradients import measure_gradients
from kancli.stats.law_distance import Declared
from kancli.stats.options import Verdicts
from kancli.stats.stats_json import as_json


def paths(entry, prefix=""):
    for name, value in entry.items():
        if isinstance(value, dict):
            yield from paths(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def explained(glossary, tensors=()):
    """The path of each number that a part of the glossary explains."""
    for name in glossary:
        head, _, last = name.rpartition(".")
        parts = [part.strip(",") for part in last.split()]
        if "scale_base," in last:
            yield from (f"{head}.{tensor}" for tensor in tensors)
        else:
            yield from (f"{head}.{part}" if head else part for part in parts)


def test_the_glossary_explains_every_number_and_nothing_else():
    scheme = SCHEMES["pykan_0_0_5"]()
    model = KAN([2, 3, 1], grid=5, k=3, base_fun=base_function("silu"), bias=True, masked=True)
    init_(model, scheme, seed=0)
    x = torch.linspace(-1, 1, 40).reshape(20, 2)
    laws = [{name: Declared(*law) for name, law in layer.items()} for layer in declared(model, scheme)]
    collector = Collector(model, laws, level="full")
    collector.update(model.trace(x))
    stats, _ = collector.compute(measure_gradients(model, x))
    content = as_json(stats, [], epsilon=0, ensemble=False)
    layer = content["layers"][0]
    tensors = ("scale_base", "scale_sp", "coef", "bias")
    for tensor in tensors:
        assert set(layer.pop(tensor)) == set(explained(TENSOR))
    assert set(paths(layer.pop("nodes"))) == set(explained(NODES))
    assert set(paths(layer.pop("edges"))) == set(explained(EDGES))
    assert set(paths(layer)) - {"layer", "n_in", "n_out"} == set(explained(LAYER, tensors))
    network = {name: content[name] for name in ("propagation", "jacobian", "ntk")}
    assert set(paths(network)) == set(explained(NETWORK, tensors))


def test_every_verdict_has_a_line_in_the_glossary():
    out = io.StringIO()
    show(glossary(), out)
    assert all(f"\n{name} " in out.getvalue() for name in vars(Verdicts()))


def test_the_chapter_on_verdicts_has_meaning_number_origin_and_remedy_of_each(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    show(verdict_chapter(), out)
    lines = [*out.getvalue().splitlines(), ""]
    assert max(map(len, lines)) <= 80
    for name in ("non_finite", *vars(Verdicts())):
        start = next(number for number, line in enumerate(lines) if line.split(" ")[0] == name)
        section = "\n".join(lines[start : lines.index("", start)])
        for heading, text in verdict_notes()[name].items():
            assert text.strip(), (name, heading)
            assert text.split()[0] in section.partition(f"\n {heading} ")[2], (name, heading)
    assert "\nsignal_vanishes  warns at 0.1 or less, fails at 0.001 or less\n" in out.getvalue()
    assert "\nrough  warns at 2 or more\n" in out.getvalue()
