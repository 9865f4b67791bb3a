"""Every mistake that a user's scheme can hold is answered with one line before the run starts."""

import itertools
import math
import random
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from kancli.inits import SCHEMES, LayerSize, Scheme
from kancli.inits.law_checks import LAW_MEMBERS
from kancli.inits.laws import Constant, Independent, Law, Normal, Uniform
from kancli.inits.scheme_checks import find_faults

SIZES = [LayerSize(2, 5, 5, 3), LayerSize(5, 1, 5, 3)]
SUBJECT = "its law of coef, a Law: "


class Valid(Independent):
    """N(0, 1) as a user may write it; the tests replace one member at a time."""

    mean = 0.0
    std = 1.0
    bounds = (-math.inf, math.inf)

    def cdf(self, x):
        return Normal(0.0, 1.0).cdf(x)

    def sample(self, shape, *, generator):
        return generator.standard_normal(shape)


@dataclass(frozen=True)
class SchemeOf(Scheme):
    """A scheme with one law for coef."""

    coef: object

    def laws(self, size):
        return {"scale_base": Constant(0.0), "scale_sp": Constant(1.0), "coef": self.coef}


def faults_with(**members):
    """Faults of a scheme whose law of coef has these members in place of a normal law's."""
    return find_faults(SchemeOf(type("Law", (Valid,), members)()), SIZES)


def test_the_members_are_those_of_the_protocol():
    assert set(LAW_MEMBERS) == {
        "mean", "std", "bounds", "mean_error", "variance_error", "combined_variance", "cdf", "rows", "sample"
    }  # fmt: skip
    assert set(LAW_MEMBERS) == {name for name in dir(Law) if not name.startswith("_")}


@pytest.mark.parametrize("name", SCHEMES)
@pytest.mark.parametrize("size", [LayerSize(2, 5, 5, 3), LayerSize(1, 1, 1, 0), LayerSize(7, 2, 40, 2, (-0.5, 0.9))])
def test_every_scheme_of_kancli_passes(name, size):
    assert find_faults(SCHEMES[name](), [size]) == []


@pytest.mark.parametrize("knobs", [{"stream": "source"}, {"stream": "source", "sparse_init": True}])
def test_source_draws_of_kancli_pass(knobs):
    assert find_faults(SCHEMES["pykan_0_2_8"](**knobs), SIZES) == []


@pytest.mark.parametrize(
    "law", [Normal(2.0, 0.0), Normal(-1e9, 1e-9), Uniform(5.0, 5.0), Uniform(1.0, 1e6), Constant(3)]
)
def test_extreme_laws_pass(law):
    assert find_faults(SchemeOf(law), SIZES) == []


@pytest.mark.parametrize("missing", LAW_MEMBERS)
def test_a_missing_member_is_named(missing):
    members = {name: getattr(Valid, name) for name in LAW_MEMBERS if name != missing}
    (fault,) = find_faults(SchemeOf(type("Law", (), members)()), SIZES)
    assert fault == f"its law of coef is a Law without {missing}; kancli.inits.laws.Law lists all members"


def sample_float32(self, shape, *, generator):
    return generator.standard_normal(shape, dtype=np.float32)


def sample_global_numpy(self, shape, *, generator):
    return np.random.standard_normal(shape)


def sample_own_generator(self, shape, *, generator):
    return np.random.default_rng().standard_normal(shape)


def sample_global_torch(self, shape, *, generator):
    return torch.randn(shape, dtype=torch.float64).numpy()


def rows_of_half_a_law(self, block):
    return object()


WRONG = {
    "nan std": ({"std": math.nan}, "std is nan; allowed: a finite number, >= 0"),
    "negative std": ({"std": -1.0}, "std is -1.0; allowed: a finite number, >= 0"),
    "infinite mean": ({"mean": math.inf}, "mean is inf; allowed: a finite number"),
    "mean of text": ({"mean": "zero"}, "mean is 'zero'; allowed: a finite number"),
    "std as a method": ({"std": lambda self: 1.0}, "std is <bound method"),
    "mean raises": ({"mean": property(lambda self: 1 / 0)}, "mean fails: ZeroDivisionError: division by zero"),
    "bounds of one": ({"bounds": (0.0,)}, "bounds is (0.0,); allowed: (low, high) with the mean 0 between"),
    "bounds apart": ({"bounds": (1.0, 2.0)}, "bounds is (1.0, 2.0); allowed: (low, high) with the mean 0 between"),
    "bounds too near": ({"bounds": (-0.1, 0.1)}, "its bounds are -0.1 to 0.1"),
    "negative mean_error": ({"mean_error": lambda *_: -1.0}, "mean_error((2, 3, 8)) is -1.0; allowed: a finite"),
    "mean_error None": ({"mean_error": lambda *_: None}, "mean_error((2, 3, 8)) is None; allowed: a finite"),
    "nan variance_error": ({"variance_error": lambda *_: math.nan}, "variance_error((2, 3, 8)) is nan; allowed"),
    "no shape": ({"variance_error": lambda _: 1.0}, "variance_error((2, 3, 8)) fails: TypeError"),
    "variance of [q, K]": (
        {"combined_variance": lambda _, weights: weights**2},
        "combined_variance(weights of shape (4, 8)) has shape (4, 8); allowed: (4,)",
    ),
    "negative variance": (
        {"combined_variance": lambda _, weights: -(weights**2).sum(-1)},
        "allowed: variances, >= 0",
    ),
    "falling cdf": ({"cdf": lambda _, x: (x < 0) * 1.0}, "cdf(x) falls or leaves [0, 1]"),
    "cdf above 1": ({"cdf": lambda _, x: 2.0 * (x >= 0)}, "cdf(x) falls or leaves [0, 1]"),
    "flat cdf": ({"cdf": lambda _, x: 0 * x + 0.5}, "cdf is 0.5 and 0.5 at 10 std below and above the mean"),
    "cdf of one number": ({"cdf": lambda *_: 0.5}, "cdf(x) has shape (); allowed: (41,)"),
    "nan cdf": ({"cdf": lambda _, x: x * math.nan}, "cdf(x) holds nan; allowed: finite numbers"),
    "rows of no law": ({"rows": rows_of_half_a_law}, "rows(slice(0, 1)) is a object without mean, std, bounds"),
    "rows raise": ({"rows": lambda self: self}, "rows fails: TypeError"),
    "rows of another law": ({"rows": lambda *_: Normal(0.0, math.nan)}, "rows(slice(0, 1)): std is nan"),
    "transposed": (
        {"sample": lambda _, shape, *, generator: generator.random(shape[::-1])},
        "sample((2, 3, 8)) has shape (8, 3, 2); allowed: (2, 3, 8)",
    ),
    "infinite sample": (
        {"sample": lambda _, shape, *, generator: np.full(shape, math.inf)},
        "sample((2, 3, 8)) holds inf; allowed: finite numbers",
    ),
    "scores of two axes": (
        {"normal_scores": lambda _, values, eps: values[0, 0]},
        "normal_scores(values, eps) has shape (3, 8); allowed: (1, 8)",
    ),
    "scores without eps": ({"normal_scores": lambda _, values: values}, "normal_scores(values, eps) fails: TypeError"),
    "impossible scores": (
        {"normal_scores": lambda _, values, eps: values.reshape(1, -1) * math.inf},
        "normal_scores(values, eps) holds",
    ),
    "float32": ({"sample": sample_float32}, "sample((2, 3, 8)) has dtype float32; allowed: float64"),
    "complex": (
        {"sample": lambda _, shape, *, generator: np.ones(shape, complex)},
        "sample((2, 3, 8)) has dtype complex128; allowed: float64",
    ),
    "ragged": ({"sample": lambda *_, generator: [[1.0], [1.0, 2.0]]}, "sample((2, 3, 8)) fails: ValueError"),
    "no generator": ({"sample": lambda _, shape: np.zeros(shape)}, "sample((2, 3, 8)) fails: TypeError"),
    "global numpy": ({"sample": sample_global_numpy}, "changes the global generator of numpy.random"),
    "global torch": ({"sample": sample_global_torch}, "changes the global generator of torch"),
    "own generator": ({"sample": sample_own_generator}, "differs between two equal generators"),
    "constant draw": (
        {"sample": lambda _, shape, *, generator: np.ones(shape)},
        "does not read its generator; draw from `generator` alone",
    ),
    "str raises": ({"__str__": lambda self: 1 / 0}, "str fails: ZeroDivisionError"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_member_is_named(case):
    members, message = WRONG[case]
    (fault,) = faults_with(**members)
    assert fault.startswith(SUBJECT)
    assert message in fault
    assert "\n" not in fault


def test_moments_are_checked_at_every_size():
    class OfSize(SchemeOf):
        def laws(self, size):
            return {**super().laws(size), "coef": Normal(0.0, 1.0 if size.n_in == 2 else math.nan)}

    assert find_faults(OfSize(None), SIZES) == ["its law of coef, a Normal: std is nan; allowed: a finite number, >= 0"]


def random_laws(self, size):
    return {"scale_base": Constant(random.random()), "scale_sp": Constant(1.0), "coef": Normal(0.0, 1.0)}


COUNTER = itertools.count()


def counted_laws(self, size):
    return {"scale_base": Constant(next(COUNTER)), "scale_sp": Constant(1.0), "coef": Normal(0.0, 1.0)}


def laws_and_more(self, size):
    return {**SchemeOf(Normal(0.0, 1.0)).laws(size), "bias": Constant(0.0)}


def draws_of(function):
    return {"source_draws": lambda self, sizes, seed: function(sizes)}


def draw_zeros(sizes, **more):
    return [{"scale_base": np.zeros((s.n_in, s.n_out)), "scale_sp": np.zeros((s.n_in, s.n_out)),
             "coef": np.zeros((s.n_in, s.n_out, 8)), **more} for s in sizes]  # fmt: skip


WRONG_SCHEMES = {
    "a list": ({"laws": lambda *_: [Constant(0.0)]}, "its laws(size) gives list; allowed: a law for each of"),
    "another tensor": ({"laws": laws_and_more}, "its laws(size) gives scale_base, scale_sp, coef, bias; allowed"),
    "no bias": ({"has_bias": True}, "allowed: a law for each of scale_base, scale_sp, coef, bias"),
    "no argument": ({"laws": lambda self: {}}, "its laws(size) fails: TypeError"),
    "random laws": ({"laws": random_laws}, "its laws(size) changes the global generator of random"),
    "changing laws": ({"laws": counted_laws}, "its law of scale_base, a Constant: two calls of laws(size) differ"),
    "draws raise": (draws_of(lambda _: 1 / 0), "its source_draws(sizes, seed) fails: ZeroDivisionError"),
    "draws of one layer": (draws_of(lambda sizes: draw_zeros(sizes[:1])), "a dict for each of 2 layers"),
    "draws in a generator": (draws_of(iter), "gives list_iterator; allowed: None, or a dict"),
    "draws without coef": (
        draws_of(lambda sizes: [{"scale_base": 0.0} for _ in sizes]),
        "gives scale_base; allowed: an array for each of scale_base, scale_sp, coef",
    ),
    "draws of another shape": (
        draws_of(lambda sizes: draw_zeros(sizes, coef=np.zeros(8))),
        "its source_draws(sizes, seed) of coef has shape (8,); allowed: (2, 3, 8)",
    ),
    "draws of nan": (
        draws_of(lambda sizes: draw_zeros(sizes, coef=np.full((2, 3, 8), math.nan))),
        "its source_draws(sizes, seed) of coef holds nan; allowed: finite numbers",
    ),
    "global draws": (
        draws_of(lambda sizes: draw_zeros(sizes, scale_sp=np.random.random())),
        "its source_draws(sizes, seed) changes the global generator of numpy.random",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_SCHEMES)
def test_a_wrong_scheme_is_answered(case):
    members, message = WRONG_SCHEMES[case]
    (fault,) = find_faults(type("Mine", (SchemeOf,), members)(Normal(0.0, 1.0)), SIZES)
    assert message in fault
    assert "\n" not in fault


def test_valid_source_draws_pass():
    scheme = type("Mine", (SchemeOf,), draws_of(draw_zeros))(Normal(0.0, 1.0))
    assert find_faults(scheme, SIZES) == []


def test_a_scheme_that_cannot_be_hashed_is_checked_too():
    @dataclass
    class Mutable(Scheme):
        std: float

        def laws(self, size):
            return SchemeOf(Normal(0.0, self.std)).laws(size)

    assert find_faults(Mutable(1.0), SIZES) == []
    assert find_faults(Mutable(-1.0), SIZES) != []


def test_the_check_restores_the_global_generators():
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    assert faults_with(sample=sample_global_numpy) != []
    assert faults_with(sample=sample_global_torch) != []
    assert find_faults(type("Mine", (SchemeOf,), {"laws": random_laws})(None), SIZES) != []
    assert (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before
