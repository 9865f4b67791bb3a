"""He's law for the weights of an MLP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kancli.inits.initialise import DeclaredMoments, fill_, moments_of
from kancli.inits.laws import Constant, Normal

if TYPE_CHECKING:
    from kancli.inits.laws import Law
    from kancli.kan.mlp import MLP

GAIN = 2**0.5


def he_laws(n_in: int) -> dict[str, Law]:
    """weight ~ N(0, gain / sqrt(n_in)) with gain sqrt(2); bias = 0.

    The normal law of He, Zhang, Ren and Sun (2015, arXiv 1502.01852, equation 10, fan-in), in all layers alike. The
    gain is theirs for relu, as usual for silu too: torch's `calculate_gain` has none for it.
    """
    return {"weight": Normal(0.0, GAIN / n_in**0.5), "bias": Constant(0.0)}


def he_normal_(model: MLP, *, seeds: Sequence[int]) -> MLP:
    """Fill every parameter of an MLP in place from He's law, and return it.

    Every tensor of every layer has its own stream, as in `initialise.init_`.

    Args:
        seeds: of the members.
    """
    for number, layer in enumerate(model.layers):
        fill_(layer, he_laws(layer.n_in), seeds, number)
    return model


def declared_by_he(model: MLP) -> list[dict[str, DeclaredMoments]]:
    """Expected statistics of each layer's tensors, by tensor."""
    return [
        {name: moments_of(law, law, layer, name) for name, law in he_laws(layer.n_in).items()} for layer in model.layers
    ]
