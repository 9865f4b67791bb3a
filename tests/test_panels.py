"""The figures made of plain panels: what they draw is what stats.json says, and what they lack is told."""

import numpy as np
import pytest
import torch

from kancli import experiment, figures
from kancli.config import validate
from kancli.figures.scene import NothingToDrawError, Scene
from kancli.figures.symmetry import correlations

LOOK = figures.Figures()


def scene(**config):
    result = experiment.compute(validate(config))
    return Scene(result.first, result.scopes, result.stats, result.activations)


def drawn(axes):
    """The data of each line of a panel."""
    lines = [np.asarray(line.get_xydata()) for line in axes.get_lines()]
    return [each for each in lines if len(each)]


@pytest.fixture(scope="module")
def single():
    return scene(width=[2, 4, 3, 1], stats={"level": "full", "ntk": {"n": 40}})


@pytest.fixture(scope="module")
def ensemble():
    return scene(width=[2, 4, 3, 1], n_seeds=5, stats={"level": "full", "ntk": {"n": 40}})


def test_propagation_draws_rms_by_layer(single):
    sizes, off = figures.draw("propagation", single, LOOK).axes
    layers = single.stats["layers"]
    signal, gradient = drawn(sizes)
    np.testing.assert_array_equal(signal[:, 0], [0, 1, 2, 3])
    assert signal[:, 1].tolist() == [layers[0]["preacts"]["rms"], *(each["output"]["rms"] for each in layers)]
    assert gradient.tolist() == [[number, each["gradient"]["values"]] for number, each in enumerate(layers)]
    (shares,) = drawn(off)
    assert shares[:, 1].tolist() == pytest.approx([100 * each["off_grid"] for each in layers])
    assert sizes.get_yscale() == "log"


def test_bands_are_the_intervals_over_members(ensemble):
    sizes, _ = figures.draw("propagation", ensemble, LOOK).axes
    (band, _) = sizes.collections
    ends = np.asarray(band.get_paths()[0].vertices)
    told = [
        ensemble.stats["layers"][0]["preacts"]["rms"],
        *(each["output"]["rms"] for each in ensemble.stats["layers"]),
    ]
    for number, each in enumerate(told):
        at = ends[ends[:, 0] == number, 1]
        assert (at.min(), at.max()) == pytest.approx((each["low"], each["high"]))


def test_spectrum_draws_eigenvalues_and_singular_values(single, ensemble):
    kernel, jacobian = figures.draw("spectrum", single, LOOK).axes
    values = np.array(single.stats["ntk"]["eigenvalues"])
    (line,) = drawn(kernel)
    np.testing.assert_array_equal(line[:, 1], values[values > 1e-9 * values[0]])
    assert [each[1] for each in drawn(jacobian)[0]] == [single.stats["jacobian"][n] for n in ("min", "median", "max")]
    (line,) = drawn(figures.draw("spectrum", ensemble, LOOK).axes[0])
    means = np.array(ensemble.stats["ntk"]["eigenvalues"]["mean"])
    np.testing.assert_array_equal(line[:, 1], means[means > 1e-9 * means[0]])


def test_symmetry_draws_the_correlations_of_the_nodes(single):
    found = correlations(single)
    assert {number: each.shape for number, each in found.items()} == {0: (4, 4), 1: (3, 3)}
    for number, matrix in found.items():
        wanted = np.corrcoef(single.activations[f"layers.{number + 1}.preacts"].double().numpy().T)
        np.testing.assert_allclose(matrix, wanted, atol=1e-12)
        upper = np.abs(matrix[np.triu_indices(len(matrix), 1)])
        assert single.stats["layers"][number]["correlation"]["mean"] == pytest.approx(upper.mean(), rel=1e-6)
    figure = figures.draw("symmetry", single, LOOK)
    shown = [axes.get_images()[0].get_array() for axes in figure.axes if axes.get_images()]
    for image, matrix in zip(shown, found.values(), strict=True):
        np.testing.assert_array_equal(image, matrix)


def test_what_is_lacking_is_told():
    plain = scene(width=[2, 3, 1])
    with pytest.raises(NothingToDrawError, match="take stats=full"):
        figures.draw("spectrum", plain, LOOK)
    with pytest.raises(NothingToDrawError, match=r"leave out activations\.n=0"):
        figures.draw("symmetry", Scene(plain.model, plain.scopes, plain.stats), LOOK)
    with pytest.raises(NothingToDrawError, match="no layer has several nodes"):
        figures.draw("symmetry", scene(width=[1, 1]), LOOK)
    with pytest.raises(NothingToDrawError, match="take stats=basic"):
        figures.draw("propagation", scene(stats={"level": "none"}), LOOK)


@pytest.mark.parametrize(
    "config",
    [
        {"width": [1, 1]},
        {"width": [2] * 21},
        {
            "width": [2, 3, 1],
            "init": {"scheme": "default", "noise_scale": 0.0, "noise_scale_base": 0.0},
            "base_fun": "zero",
        },
        {"width": [2, 3, 1], "inputs": {"kind": "normal", "std": 1e30}},
        {
            "width": [2, 3, 1],
            "init": {"scheme": "default", "noise_scale_base": 1e38},
            "inputs": {"kind": "normal", "std": 1e3},
        },
        {"width": [2, 3, 1], "inputs": {"kind": "normal", "std": 0.0}, "n_seeds": 3},
    ],
)
@pytest.mark.parametrize("style", ["light", "dark"])
def test_anything_can_be_drawn(config, style):
    """Flat, huge and non-finite activations, one node, twenty layers."""
    made = scene(stats={"level": "full", "ntk": {"n": 10}}, **config)
    look = figures.Figures(style=style)
    for name in figures.NAMES:
        try:
            figure = figures.draw(name, made, look)
        except NothingToDrawError:
            assert name == "symmetry"
            continue
        assert figures.encode(figure, "png", 40)[:4] == b"\x89PNG"


def test_figures_that_lack_something_are_left_out_with_a_word(kan_run):
    outcome = kan_run("figures=all", "width=2-3-1")
    assert outcome.code == 0
    assert outcome.err == "kan-run: figures=spectrum: the kernel was not measured; take stats=full\n"
    assert {each.name for each in (outcome.folder / "figures").iterdir()} == {
        "network.png",
        "propagation.png",
        "symmetry.png",
    }
    several = kan_run("figures=propagation", "figures.format=[svg,pdf]", "figures.style=dark")
    assert {each.name for each in (several.folder / "figures").iterdir()} == {"propagation.svg", "propagation.pdf"}


def test_nothing_global_changes():
    import matplotlib as mpl

    before, rng = dict(mpl.rcParams), torch.get_rng_state()
    figures.encode(figures.draw("propagation", scene(), LOOK), "svg", 50)
    assert dict(mpl.rcParams) == before
    assert torch.equal(torch.get_rng_state(), rng)
