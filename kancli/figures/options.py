"""The figures by name, and the options below the config key `figures`. Does not import matplotlib."""

from __future__ import annotations

from dataclasses import dataclass

from kancli.schema import Choice, Integer, Optional, Real, Several, Text, Truth, key
from kancli.spelling import show

# Each is a module of this package with `plot(data, options)`; its line stands in --help and in the report.
NAMES = {
    "network": "each edge's function in a small frame between its nodes",
    "activations": "all edge functions of a layer, with quantile bands",
    "distributions": "parameters against their laws, preactivations against the grid",
    "propagation": "signal, gradient and off-grid share by layer, with their bounds",
    "symmetry": "correlations between the nodes of each layer",
    "spectrum": "eigenvalues of the NTK, singular values of the Jacobian",
    "training": "losses and relative error by step",
    "fit": "target, network and error",
    "network_trained": "the network after training",
}
OF_TRAINING = ("training", "fit", "network_trained")  # of a run that trains; they come with any other figure
OF_KAN = ("network", "activations", "distributions", "network_trained")  # of edges and splines: an MLP has none
OF_START = tuple(name for name in NAMES if name not in OF_TRAINING)
FORMATS = ("png", "svg", "pdf")


@dataclass(frozen=True)
class FigureOptions:
    """Which figures to draw, and how."""

    names: tuple[str, ...] = key(
        ("network",),
        Several(Choice(tuple(NAMES)), example="[network]", all_entries=tuple(NAMES)),
        "the figures to draw; with training also training, fit and network_trained, unless one of them is named",
    )
    metric: str = key("mean_abs", Choice(("mean_abs", "std")), "score of an edge: mean |postact|, or its std")
    beta: float = key(3.0, Real(0, low_open=True), "an edge's opacity is tanh(beta * score)")
    in_vars: tuple[str, ...] | None = key(None, Optional(Several(Text(), example="[x,y]")), "names of the inputs")
    out_vars: tuple[str, ...] | None = key(None, Optional(Several(Text(), example="[f]")), "names of the outputs")
    title: str | None = key(None, Optional(Text()), "title over the network figure")
    sample: bool = key(True, Truth(), "mark where the first 100 samples lie, at the foot of each frame")
    parts: bool = key(False, Truth(), "draw scale_base b(x) and scale_sp spline(x) as thin lines under each curve")
    tick: bool = key(False, Truth(), "write the ranges of x and phi at each frame")
    scale: float = key(1.0, Real(0.1, 10), "size of the network figure, its text too")
    share: bool = key(True, Truth(), "several runs side by side: all frames of a layer show the same ranges")
    format: tuple[str, ...] = key(("png",), Several(Choice(FORMATS), 1, "[png,svg,pdf]", bare=True), "file formats")
    style: str = key("light", Choice(("light", "dark")), "colours")
    dpi: int = key(150, Integer(20, 1200), "resolution of the PNG files", unit="dots per inch")

    def drawn(self, *, trained: bool) -> tuple[str, ...]:
        """The names of the figures of a run.

        Args:
            trained: whether the run trains.
        """
        if not trained:
            return tuple(name for name in self.names if name not in OF_TRAINING)
        is_chosen = not self.names or any(name in OF_TRAINING for name in self.names)
        return self.names if is_chosen else (*self.names, *OF_TRAINING)


def name_faults(options: FigureOptions, n_inputs: int, n_outputs: int) -> list[str]:
    """One line for each list of names that does not fit the number of nodes."""
    faults = []
    for name, nodes in (("in_vars", n_inputs), ("out_vars", n_outputs)):
        given = getattr(options, name)
        if given is not None and len(given) != nodes:
            faults.append(f"{name}={show(given)}: {len(given)} names for {nodes} nodes; give {nodes}")
    return faults
