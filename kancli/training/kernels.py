"""Which kernel computes a training: numba's, where it is installed, can do it, and saves time; else torch."""

from __future__ import annotations

from kancli.kan import compiled
from kancli.kan.kernels import serves
from kancli.kan.layered import LayeredNetwork
from kancli.kan.network import KAN
from kancli.tasks.task import Differential, Regression
from kancli.training.options import Train
from kancli.training.regularisation import Penalty

MIN_SECONDS = 2.0  # of torch's time: loading numba and its kernels takes about 1 s, compiling them once is not counted
# Torch's time of a step, on two cores: for each factor of a sum over edges, and in any case.
SECONDS_A_STEP, SECONDS_A_FACTOR = 2.5e-3, 5e-9


def use_compiled(
    model: LayeredNetwork, data: Regression | Differential, train: Train, penalty: Penalty | None, recorded: str | None
) -> bool:
    """Whether numba's kernels compute a training: a function of the sizes, not of the time that anything takes.

    Args:
        train: resolved keys.
        recorded: kernel of the state that is gone on from, "numba" or "torch"; None for a fresh start.

    Raises:
        ValueError: `train.compile` is true, or the state needs it, and numba isn't installed.
    """
    wanted = train.compile is True if recorded is None else recorded == "numba"
    if recorded == "torch" or (recorded is None and train.compile is False):
        return False
    if not isinstance(model, KAN) or not is_supported(model, train, penalty):
        return False
    if not compiled.is_available():
        if not wanted:
            return False
        cause = "train.compile=true" if recorded is None else "the state to go on from"
        raise ValueError(f"{cause} needs numba: pip install 'kancli[fast]', or train.compile=false")
    return wanted or torch_seconds(model, data, train) > MIN_SECONDS


def is_supported(model: KAN, train: Train, penalty: Penalty | None) -> bool:
    """Whether the kernels can do it."""
    return serves(model) and not train.adapt_every and penalty is None


def has_dense_pass(model: LayeredNetwork, penalty: Penalty | None) -> bool:
    """Whether `dense.DenseRegression` can take the place of automatic differentiation."""
    if not isinstance(model, KAN):
        return False
    first = model.layers[0]
    uniform = not any(layer.per_input_knots for layer in model.layers)
    return first.coef.device.type == "cpu" and first.k > 1 and uniform and not first.standardise and penalty is None


def torch_seconds(model: KAN, data: Regression | Differential, train: Train) -> float:
    """About how long all steps take by torch."""
    n_samples = len(data.train.x) if isinstance(data, Regression) else 8 * len(data.collocation)
    n_samples = min(n_samples, train.batch or n_samples)
    n_factors = sum(layer.n_in * layer.n_out * (layer.k + 2) for layer in model.layers)
    seconds = SECONDS_A_STEP + SECONDS_A_FACTOR * n_samples * n_factors * (model.n_members or 1)
    return (train.steps or 0) * seconds
