"""Values of an MLP that are not finite, and statistics that have no value."""

import torch

from kancli.inits.he_normal import he_normal_
from kancli.kan.mlp import MLP
from kancli.stats.mlp_collector import MLPCollector
from kancli.stats.options import Verdicts
from kancli.stats.stats_json import as_json
from kancli.stats.verdicts import judge


def collected(model, x):
    collector = MLPCollector(model, [{}] * len(model.layers), level="basic")
    collector.update(model.trace(x))
    return collector.compute(None)[0]


def test_the_first_node_that_is_not_finite_is_named_by_member():
    model = he_normal_(MLP((2, 3, 1), n_members=2), seeds=(0, 1))
    with torch.no_grad():
        model.layers[0].weight[1, 2] = torch.inf
    stats = collected(model, torch.ones(4, 2))
    assert stats.layers[0].non_finite == [None, "node 2: not finite"]
    assert stats.layers[1].non_finite == [None, "node 2 entering: not finite"]
    (verdict, *_) = judge(stats, vars(Verdicts()), ensemble=True)
    assert (verdict.verdict, verdict.detail) == ("fail", "member 1, layer 0, node 2: not finite")


def test_a_constant_input_leaves_numbers_without_a_value_and_says_why():
    stats = collected(he_normal_(MLP((2, 3, 1)), seeds=(0,)), torch.ones(5, 2))
    written = as_json(stats, [], epsilon=1e-7, ensemble=False)
    assert written["layers"][0]["gain"]["variance"] is None
    assert written["reasons"]["layers.0.gain.variance"] == "nothing varies"
