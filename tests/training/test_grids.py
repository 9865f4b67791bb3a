"""Tests of finer grids, and of knots by the samples, during training."""

import pytest
import torch

from kancli.training.fit import fit_
from kancli.training.grids import adapt_, refine_
from kancli.training.options import Train
from tests.training.networks import kan, regression


@pytest.mark.parametrize("adapted", [False, True])
def test_a_grid_that_divides_the_old_one_keeps_the_function(adapted):
    model = kan((2, 4, 1), n_members=2, grid=4)
    x = regression().train.x
    if adapted:
        for layer in model.layers:
            layer.use_per_input_knots_()
        adapt_(model, x, eps=0.5)
    layer = model.layers[0]
    with torch.no_grad():
        before = layer.spline(x.expand(2, -1, -1))
        residuals = refine_(model, 12)
        after = layer.spline(x.expand(2, -1, -1))
    assert (layer.grid, layer.coef.shape[-1]) == (12, 15)
    assert max(residuals) < 1e-12
    torch.testing.assert_close(after, before, rtol=0, atol=1e-11)


def test_a_grid_that_does_not_divide_it_says_what_is_lost():
    model = kan((2, 1), n_members=1, grid=4)
    points = torch.linspace(-0.999, 0.999, 2001, dtype=torch.float64)[:, None].repeat(1, 2)
    with torch.no_grad():
        before = model.layers[0].spline(points[None])
        (residual,) = refine_(model, 5)
        change = (model.layers[0].spline(points[None]) - before).norm() / before.norm()
    assert 0.01 < residual < 1
    assert float(change) == pytest.approx(residual, rel=0.1)


def test_training_refines_at_its_steps():
    model = kan()
    result = fit_(model, regression(), Train(optimizer="adam", steps=6, every=1, refine="2:10,4:20"))
    assert [(refit["step"], refit["grid"]) for refit in result.refits] == [(2, 10), (4, 20)]
    assert model.layers[0].coef.shape[-1] == 23
    assert model.layer_options["grid"] == 20
    fixed = fit_(kan(), regression(), Train(optimizer="adam", steps=2, every=1))
    torch.testing.assert_close(result.rows[2].train_loss, fixed.rows[2].train_loss, rtol=1e-9, atol=0)


def test_training_adapts_the_knots_to_the_samples():
    model, data = kan(), regression(low=-0.4, high=0.7)
    result = fit_(model, data, Train(optimizer="adam", steps=5, every=1, adapt_every=3), eps=1.0)
    assert [refit["step"] for refit in result.refits] == [3]
    knots = model.layers[0].knots[:, 3:-3]
    torch.testing.assert_close(knots[:, 0], data.train.x.amin(0))
    torch.testing.assert_close(knots[:, -1], data.train.x.amax(0))
    assert float(result.rows[-1].train_loss) < float(result.rows[0].train_loss)
