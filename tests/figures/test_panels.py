"""Figures of panels plot the numbers of stats.json, and name the data that they lack."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy import stats

from kancli.figures import propagation, render
from kancli.figures.activations import sample_layer
from kancli.figures.data import DepthProfile, FigureData, NothingToDrawError
from kancli.figures.options import OF_START, FigureOptions
from kancli.figures.panels import make_panels, set_log_scale
from kancli.figures.style import PALETTES
from kancli.figures.symmetry import correlations
from tests.figures.panels import OPTIONS, drawn, make_data


@pytest.fixture(scope="module")
def single():
    return make_data(width=[2, 4, 3, 1], stats={"level": "full", "ntk": {"n": 40}})


@pytest.fixture(scope="module")
def ensemble():
    return make_data(width=[2, 4, 3, 1], n_seeds=5, stats={"level": "full", "ntk": {"n": 40}})


def test_propagation_draws_the_judged_ratios_by_layer(single):
    data = dataclasses.replace(single, bounds={"signal_explodes": (1.5, None), "off_grid": (0.5, 0.9)})
    signal, gradient, off = render.plot("propagation", data, OPTIONS).axes
    layers = single.stats["layers"]
    growth = np.cumprod([1, *(layer["gain"]["variance"] ** 0.5 for layer in layers)])
    drawn_signal, bound = drawn(signal)
    np.testing.assert_allclose(drawn_signal, np.stack([range(4), growth], -1), rtol=1e-9)
    assert bound[:, 1].tolist() == [1.5, 1.5]
    gains = [layer["gradient_gain"] * math.sqrt(layer["n_in"] / layer["n_out"]) for layer in reversed(layers)]
    back = np.cumprod([1, *gains])[::-1]
    np.testing.assert_allclose(drawn(gradient)[0], np.stack([range(4), back], -1), rtol=1e-9)
    shares, *bounds = drawn(off)
    assert shares[:, 1].tolist() == [layer["off_grid"] for layer in layers]
    assert [line[0, 1] for line in bounds] == [0.5, 0.9]
    assert signal.get_yscale() == "log"
    assert signal.get_ylabel().replace("\n", " ") == "std of a layer's nodes over that of the inputs"
    slope = single.stats["propagation"]["signal"]
    assert signal.get_title(loc="left") == f"slope of the log: {slope:.2g} a layer"


def test_parameters_of_no_known_law_are_not_called_drawn(single):
    """Those of a checkpoint."""
    for data, label in ((single, "drawn"), (dataclasses.replace(single, laws=[{}, {}, {}]), "values")):
        texts = [text.get_text() for text in render.plot("distributions", data, OPTIONS).axes[0].get_legend().texts]
        assert texts[0] == label
        assert len(texts) == (2 if data.laws[0] else 1)


def test_bands_are_quantiles_over_members(ensemble):
    signal = render.plot("propagation", ensemble, OPTIONS).axes[0]
    by_layer = ensemble.stats["propagation"]["signal_by_layer"]
    assert drawn(signal)[0][:, 1].tolist() == by_layer["q50"]
    ends = np.asarray(signal.collections[0].get_paths()[0].vertices)
    for number in range(4):
        at = ends[ends[:, 0] == number, 1]
        assert (at.min(), at.max()) == pytest.approx((by_layer["q05"][number], by_layer["q95"][number]))


def test_a_profile_of_an_earlier_kancli_is_named(single):
    old = {**single.stats, "propagation": {"signal": 1.0, "signal_ratio": 2.0}}
    with pytest.raises(NothingToDrawError, match="repeat the run with kan-run rerun"):
        render.plot("propagation", dataclasses.replace(single, stats=old), OPTIONS)


def test_profiles_of_several_runs_have_a_line_each_and_their_slopes():
    def profile(name, slope):
        values = np.exp(slope * np.arange(5))
        return DepthProfile(
            name, {"signal": {"middle": values, "low": values / 2, "high": values * 2}}, {"signal": slope}
        )

    profiles = [profile("width=a", 0.5), profile("width=b", -0.25)]
    bounds = {"signal_vanishes": (0.1, 0.001)}
    signal, names = propagation.plot_profiles(profiles, OPTIONS, bounds, ["16 of 40 combinations"]).axes
    for line, slope in zip(drawn(signal)[:2], (0.5, -0.25)):
        np.testing.assert_allclose(line, np.stack([range(5), np.exp(slope * np.arange(5))], -1))
    assert drawn(signal)[2][:, 1].tolist() == [0.1, 0.1]
    assert len(signal.collections) == 2
    assert [text.get_text() for text in names.get_legend().get_texts()] == ["width=a: 0.5", "width=b: -0.25"]
    title = names.get_legend().get_title().get_text()
    assert "16 of 40 combinations" in title
    assert "slope of the log a layer: signal" in title


def test_spectrum_draws_eigenvalues_and_singular_values(single, ensemble):
    kernel, jacobian = render.plot("spectrum", single, OPTIONS).axes
    values = np.array(single.stats["ntk"]["eigenvalues"])
    (line,) = drawn(kernel)
    np.testing.assert_array_equal(line[:, 1], values[values > 1e-9 * values[0]])
    assert [point[1] for point in drawn(jacobian)[0]] == [single.stats["jacobian"][n] for n in ("min", "median", "max")]
    (line,) = drawn(render.plot("spectrum", ensemble, OPTIONS).axes[0])
    means = np.array(ensemble.stats["ntk"]["eigenvalues"]["mean"])
    np.testing.assert_array_equal(line[:, 1], means[means > 1e-9 * means[0]])


def test_symmetry_draws_the_correlations_of_the_nodes(single):
    matrices = correlations(single)
    assert {layer: matrix.shape for layer, matrix in matrices.items()} == {0: (4, 4), 1: (3, 3)}
    for number, matrix in matrices.items():
        expected = np.corrcoef(single.activations[f"layers.{number + 1}.preacts"].double().numpy().T)
        np.testing.assert_allclose(matrix, expected, atol=1e-12)
        upper = np.abs(matrix[np.triu_indices(len(matrix), 1)])
        assert single.stats["layers"][number]["correlation"]["mean"] == pytest.approx(upper.mean(), rel=1e-6)
    figure = render.plot("symmetry", single, OPTIONS)
    shown = [axes.get_images()[0].get_array() for axes in figure.axes if axes.get_images()]
    for image, matrix in zip(shown, matrices.values(), strict=True):
        np.testing.assert_array_equal(image, matrix)


def test_activations_overlay_all_edges_of_all_members(ensemble):
    """Bands are quantiles over edges and members, lines are the first member's edges."""
    figure = render.plot("activations", ensemble, OPTIONS)
    for number, axes in enumerate(figure.axes):
        layer, ranges = ensemble.model.layers[number], ensemble.ranges[number]
        x = np.linspace(ranges.low.min(), ranges.high.max(), 101)
        places = torch.from_numpy(x).float()[None, :, None].expand(5, -1, layer.n_in)
        curves = layer.trace(places).postacts.detach().double().numpy()  # [s, p, i, o]
        flat = curves.transpose(1, 0, 2, 3).reshape(101, -1)
        lines = drawn(axes)
        if flat.shape[1] >= 20:
            np.testing.assert_allclose(lines[0][:, 1], np.median(flat, axis=1), atol=1e-6)
            wide, narrow = (np.asarray(band.get_paths()[0].vertices) for band in axes.collections[:2])
            for band, ends in ((wide, (0.05, 0.95)), (narrow, (0.25, 0.75))):
                at = band[np.isclose(band[:, 0], x[40]), 1]
                np.testing.assert_allclose([at.min(), at.max()], np.quantile(flat[40], ends), atol=1e-6)
            lines = lines[1:]
        np.testing.assert_allclose(np.array(lines)[:, :, 1], curves[0].transpose(1, 2, 0).reshape(-1, 101), atol=1e-6)


def test_bands_need_enough_curves(single):
    figure = render.plot("activations", single, OPTIONS)
    assert [len(axes.collections) for axes in figure.axes] == [0, 0, 0], "of 8, 12 and 3 curves"


def test_members_use_their_own_basis_statistics():
    data = make_data(width=[2, 3, 1], init={"scheme": "lecun_norm"}, n_seeds=4)
    alone = make_data(width=[2, 3, 1], init={"scheme": "lecun_norm"}, seed=2)
    third = list(data.members())[2]
    sampled, expected = (sample_layer(FigureData(model, alone.ranges), 0) for model in (third, alone.model))
    np.testing.assert_array_equal(sampled.curves, expected.curves)


def test_distributions_plot_histograms_and_the_law(ensemble):
    figure = render.plot("distributions", ensemble, OPTIONS)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[:3] == [
        "layer 0, scale_base\nU[0.607107, 0.807107)", "layer 0, coef\nN(0, 0.02)", "layer 0, preacts",
    ]  # fmt: skip
    coef = figure.axes[1]
    (bars,) = coef.patches
    heights, edges, _ = bars.get_data()
    values = ensemble.model.layers[0].coef.detach().double().numpy().ravel()
    np.testing.assert_allclose(heights, np.histogram(values, edges, density=True)[0])
    assert (heights * np.diff(edges)).sum() == pytest.approx(1)
    (law,) = drawn(coef)
    bin = edges[1] - edges[0]
    exact = (stats.norm.cdf(law[:, 0] + bin / 2, 0, 0.02) - stats.norm.cdf(law[:, 0] - bin / 2, 0, 0.02)) / bin
    np.testing.assert_allclose(law[:, 1], exact, atol=1e-9)
    preacts = figure.axes[2]
    knots = sorted(np.asarray(line.get_xdata())[0] for line in preacts.get_lines())
    np.testing.assert_allclose(knots, np.linspace(-1, 1, 6), atol=1e-12)
    shaded = sorted((patch.get_x(), patch.get_x() + patch.get_width()) for patch in preacts.patches[1:])
    x = ensemble.activations["inputs"].numpy()
    np.testing.assert_allclose(shaded, [(x.min(), -1), (1, x.max())])


def test_a_constant_tensor_has_no_panel_and_a_lost_law_is_noted():
    adapted = make_data(width=[2, 3], grid={"adapt": "samples"})
    titles = [axes.get_title(loc="left") for axes in render.plot("distributions", adapted, OPTIONS).axes]
    assert titles == [
        "layer 0, scale_base\nU[0.607107, 0.807107)",
        "layer 0, coef\nno declared law",
        "layer 0, preacts",
    ]
    linear = make_data(width=[2, 3], init={"scheme": "default", "noise_scale": 0.0, "noise_scale_base": 0.0})
    assert [format.get_title(loc="left") for format in render.plot("distributions", linear, OPTIONS).axes] == [
        "layer 0, preacts"
    ]
    bare = FigureData(linear.model, linear.ranges)
    with pytest.raises(NothingToDrawError, match="nothing was drawn at random"):
        render.plot("distributions", bare, OPTIONS)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [(0.82, 1.07, ["0.85", "0.9", "0.95", "1", "1.05"]), (0.3, 20, ["0.5", "1", "2", "5", "10", "20"]),
     (1e-7, 1e5, ["1e-6", "0.0001", "0.01", "1", "100", "10000"])],
)  # fmt: skip
def test_ticks_of_log_axes_are_plain_numbers(low, high, labels):
    _, (axes,) = make_panels(1, PALETTES["light"], 100)
    axes.plot([0, 1], [low, high])
    set_log_scale(axes, {"mean": np.array([low, high])})
    axes.set_ylim(low, high)
    axes.figure.canvas.draw()
    assert [text.get_text() for text in axes.get_yticklabels()] == labels
    assert not any(text.get_text() for text in axes.get_yticklabels(minor=True))


def test_a_uniform_law_is_a_box_and_few_draws_are_dots():
    data = make_data(width=[2, 3, 1], inputs={"kind": "normal", "n": 5})
    axes = {axes.get_title(loc="left").partition("\n")[0]: axes
            for axes in render.plot("distributions", data, OPTIONS).axes}  # fmt: skip
    base = axes["layer 1, scale_base"]
    dots, box = drawn(base)
    values = data.model.layers[1].scale_base.detach().numpy().ravel()
    np.testing.assert_array_equal(dots[:, 0], values)
    low, high = 1 / math.sqrt(3) - 0.1, 1 / math.sqrt(3) + 0.1
    assert len(base.patches) == 0
    assert base.get_ylim()[0] == 0
    np.testing.assert_allclose(box[1:5], [[low, 0], [low, 5], [high, 5], [high, 0]], atol=1e-6)
    preacts = axes["layer 0, preacts"]
    assert len(drawn(preacts)[0]) == 10
    assert (preacts.get_ylabel(), list(preacts.get_yticks())) == ("", []), "without a density, no scale"
    many = render.plot("distributions", make_data(width=[2, 30]), OPTIONS).axes[0]
    _, edges, _ = many.patches[0].get_data()
    np.testing.assert_allclose([edges[0], edges[-1]], [1 / math.sqrt(2) - 0.1, 1 / math.sqrt(2) + 0.1])


def test_correlation_maps_name_every_node():
    data = make_data(width=[2, 8, 2])
    hidden, outputs = render.plot("symmetry", data, FigureOptions(out_vars=("u", "pressure"))).axes[:2]
    assert [text.get_text() for text in hidden.get_xticklabels()] == list("01234567")
    assert hidden.get_xlabel() == "node of layer 1"
    assert [text.get_text() for text in outputs.get_yticklabels()] == ["u", "press…"]


def test_missing_data_is_named_with_the_option_that_records_it():
    plain = make_data(width=[2, 3, 1])
    with pytest.raises(NothingToDrawError, match="take stats=full"):
        render.plot("spectrum", plain, OPTIONS)
    with pytest.raises(NothingToDrawError, match=r"leave out activations\.n=0"):
        render.plot("symmetry", FigureData(plain.model, plain.ranges, plain.stats), OPTIONS)
    with pytest.raises(NothingToDrawError, match="no layer has several nodes"):
        render.plot("symmetry", make_data(width=[1, 1]), OPTIONS)
    with pytest.raises(NothingToDrawError, match="take stats=basic"):
        render.plot("propagation", make_data(stats={"level": "none"}), OPTIONS)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "style"),
    [
        ({"width": [1, 1]}, "light"),
        ({"width": [1, 1]}, "dark"),
        ({"width": [2] * 21}, "light"),
        (
            {
                "width": [2, 3, 1],
                "init": {"scheme": "default", "noise_scale": 0.0, "noise_scale_base": 0.0},
                "base_fun": "zero",
            },
            "dark",
        ),
        ({"width": [2, 3, 1], "inputs": {"kind": "normal", "std": 1e30}}, "light"),
        (
            {
                "width": [2, 3, 1],
                "init": {"scheme": "default", "noise_scale_base": 1e38},
                "inputs": {"kind": "normal", "std": 1e3},
            },
            "dark",
        ),
        ({"width": [2, 3, 1], "inputs": {"kind": "normal", "std": 0.0}, "n_seeds": 3}, "light"),
    ],
)
def test_extreme_runs_can_be_plotted(config, style):
    """Flat, huge and non-finite activations, one node, twenty layers."""
    data = make_data(stats={"level": "full", "ntk": {"n": 10}}, **config)
    options = FigureOptions(style=style)
    for name in OF_START:
        try:
            figure = render.plot(name, data, options)
        except NothingToDrawError:
            assert name == "symmetry"
            continue
        assert render.encode(figure, "png", 40)[:4] == b"\x89PNG"


@pytest.mark.slow
def test_figures_without_data_are_skipped_with_a_warning(kan_run):
    outcome = kan_run("figures=all", "width=2-3-1")
    assert outcome.code == 0
    assert outcome.err == "kan-run: figures=spectrum: the kernel was not measured; take stats=full\n"
    written = {path.name for path in (outcome.folder / "figures").iterdir()}
    assert written == {f"{name}.png" for name in OF_START if name != "spectrum"}
    several = kan_run("figures=propagation", "figures.format=[svg,pdf]", "figures.style=dark")
    assert {path.name for path in (several.folder / "figures").iterdir()} == {"propagation.svg", "propagation.pdf"}


def test_plotting_leaves_rcparams_and_the_rng_unchanged():
    import matplotlib as mpl

    before, rng = dict(mpl.rcParams), torch.get_rng_state()
    render.encode(render.plot("propagation", make_data(), OPTIONS), "svg", 50)
    assert dict(mpl.rcParams) == before
    assert torch.equal(torch.get_rng_state(), rng)
