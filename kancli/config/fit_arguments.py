"""Arguments of `KAN.fit`, and what pykan has and kancli has not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kancli.errors import ConfigError
from kancli.schema import keys, read
from kancli.spelling import show
from kancli.synonyms import nearest
from kancli.training.pykan_options import CURVES, FitOptions

OF_SAVE_FIG = "fit() writes no pictures; type model.plot().savefig('kan.png') after it"
OF_SYMBOLIC = "it is for symbolic functions, which kancli has not; leave it out"
# Arguments of pykan's fit() that have no counterpart here: their defaults, which change nothing, and what to do.
PYKAN_FIT: dict[str, tuple[Any, str]] = {
    "save_fig": (False, OF_SAVE_FIG),
    "in_vars": (None, OF_SAVE_FIG),
    "out_vars": (None, OF_SAVE_FIG),
    "beta": (3, OF_SAVE_FIG),
    "save_fig_freq": (1, OF_SAVE_FIG),
    "img_folder": ("./video", OF_SAVE_FIG),
    "singularity_avoiding": (False, OF_SYMBOLIC),
    "y_th": (1000.0, OF_SYMBOLIC),
    "reg_metric": ("edge_forward_spline_n", "kancli has edge_forward_spline_n alone; leave it out"),
    "display_metrics": (None, "metrics returns their values; leave it out"),
}
PRUNING = "kancli does not prune"
SYMBOLIC = "kancli has no symbolic functions"
CHECKPOINTS = "type torch.save(model, 'model.pt') and torch.load('model.pt', weights_only=False)"
GRIDS = "fit() updates the grid, refine() makes it finer"
# Methods and properties of pykan's KAN that have no counterpart here, and what to do.
PYKAN_METHODS = {
    **dict.fromkeys(["prune", "prune_edge", "prune_input", "prune_node", "remove_edge", "remove_node"], PRUNING),
    **dict.fromkeys(["auto_symbolic", "fix_symbolic", "suggest_symbolic", "symbolic_formula"], SYMBOLIC),
    **dict.fromkeys(["set_mode", "unfix_symbolic", "unfix_symbolic_all", "tree"], SYMBOLIC),
    **dict.fromkeys(["saveckpt", "loadckpt", "rewind", "checkout", "history", "log_history"], CHECKPOINTS),
    **dict.fromkeys(["update_grid", "update_grid_from_samples", "initialize_from_another_model"], GRIDS),
    **dict.fromkeys(["expand_depth", "expand_width", "perturb"], "build another model"),
    **dict.fromkeys(["attribute", "node_attribute", "feature_score", "feature_interaction"], "kancli has no scores"),
    **dict.fromkeys(["get_act", "get_fun", "get_range"], "type model.trace(x)"),
    **dict.fromkeys(["reg", "get_reg"], 'model.fit(...)["reg"] has its values'),
    **dict.fromkeys(["swap", "auto_swap", "auto_swap_l", "connection_cost"], "kancli does not swap nodes"),
    "copy": "type copy.deepcopy(model)",
    "evaluate": 'type model.fit(dataset, steps=1)["test_loss"], or compute with model(x)',
    "get_params": "type model.parameters()",
    "module": "kancli has no modules",
    "speed": "kancli needs no such switch",
}


def fit_options(given: Mapping[str, Any], further: Mapping[str, Any], metrics: Sequence[Any]) -> FitOptions:
    """The options of a fit from the arguments of `fit()`.

    Args:
        given: those of `FitOptions`.
        further: all others.
        metrics: functions, whose names become keys of the result.

    Raises:
        TypeError: fit() has no such argument.
        ConfigError: with all faults.
    """
    faults: list[str] = []
    for name, value in further.items():
        if name not in PYKAN_FIT:
            legal = [*keys(FitOptions), "loss_fn", "metrics"]
            hint = nearest(name, legal) or f"; allowed: {', '.join(legal)}"
            raise TypeError(f"fit() has no argument {name}{hint}")
        default, hint = PYKAN_FIT[name]
        if value != default:
            faults.append(f"{name}={show(value)}: an argument of pykan's fit without a counterpart in kancli: {hint}")
    plain = {name: value.item() if hasattr(value, "item") else value for name, value in given.items()}
    options = read(FitOptions, plain, "", faults)
    names = [getattr(metric, "__name__", None) for metric in metrics]
    if not all(map(callable, metrics)) or None in names or len({*names, *CURVES}) < len(names) + len(CURVES):
        faults.append(
            f"metrics={show(names)}: allowed: functions without arguments, whose names differ from each other and from"
            f" {', '.join(CURVES)}"
        )
    if options is None or faults:
        raise ConfigError(faults)
    return options


def missing_method(name: str) -> str | None:
    """What to say of an attribute that pykan's KAN has and ours has not; None for others."""
    if name not in PYKAN_METHODS:
        return None
    return f"KAN has no {name}, a method of pykan without a counterpart in kancli: {PYKAN_METHODS[name]}"
