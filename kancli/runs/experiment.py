"""A run as a pure function of its settings. `record` writes its folder.

The samples go through `sample_inputs`, `forward_and_measure` and `make_result`; `record` then writes the result.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

from kancli.config import memory
from kancli.config.settings import Settings
from kancli.inits.he_normal import declared_by_he
from kancli.inits.initialise import declared
from kancli.inits.scheme import Scheme
from kancli.kan.mlp import MLP
from kancli.kan.network import KAN
from kancli.runs.build import build_model, sample_inputs
from kancli.runs.forward import ForwardResult, forward_and_measure, join_members
from kancli.runs.result import Result, make_result
from kancli.runs.stopwatch import Stopwatch
from kancli.stats.law_distance import Declared


def compute(settings: Settings) -> Result:
    """Build the model, sample the inputs, run the forward pass and measure. Reads no file but one of samples, and
    writes none.

    Members are computed in groups, and samples in chunks whose size does not depend on the number of members: each
    member equals, bit for bit, a run of its own.
    """
    with deterministic(settings.deterministic):
        watch = Stopwatch()
        model = build_model(settings)
        watch.lap("model")
        forward = forward_of(settings, model, declared_laws(model, settings.init), watch)
        return make_result(settings, model, forward, watch)


def forward_of(
    settings: Settings, model: KAN | MLP, laws: list[dict[str, Declared]], watch: Stopwatch
) -> ForwardResult:
    """Sample the inputs and send them through the model, one group of members after the other.

    Args:
        laws: what the scheme declares, by layer and tensor.
    """
    if model.n_members is None:
        x = sample_inputs(settings, [settings.seed])[0]
        watch.lap("inputs")
        return forward_and_measure(settings, model, x, laws, watch, keep=slice(0, 1))
    parts: list[ForwardResult] = []
    network = settings.network_size
    size = memory.group_size(network.width, network.n_basis, settings.inputs.count())
    for start in range(0, model.n_members, size):
        group = range(start, min(start + size, model.n_members))
        x = sample_inputs(settings, [settings.seed + member for member in group])
        watch.lap("inputs")
        members = model.member(slice(group.start, group.stop))
        keep = None if parts else slice(0, 1)  # the first member's activations
        parts.append(forward_and_measure(settings, members, x, laws, watch, keep=keep))
    return join_members(parts)


def declared_laws(model: KAN | MLP, scheme: Scheme) -> list[dict[str, Declared]]:
    """What the scheme, or He's law, declares of each layer's tensors, by tensor, for their statistics."""
    layers = declared_by_he(model) if isinstance(model, MLP) else declared(model, scheme)
    return [{name: Declared(*moments) for name, moments in layer.items()} for layer in layers]


@contextlib.contextmanager
def deterministic(enabled: bool) -> Iterator[None]:
    """Context manager: torch uses deterministic algorithms, and raises RuntimeError for an operation that has none."""
    if not enabled:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # required by cuBLAS, which reads it at its first use
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = benchmark
