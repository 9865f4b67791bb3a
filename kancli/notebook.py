"""pykan's Python interface for notebooks: code for pykan runs with only the import changed.

Nothing is printed or written, no global random state is touched, and no argument is edited.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from kancli.config.compose import settings_of
from kancli.inits.initialise import init_
from kancli.kan import network
from kancli.runs.build import layer_options
from kancli.seeding import stream

if TYPE_CHECKING:
    from kancli.figures.diagram.canvas import Diagram


class KAN(network.KAN):
    """An initialised KAN, with the numbers of `kan-run` for the same knobs, bit for bit.

    Args:
        width: nodes per layer, `[n_0, ..., n_L]`.
        grid: G, number of grid intervals.
        k: order of the B-splines.
        noise_scale, noise_scale_base: knobs of the scheme; None for their defaults.
        base_fun: b(x), a function of tensors or a name as in `kan-run base_fun=NAME`.
        seed: seed of all random streams.
        grid_range: interval of the spline grid.
        init: name of a scheme; its other knobs are keyword arguments.
        dtype: "float32" or "float64", or the torch type.
        device: as in torch.

    Raises:
        ConfigError: a value is not legal; the message lists all faults.
    """

    def __init__(
        self,
        width: Sequence[int],
        grid: int = 5,
        k: int = 3,
        noise_scale: float | None = None,
        noise_scale_base: float | None = None,
        base_fun: str | Callable[[Tensor], Tensor] = "silu",
        *,
        seed: int = 0,
        grid_range: Sequence[float] = (-1, 1),
        init: str = "default",
        dtype: str | torch.dtype = "float32",
        device: str | torch.device = "cpu",
        **knobs: Any,
    ) -> None:
        given = {"noise_scale": noise_scale, "noise_scale_base": noise_scale_base, **knobs}
        settings = settings_of(
            {
                "width": list(width),
                "k": k,
                "seed": seed,
                "base_fun": base_fun if isinstance(base_fun, str) else "silu",
                "dtype": str(dtype).removeprefix("torch."),
                "grid": {"size": grid, "range": list(grid_range)},
                "init": {"scheme": init, **{name: value for name, value in given.items() if value is not None}},
            }
        )
        options = layer_options(settings)
        if not isinstance(base_fun, str):
            options |= {"base_fun": base_fun, "base_name": None}
        super().__init__(settings.width, **options, device=device)
        self.last_inputs: Tensor | None = None
        init_(self, settings.init, seed=settings.seed)

    def forward(self, x: Tensor) -> Tensor:
        """x `[n, n_0]` to `[n, n_L]`; keeps the samples for `plot`."""
        self.last_inputs = x.detach().clone()
        return super().forward(x)

    def plot(
        self,
        beta: float = 3,
        metric: str = "mean_abs",
        scale: float = 1.0,
        tick: bool = False,
        sample: bool = True,
        in_vars: Sequence[str] | None = None,
        out_vars: Sequence[str] | None = None,
        title: str | None = None,
    ) -> Diagram:
        """The network diagram over the samples of the last forward pass.

        Args:
            beta, metric: an edge's opacity is tanh(beta * score), the score mean |postact| or "std".
            scale: size of the figure, relative to that of `kan-run`.
            tick: label the ranges of x and phi at each frame.
            sample: mark the first 100 samples.

        Raises:
            RuntimeError: the model has not been called yet.
        """
        from kancli.figures import render as figures
        from kancli.figures.data import FigureData
        from kancli.figures.options import FigureOptions
        from kancli.stats.collector import Collector

        if self.last_inputs is None:
            raise RuntimeError("plot() draws the functions over the samples seen: call model(x) first")
        x = self.last_inputs.to(self.layers[0].coef)
        collector = Collector(self, level="none", ranges=True)
        options = FigureOptions(
            metric=metric,
            beta=beta,
            scale=scale,
            tick=tick,
            sample=sample,
            title=title,
            in_vars=None if in_vars is None else tuple(in_vars),
            out_vars=None if out_vars is None else tuple(out_vars),
        )
        with self.with_basis_statistics(x):
            traces = self.trace(x)
            collector.update(traces)
            kept = {"inputs": x, **{f"layers.{number}.preacts": trace.preacts for number, trace in enumerate(traces)}}
            _, ranges = collector.compute()
            scene = FigureData(self, ranges, activations=kept)
            return figures.plot("network", scene, options)  # pyright: ignore[reportReturnType]


def create_dataset(
    f: Callable[[Tensor], Tensor],
    n_var: int = 2,
    ranges: Sequence[Any] = (-1, 1),
    train_num: int = 1000,
    test_num: int = 1000,
    normalize_input: bool = False,
    normalize_label: bool = False,
    device: str | torch.device = "cpu",
    seed: int = 0,
) -> dict[str, Tensor]:
    """Uniform samples of a function, as pykan's `create_dataset`, but from a private stream.

    Args:
        f: maps `[n, n_var]` to `[n, m]` or `[n]`.
        n_var: number of variables.
        ranges: `[low, high]` for all variables, or `[n_var, 2]`.
        train_num, test_num: numbers of samples.
        normalize_input, normalize_label: subtract the training set's mean and divide by its std, per column.

    Returns:
        train_input, test_input `[n, n_var]`, train_label, test_label `[n, m]`, float32.

    Raises:
        ValueError: `ranges` has another shape.
    """
    limits = torch.as_tensor(ranges, dtype=torch.float64)
    if limits.shape not in ((2,), (n_var, 2)):
        raise ValueError(f"ranges={ranges!r}: allowed: [low, high], or one such pair for each of the {n_var} variables")
    low, high = limits.expand(n_var, 2).unbind(-1)
    data: dict[str, Tensor] = {}
    for part, count in (("train", train_num), ("test", test_num)):
        unit = torch.from_numpy(stream(seed, f"dataset/{part}").random((count, n_var)))
        x = (low + (high - low) * unit).float().to(device)
        label = f(x)
        data[f"{part}_input"], data[f"{part}_label"] = x, label if label.dim() > 1 else label.unsqueeze(-1)
    for kind, normalize in (("input", normalize_input), ("label", normalize_label)):
        if normalize:
            mean, std = _mean_std(data[f"train_{kind}"])
            data |= {f"{part}_{kind}": (data[f"{part}_{kind}"] - mean) / std for part in ("train", "test")}
    return data


def _mean_std(values: Tensor) -> tuple[Tensor, Tensor]:
    return values.mean(dim=0, keepdim=True), values.std(dim=0, keepdim=True)
