"""The network diagram after training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kancli.figures import network
from kancli.figures.training import training_of

if TYPE_CHECKING:
    from kancli.figures.data import FigureData
    from kancli.figures.diagram.canvas import Diagram
    from kancli.figures.options import FigureOptions


def plot(data: FigureData, options: FigureOptions) -> Diagram:
    """Plot the trained network as `network` plots the drawn one.

    Raises:
        NothingToDrawError: nothing was trained.
    """
    return network.plot(training_of(data, "network_trained").trained, options)
