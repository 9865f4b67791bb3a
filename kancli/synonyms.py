"""Suggestions for a word that is not legal: by its meaning in other programs, or by its spelling."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MAX_LENGTH = 200  # of a word that is compared; difflib takes quadratic time

# Words of other programs and their meaning here, the likeliest first. A word suggests what is legal at its place alone.
SYNONYMS: dict[str, tuple[str, ...]] = {
    # keys
    "activation": ("base_fun",),
    "base": ("base_fun",),
    "base_activation": ("base_fun",),
    "residual": ("base_fun",),
    **dict.fromkeys(("data", "dataset"), ("task", "inputs.path")),
    **dict.fromkeys(("target", "function", "func", "formula", "expression"), ("task",)),
    **dict.fromkeys(("equation", "pde", "problem", "benchmark"), ("task",)),
    "degree": ("k",),
    "order": ("k",),
    "spline_order": ("k",),
    "dims": ("width",),
    "hidden": ("width",),
    "layers": ("width",),
    "layers_hidden": ("width",),
    "model.width": ("width",),
    "model.grid": ("grid",),
    "model.k": ("k",),
    "model.init": ("init",),
    "grid_size": ("grid",),
    "num": ("grid",),
    "grid_range": ("grid.range",),
    "grid_eps": ("grid.eps",),
    "initialization": ("init",),
    "initialisation": ("init",),
    "initializer": ("init",),
    "scheme": ("init",),
    "n": ("inputs.n",),
    "n_samples": ("inputs.n",),
    "samples": ("inputs.n",),
    "batch_size": ("train.batch",),
    "learning_rate": ("train.lr",),
    "lr": ("train.lr",),
    "epochs": ("train.steps",),
    "n_epochs": ("train.steps",),
    "iterations": ("train.steps",),
    "max_steps": ("train.steps",),
    "steps": ("train.steps",),
    "optim": ("train.optimizer",),
    "optimizer": ("train.optimizer",),
    "optimiser": ("train.optimizer",),
    "opt": ("train.optimizer",),
    "lamb": ("train.lamb",),
    "update_grid": ("train.adapt_every",),
    "members": ("n_seeds",),
    "models": ("n_seeds",),
    "seeds": ("n_seeds",),
    "random_state": ("seed",),
    "precision": ("dtype",),
    "o": ("hydra.run.dir",),
    "out": ("hydra.run.dir",),
    "outdir": ("hydra.run.dir",),
    "output": ("hydra.run.dir",),
    "outputs": ("hydra.run.dir",),
    "output_dir": ("hydra.run.dir",),
    "plot": ("figures", "draw"),
    "plots": ("figures", "draw"),
    "knots": ("grid",),
    "noise": ("noise_scale",),
    # values
    "gpu": ("cuda",),
    "double": ("float64",),
    "float": ("float32",),
    "fp32": ("float32",),
    "fp64": ("float64",),
    "kaiming": ("lecun",),
    "he": ("lecun",),
    "xavier": ("glorot",),
    "xavier_normal": ("glorot",),
    "gaussian": ("normal",),
    "random": ("normal",),
    "pykan": ("pykan_0_2_8",),
    "effkan": ("efficient_kan",),
    "efficientkan": ("efficient_kan",),
    "swish": ("silu",),
    # verbs
    "describe": ("explain",),
    "law": ("explain",),
    "html": ("report",),
    "repeat": ("rerun",),
    "continue": ("resume",),
    "list": ("ls",),
    "test": ("check",),
    "table": ("collect",),
    "show": ("open",),
    "view": ("open",),
}

# Words of other programs that mean nothing here, and why.
ABSENT = {
    "bases": "all bases are B-splines of order k; base_fun is the residual function b(x)",
    "basis": "all bases are B-splines of order k; base_fun is the residual function b(x)",
    "loss": "it is the mean squared error, of an equation that of its residual and its boundary",
    "scheduler": "the learning rate train.lr is constant",
    "weight_decay": "train.lamb is pykan's regularisation; train.optimizer=adamw decays by torch's default",
}


def nearest(given: object, options: Iterable[str]) -> str:
    """'; did you mean X?' for an option of the same meaning or of similar spelling, else ''."""
    name = suggest(given, options)
    return f"; did you mean {name}?" if name else ""


def suggest(given: object, options: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The option of the same meaning or of the most similar spelling, if there is one.

    Args:
        given: what was typed.
        options: what is legal at its place.
        cutoff: least ratio of difflib for a similar spelling, from 0 to 1.
    """
    word, legal = str(given).lower(), list(options)
    if len(word) > MAX_LENGTH:
        return None
    for meaning in SYNONYMS.get(word, ()):
        if meaning in legal:
            return meaning
    if (swapped := next((option for option in legal if sorted(option) == sorted(word)), None)) is not None:
        return swapped
    return next(iter(difflib.get_close_matches(word, legal, n=1, cutoff=cutoff)), None)
