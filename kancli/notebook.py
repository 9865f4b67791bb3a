"""pykan's Python interface for notebooks: code for pykan runs with only the import changed.

Nothing is printed or written, no global random state is touched, and no argument is edited.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from kancli.config.compose import settings_of
from kancli.config.fit_arguments import fit_options, missing_method
from kancli.config.identity import config_of
from kancli.config.python_arguments import as_device, as_list, as_width, check_names, plot_options, preset_values
from kancli.config.settings import Grid, Settings
from kancli.errors import ConfigError
from kancli.inits.initialise import init_
from kancli.inits.plugins import TARGET
from kancli.inputs.dataset import create_dataset
from kancli.kan.kernels import Kernel, check_kernel
from kancli.kan.modes import standard_modes
from kancli.kan.module import Module
from kancli.runs.build import layer_options
from kancli.runs.examine import examine
from kancli.runs.figure_data import knows_scheme, load_model
from kancli.runs.progress_bar import progress_bar
from kancli.runs.reader import read_finished_run
from kancli.runs.training import grid_eps, seeds_of
from kancli.schema import keys, read
from kancli.spelling import show
from kancli.training.dataset import read_dataset
from kancli.training.grids import refine_model_
from kancli.training.pykan_fit import fit_like_pykan_, format_losses
from kancli.training.pykan_options import FitOptions

if TYPE_CHECKING:
    from kancli.figures.diagram.canvas import Diagram

__all__ = ["KAN", "create_dataset"]


class KAN(Module):
    """An initialised KAN, with the numbers of `kan-run` for the same knobs, bit for bit.

    Args:
        width: nodes per layer, `[n_0, ..., n_L]`.
        grid: G, number of grid intervals.
        k: order of the B-splines.
        noise_scale, noise_scale_base: knobs of the scheme; None for their defaults.
        base_fun: b(x), a function of tensors or a name as in `kan-run base_fun=NAME`; None for the preset's, else silu.
        seed: seed of all random streams.
        grid_range: interval of the spline grid.
        init: a preset as in `kan-run init=NAME`; the knobs of its scheme are keyword arguments. width, grid and k may
            name presets too.
        dtype: "float32" or "float64", or the torch type; None for torch's default.
        device: as in torch.
        kernel: what computes outputs and their gradients: "torch"; "numba", several times faster and to rounding the
            same, for all calls that it can do; or "auto", numba for those of them that take torch more than some
            milliseconds. The extra `fast` installs numba, which compiles once on a machine, for 10 to 20 s.

    Raises:
        ConfigError: a value is not legal; the message lists all faults.
    """

    settings: Settings
    given_init: Mapping[str, Any] | None = None  # the preset and the knobs as given; None for the model of a run
    knows_init: bool = True  # whether the settings' scheme drew the parameters; False for a model of another library
    steps_fitted: int = 0  # by `fit`, which draws other batches the next time

    def __init__(
        self,
        width: Sequence[int] | str,
        grid: int | str = 5,
        k: int | str = 3,
        noise_scale: float | None = None,
        noise_scale_base: float | None = None,
        base_fun: str | Callable[[Tensor], Tensor] | None = None,
        *,
        seed: int = 0,
        grid_range: Sequence[float] = (-1, 1),
        init: str = "default",
        dtype: str | torch.dtype | None = None,
        device: str | torch.device = "cpu",
        kernel: Kernel = "auto",
        **knobs: Any,
    ) -> None:
        check_names(knobs)
        check_kernel(kernel)
        given = {"noise_scale": noise_scale, "noise_scale_base": noise_scale_base, **knobs}
        given = {name: value for name, value in given.items() if value is not None}
        preset = preset_values(width=width, grid=grid, k=k, init=init)
        base_name = preset.get("base_fun", "silu") if base_fun is None else base_fun
        settings = settings_of(
            {
                "width": preset.get("width", as_width(width)),
                "k": preset.get("k", k),
                "seed": seed,
                "base_fun": "silu" if callable(base_fun) else base_name,
                "dtype": str(dtype or torch.get_default_dtype()).removeprefix("torch."),
                "grid": {"size": grid, **preset.get("grid", {}), "range": as_list(grid_range)},
                "init": preset["init"] | given,
            }
        )
        options = layer_options(settings)
        if callable(base_fun):
            options |= {"base_fun": base_fun, "base_name": None}
        with standard_modes():
            super().__init__(settings.width, **options, device=as_device(device))
            self.settings, self.given_init, self.kernel = settings, {"init": init, **given}, kernel
            init_(self, settings.init, seed=settings.seed)

    @classmethod
    def load(cls, run: str | Path) -> KAN:
        """The model of a finished run: knots, biases and all members as the run left them.

        With several members, x `[n, n_0]` goes to all of them, and outputs are `[s, n, n_L]`. A scheme that
        standardises its bases does so over each batch, as in `KAN(init=...)`.

        Args:
            run: the run's folder.

        Raises:
            ConfigError: it is not the folder of a finished run, or one of its files is damaged.
        """
        recorded = read_finished_run(Path(run))
        model, settings = load_model(recorded)
        model.__class__ = cls
        loaded: KAN = model  # pyright: ignore[reportAssignmentType]
        loaded.settings, loaded.knows_init = settings, knows_scheme(recorded.record.config)
        if not loaded.knows_init:
            loaded.given_init = {"read_from": str(run)}
        return loaded

    def fit(
        self,
        dataset: Mapping[str, Tensor],
        opt: str = "LBFGS",
        steps: int = 100,
        log: int = 1,
        lamb: float = 0.0,
        lamb_l1: float = 1.0,
        lamb_entropy: float = 2.0,
        lamb_coef: float = 0.0,
        lamb_coefdiff: float = 0.0,
        update_grid: bool = True,
        grid_update_num: int = 10,
        loss_fn: Callable[[Tensor, Tensor], Tensor] | None = None,
        lr: float = 1.0,
        start_grid_update_step: int = -1,
        stop_grid_update_step: int = 50,
        batch: int = -1,
        metrics: Sequence[Callable[[], Any]] | None = None,
        **others: Any,
    ) -> dict[str, list[Any]]:
        """Train the parameters as `fit` of pykan 0.2.8 does; in place. Those that require no gradient stay.

        Args:
            dataset: tensors train_input and test_input `[n, n_0]`, train_label and test_label `[n, n_L]`, as
                `create_dataset` gives them; all members of an ensemble learn them.
            opt: "LBFGS" or "Adam".
            steps: number of steps; one of LBFGS is up to 20 iterations.
            log: steps between two updates of the progress bar, which is shown on a terminal only.
            lamb: weight of the regularisation, lamb_l1 times the edges' sizes plus lamb_entropy times their entropy,
                lamb_coef times the coefficients' sizes and lamb_coefdiff times the differences of neighbours.
            update_grid: lay the knots over the samples every `stop_grid_update_step // grid_update_num` steps, from
                `start_grid_update_step` to before `stop_grid_update_step`.
            loss_fn: of prediction and label to a number; None for the mean squared error.
            lr: learning rate; with Adam, 1 as in pykan is large.
            batch: training samples a step, drawn anew by the model's seed, and as many test samples; -1 for all.
            metrics: functions without arguments, called after each step.
            others: pykan's further arguments, at their defaults only.

        Returns:
            One entry a step of train_loss and test_loss, square roots of the loss (RMSE without loss_fn), reg, and each
            metric by its name. An entry is a number, in an ensemble an array `[s]`; train_loss and reg are those before
            the step's update, test_loss and metrics those after it. See `kancli.training.pykan_fit`.

        Raises:
            ConfigError: values are not legal; the message lists all faults.
            TypeError, ValueError: there is no such argument, or the dataset is not of this form.
        """
        given = {**locals()}
        self._check_has_numbers("fit")
        options = fit_options({name: given[name] for name in keys(FitOptions)}, others, metrics or ())
        if not any(parameter.requires_grad for parameter in self.parameters()):
            raise ValueError("fit: no parameter requires gradients; type model.requires_grad_(True)")
        if (dtype := self.layers[0].coef.dtype) not in (torch.float32, torch.float64):
            raise TypeError(f"fit: the model is {str(dtype).removeprefix('torch.')}; type model.float() before")
        if options.update_grid and self.layers[0].standardise:
            raise ConfigError(
                ["update_grid=true: init standardises its bases over the samples; type update_grid=False"]
            )
        like, ends = self.layers[0].coef, (self.width[0], self.width[-1])
        train, test = read_dataset(dataset, like, ends, own_loss=loss_fn is not None)
        with progress_bar(options.steps) as show:

            def on_step(step: int, entries: dict[str, Any]) -> None:
                if step % options.log == 0:
                    show(step, lambda: format_losses(entries))

            curves = fit_like_pykan_(
                self, train, test, options,
                seeds=seeds_of(self.settings), eps=grid_eps(self.settings), first_step=self.steps_fitted,
                loss_fn=loss_fn, metrics=metrics or (), on_step=on_step,
            )  # fmt: skip
        self.steps_fitted += options.steps
        self.last_inputs = train.x.clone()
        return curves

    def refine(self, new_grid: int) -> KAN:
        """A model with another number of grid intervals, and the coefficients closest to this one's splines.

        The fit is by least squares at k + 1 points in each new interval, as that of `train.refine`.

        Raises:
            ConfigError: new_grid is not a legal number of intervals.
        """
        self._check_has_numbers("refine")
        faults: list[str] = []
        grid = read(Grid, {"size": new_grid}, "", faults)
        if grid is None:
            raise ConfigError([fault.replace("grid=", "new_grid=", 1) for fault in faults])
        refined = copy.deepcopy(self)
        refine_model_(refined, grid.size)
        new = dataclasses.replace(self.settings.grid, size=grid.size)
        refined.settings = dataclasses.replace(self.settings, grid=new)
        return refined

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if (message := missing_method(name)) is not None:
                raise AttributeError(message) from None
            raise

    def stats(self, x: Tensor, level: str = "basic") -> dict[str, Any]:
        """The statistics that `stats.json` has, of the parameters as they are, trained or not.

        Tensors are held against the law of the scheme only while they are as drawn. Nothing of the model changes.

        Args:
            x: samples, `[n, n_0]`.
            level: "basic", or "full" for gradients, Jacobian and neural tangent kernel too.

        Raises:
            ConfigError: there is no such level.
            TypeError, ValueError: as for `forward`.
        """
        self._check_has_numbers("stats")
        samples = self._as_samples(x)
        if not samples.numel():
            raise ValueError("x has no samples: statistics need at least one")
        return examine(self, self.settings, samples, level=level, knows_init=self.knows_init).stats

    def verdicts(self, x: Tensor, level: str = "basic") -> list[dict[str, Any]]:
        """The verdicts on these statistics; arguments and errors as for `stats`."""
        return self.stats(x, level)["verdicts"]

    def __repr__(self) -> str:
        settings, init = self.settings, self.given_init
        if init is None:
            recorded = config_of(settings)["init"]
            init = {"init": recorded.pop("scheme", None) or recorded.pop(TARGET), **recorded}
        named = "".join(f", {name}={show(value)}" for name, value in init.items())
        members = "" if self.n_members is None else f", members={self.n_members}"
        seed = f", seed={settings.seed}" if self.knows_init else ""
        return f"KAN(width={list(self.width)}, grid={settings.grid.size}, k={settings.k}{named}{seed}{members})"

    def _check_has_numbers(self, what: str) -> None:
        """Check that the parameters are not on the meta device.

        Raises:
            ValueError: they are.
        """
        if self.layers[0].coef.is_meta:
            raise ValueError(f"{what}: the model is on the meta device, which holds no numbers; build it on another")

    def plot(
        self,
        beta: float = 3,
        metric: str = "mean_abs",
        scale: float = 1.0,
        tick: bool = False,
        sample: bool = True,
        in_vars: Sequence[Any] | None = None,
        out_vars: Sequence[Any] | None = None,
        title: str | None = None,
        **others: Any,
    ) -> Diagram:
        """The network diagram over the samples of the last forward pass.

        The diagram becomes pyplot's current figure, for `plt.savefig` and `plt.show`.

        Args:
            beta, metric: an edge's opacity is tanh(beta * score), the score mean |postact| or "std".
            scale: size of the figure, relative to that of `kan-run`.
            tick: label the ranges of x and phi at each frame.
            sample: mark the first 100 samples.
            in_vars, out_vars: names of the nodes, one each; `$...$` is set as mathematics.
            title: title over the diagram.
            others: further keys of `kan-run`'s figures: parts, style, dpi.

        Raises:
            ConfigError: a value is not legal; the message lists all faults.
            RuntimeError: the model has not been called yet.
        """
        self._check_has_numbers("plot")
        from kancli.figures import render as figures
        from kancli.figures.data import FigureData
        from kancli.stats.collector import Collector

        given = {"beta": beta, "metric": metric, "scale": scale, "tick": tick, "sample": sample, "title": title}
        options = plot_options({**given, "in_vars": in_vars, "out_vars": out_vars, **others}, self.width)
        if self.last_inputs is None:
            raise RuntimeError("plot() draws the functions over the samples seen: call model(x) first")
        x = self._add_member_axis(self.last_inputs.to(self.layers[0].coef))
        collector = Collector(self, level="none", ranges=True)
        with self.with_basis_statistics(x):
            traces = self.trace(x)
            collector.update(traces)
            kept = {"inputs": x, **{f"layers.{number}.preacts": trace.preacts for number, trace in enumerate(traces)}}
            if self.n_members is not None:
                kept = {name: tensor[0] for name, tensor in kept.items()}
            _, ranges = collector.compute()
            data = FigureData(self, ranges, activations=kept, n_members=self.n_members or 1)
            diagram: Diagram = figures.plot("network", data, options)  # pyright: ignore[reportAssignmentType]
        diagram.join_pyplot()
        return diagram
