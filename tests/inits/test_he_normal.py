"""He's law: the distribution of its draws, and private streams."""

import math

import torch
from scipy import stats

from kancli.inits.he_normal import he_normal_
from kancli.kan.mlp import MLP


def test_weights_are_normal_with_variance_2_over_n_in_and_biases_0():
    model = he_normal_(MLP((50, 200, 100, 1), dtype=torch.float64), seeds=(0,))
    for layer in model.layers:
        scores = layer.weight.detach().flatten().numpy() * math.sqrt(layer.n_in / 2)
        assert stats.kstest(scores, "norm").pvalue > 1e-4
        assert not layer.bias.any()
    assert math.isclose(model.layers[0].weight.std().item(), 0.2, rel_tol=0.03)  # sqrt(2/50), of 10,000 numbers


def test_layers_and_seeds_have_streams_of_their_own_and_the_global_one_is_untouched():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, again, other = (he_normal_(MLP((4, 4, 4)), seeds=(seed,)) for seed in (7, 7, 8))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), again.parameters(), strict=True))
    assert not torch.equal(one.layers[0].weight, one.layers[1].weight)
    assert not torch.equal(one.layers[0].weight, other.layers[0].weight)


def test_a_large_weight_is_drawn_in_blocks_that_depend_on_its_shape_alone():
    wide = he_normal_(MLP((1000, 600, 1)), seeds=(0,)).layers[0].weight
    many = he_normal_(MLP((1000, 600, 1), n_members=2), seeds=(1, 0)).layers[0].weight
    assert torch.equal(wide, many[1])
    assert not torch.equal(wide[:262], wide[262:524])  # blocks of 2^18 / 1000 rows
