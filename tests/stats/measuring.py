"""Models to measure, and their statistics, for the tests."""

import torch

from kancli.inits.initialise import init_
from kancli.inits.reference import Reference
from kancli.kan.base_functions import base_function
from kancli.kan.network import KAN
from kancli.stats.collector import Collector
from kancli.stats.stats_json import as_json


def model_of(width, base="silu", seed=0, **knobs):
    model = KAN(width, grid=5, k=3, base_fun=base_function(base), dtype=torch.float64)
    return init_(model, Reference(**knobs), seed=seed)


def measured(model, x, chunks=1, **how):
    collector = Collector(model, **how)
    for chunk in x.chunk(chunks, dim=-2):
        collector.update(model.trace(chunk))
    return collector


def reported(model, x, chunks=1, **how):
    found, _ = measured(model, x, chunks, **how).compute()
    epsilon = torch.finfo(model.layers[0].coef.dtype).eps
    return as_json(found, [], epsilon=epsilon, ensemble=model.n_members is not None)


def edges(entry):
    """The columns of a layer's edges as one dict an edge, by its ends."""
    columns = {}
    for name, values in entry["edges"].items():
        if isinstance(values, dict):
            columns |= {f"{name}_{inner}": each for inner, each in values.items()}
        else:
            columns[name] = values
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {(row["in"], row["out"]): row for row in rows}
