"""Models that are told by their tensors, and what is answered where they are not."""

import pytest
import torch
from torch import nn

import kancli
from kancli.errors import ConfigError
from kancli.inits import Scheme
from kancli.inits.laws import Constant, Normal
from tests.oracles.efficient_kan import KAN, KANLinear


def ours(**knobs):
    return kancli.KAN([2, 3, 1], init="pykan_0_2_8", seed=2, **knobs)


@pytest.mark.parametrize("library", ["pykan", "pykan_0_0_5", "efficient_kan", "inkan", "jaxkan", "kancli"])
def test_the_tensors_of_a_new_model_are_read_as_those_of_its_library(library):
    model, x = ours(), torch.linspace(-2, 2, 40).reshape(20, 2)
    tensors = kancli.write(model, library)
    read = kancli.read(tensors)
    assert library in repr(read)
    torch.testing.assert_close(read(x), model(x), rtol=0, atol=1e-6)


def test_a_prefix_a_sequence_and_a_single_layer_are_read():
    model, x = KAN([2, 3, 1]), torch.randn(9, 2)
    wrapped = nn.Sequential(nn.Sequential(*model.layers))
    assert torch.equal(kancli.read(wrapped)(x), kancli.read(model)(x))
    layer = KANLinear(2, 3)
    torch.testing.assert_close(kancli.read(layer)(x), layer(x), rtol=1e-5, atol=1e-6)
    assert kancli.initialise(layer, "lecun", seed=1) is layer


@pytest.mark.parametrize("library", ["pykan", "efficient_kan", "inkan", "jaxkan", "kancli"])
def test_a_layer_alone_is_read_by_its_tensors(library):
    """Those that lie in the layer itself: pykan keeps masks of symbolic functions and affine maps beside it."""
    model, x = kancli.KAN([2, 3], init="pykan_0_2_8", seed=2), torch.linspace(-2, 2, 40).reshape(20, 2)
    tensors = kancli.write(model, library)
    start = "act_fun.0." if library == "pykan" else "layers.0."
    layer = {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
    torch.testing.assert_close(kancli.read(layer)(x), model(x), rtol=0, atol=1e-6)


def test_half_precision_and_float64_are_filled_with_the_same_numbers():
    drawn = kancli.KAN([2, 3, 1], init="power_law", seed=4, dtype="float64")
    for dtype in (torch.bfloat16, torch.float64):
        filled = kancli.initialise(KAN([2, 3, 1]).to(dtype), "power_law", seed=4)
        assert torch.equal(filled.layers[0].base_weight, drawn.layers[0].scale_base.T.to(dtype))


def test_the_mask_of_a_scheme_and_that_of_a_model():
    sparse = kancli.initialise(kancli.write(ours(), "pykan"), "pykan_0_2_8", seed=7, sparse_init=True)
    drawn = ours(sparse_init=True)
    assert drawn.layers[0].mask is not None
    wanted = kancli.KAN([2, 3, 1], init="pykan_0_2_8", seed=7, sparse_init=True).layers[0].mask
    assert torch.equal(sparse["act_fun.0.mask"] == 1, wanted)
    assert torch.equal(kancli.initialise(sparse, "glorot")["act_fun.0.mask"] == 1, wanted)


class Tiny(Scheme):
    """scale_base and scale_sp 1; coef ~ N(0, 0.01)."""

    def laws(self, size):
        return {"scale_base": Constant(1.0), "scale_sp": Constant(1.0), "coef": Normal(0.0, 0.01)}


def test_a_scheme_of_the_users_own():
    model = kancli.initialise(KAN([2, 300, 1]), Tiny(), seed=1)
    assert (model.layers[0].base_weight == 1).all()
    assert model.layers[0].spline_weight.std().item() == pytest.approx(0.01, rel=0.05)


def test_a_model_that_was_read_is_held_against_no_law_and_says_so():
    read = kancli.read(KAN([2, 3, 1]))
    assert repr(read) == "KAN(width=[2, 3, 1], grid=5, k=3, read_from=efficient_kan)"
    (verdict,) = (entry for entry in read.verdicts(torch.randn(60, 2)) if entry["name"] == "off_law")
    assert verdict["value"] is None


def changed(library, **changes):
    tensors = kancli.write(ours(), library)
    return {name: tensor for name, tensor in {**tensors, **changes}.items() if tensor is not None}


def renamed(name):
    tensors = changed("inkan")
    number = "0" if name == "a" else "1"
    return {f"{name}.{full}": tensor for full, tensor in tensors.items() if f".{number}." in full}


SYMBOLIC = {
    "symbolic_fun.0.mask": torch.tensor([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]]),
    "symbolic_fun.0.affine": torch.ones(3, 2, 4),
}
ONE_EDGE = torch.linspace(-1, 1, 6).repeat(6, 1) * torch.arange(1, 7).unsqueeze(1)
REFUSED = {
    "symbolic": (lambda: changed("pykan", **SYMBOLIC), "edge 1 to 1 has a symbolic function"),
    "products": (lambda: changed("pykan", node_bias_0=torch.zeros(2)), "multiplication nodes"),
    "by edge": (lambda: changed("pykan_0_0_5", **{"act_fun.0.grid": ONE_EDGE}), "rows differ between the edges"),
    "missing": (lambda: changed("efficient_kan", **{"layers.1.grid": None}), "layers.1.grid is missing beside"),
    "no grid": (lambda: changed("jaxkan", **{"layers.0.grid.item": None}), "state lacks their grid.item"),
    "more": (lambda: changed("efficient_kan", head=torch.zeros(4)), r"head \[4\]: not a tensor of efficient-kan"),
    "shape": (lambda: changed("pykan", **{"act_fun.0.mask": torch.ones(2, 4)}), r"\[2, 4\].*ask for \[2, 3\]"),
    "rows": (lambda: changed("pykan", **{"act_fun.1.grid": torch.zeros(12, 3)}), r"\[12, 3\]; .* ask for \[3, 3\]"),
    "knots": (lambda: changed("efficient_kan", **{"layers.0.grid": -torch.arange(24.0).reshape(2, 12)}), "increasing"),
    "surface": (lambda: changed("inkan", **{"layers.0.weight": torch.zeros(3, 66)}), "dim=2"),
    "integers": (lambda: changed("inkan", **{"layers.0.weight": torch.zeros(3, 18).int()}), "holds int32"),
    "sparse": (lambda: changed("inkan", **{"layers.0.weight": torch.zeros(3, 18).to_sparse()}), "is sparse"),
    "linear": (lambda: nn.Linear(2, 3), "not the tensors of pykan 0.2.8"),
    "own norm": (lambda: kancli.KAN([2, 3, 1], init="lecun_norm"), "standardises its bases"),
    "trained b": (lambda: KAN([2, 3, 1], base_activation=nn.PReLU), "base function that is trained"),
    "two": (lambda: {**renamed("a"), **renamed("b")}, "are of different networks"),
    "gap": (lambda: {"7" + name[8:]: tensor for name, tensor in changed("inkan").items()}, "no layer 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    build, message = REFUSED[name]
    with pytest.raises(ConfigError, match=message) as refusal:
        kancli.read(build())
    assert len(str(refusal.value).splitlines()) == 1


UNWRITABLE = {
    "bias": (lambda: kancli.write(biased(), KAN([2, 3, 1])), "bias: efficient-kan has none"),
    "width": (lambda: kancli.write(ours(), KAN([2, 4, 1])), r"\[2, 3, 1\], the one to fill \[2, 4, 1\]"),
    "grid": (lambda: kancli.write(ours(), KAN([2, 3, 1], grid_size=7)), "shape"),
    "base": (lambda: kancli.write(ours(base_fun="gelu"), KAN([2, 3, 1])), "base_fun: gelu.*silu"),
    "order": (lambda: kancli.write(kancli.KAN([2, 1], k=2), "inkan"), "k=2: inkan has k=3 only"),
    "range": (lambda: kancli.write(ours(grid_range=(-2, 2)), kancli.write(ours(), "inkan")), "grid_range"),
    "norm": (lambda: kancli.initialise(KAN([2, 3, 1]), "lecun_norm"), "standardises"),
    "sparse": (lambda: kancli.initialise(KAN([2, 3, 1]), "pykan_0_2_8", sparse_init=True), "switches edges off"),
    "linear": (lambda: kancli.initialise(KAN([2, 3, 1]), "linear"), "is for base_fun=identity"),
    "knob": (lambda: kancli.initialise(KAN([2, 3, 1]), "glorot", gian=2), "did you mean gain"),
    "preset": (lambda: kancli.initialise(KAN([2, 3, 1]), "glorott"), "did you mean glorot"),
    "read-only": (lambda: kancli.initialise(frozen(), "glorot"), "layers.0.c_spl: is read-only"),
    "repeated": (lambda: kancli.initialise(repeated(), "glorot"), "layers.0.grid: repeats its values"),
    "library": (lambda: kancli.write(ours(), "pykam"), "allowed: pykan"),
}


def frozen():
    tensors = kancli.write(ours(), "jaxkan")
    for array in tensors.values():
        array.flags.writeable = False
    return tensors


def repeated():
    tensors = kancli.write(ours(), "efficient_kan")
    return tensors | {"layers.0.grid": tensors["layers.0.grid"][:1].expand(2, -1)}


def biased():
    model = kancli.KAN([2, 3, 1], init="power_law")
    with torch.no_grad():
        model.layers[0].bias.fill_(0.5)
    return model


@pytest.mark.parametrize("name", UNWRITABLE)
def test_what_has_no_place_is_answered_and_nothing_is_half_written(name):
    write, message = UNWRITABLE[name]
    with pytest.raises(ConfigError, match=message):
        write()


def test_nothing_is_written_where_the_last_layer_does_not_fit():
    target = nn.Sequential(KANLinear(2, 3), KANLinear(3, 1, grid_size=9))
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    with pytest.raises(ConfigError, match="shape"):
        kancli.write(ours(), target)
    assert all(torch.equal(before[name], tensor) for name, tensor in target.state_dict().items())


def test_a_grid_that_was_updated_is_not_initialised():
    model = KAN([2, 3, 1])
    model.layers[0].update_grid(torch.randn(50, 2))
    with pytest.raises(ConfigError, match="layer 0: its knots"):
        kancli.initialise(model, "power_law")


def test_other_objects_are_no_models():
    with pytest.raises(TypeError, match="model is a list"):
        kancli.initialise([1, 2], "glorot")
