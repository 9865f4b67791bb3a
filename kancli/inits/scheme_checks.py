"""Check a scheme that is not kancli's own: its laws and its source draws are tried on a small layer."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

from kancli.inits.global_generators import generator_states, restored_generators
from kancli.inits.law_checks import (
    SchemeError,
    call,
    check_array,
    check_generators,
    check_law,
    check_members,
    check_moments,
)
from kancli.inits.laws import Law
from kancli.inits.scheme import LayerSize, Scheme


def find_faults(scheme: Scheme, sizes: Sequence[LayerSize]) -> list[str]:
    """The first fault of a scheme for layers of these sizes, as one line; empty for a scheme that works.

    The moments are checked at every size, all else on a layer of 2 inputs and 3 outputs. The global random generators
    are left as they are.
    """
    try:
        hash(scheme)
    except TypeError:
        return _find_faults(scheme, tuple(sizes))
    return _cached_faults(scheme, tuple(sizes))


def _find_faults(scheme: Scheme, sizes: tuple[LayerSize, ...]) -> list[str]:
    import numpy as np

    small = dataclasses.replace(sizes[0], n_in=2, n_out=3)
    try:
        with np.errstate(all="ignore"), restored_generators():
            for size in sizes:
                for name, law in _laws(scheme, size).items():
                    check_moments(law, _label(name, law))
            _check_laws(scheme, small)
            _check_source_draws(scheme, small)
    except SchemeError as fault:
        return [str(fault)]
    return []


_cached_faults = functools.lru_cache(maxsize=64)(_find_faults)  # jobs of a sweep often differ in the seed alone


def _laws(scheme: Scheme, size: LayerSize) -> Mapping[str, Law]:
    before = generator_states()
    laws = call("its laws(size)", scheme.laws, size)
    check_generators(before, "its laws(size)")
    names = list(scheme.tensor_shapes(size))
    if not isinstance(laws, Mapping) or set(laws) != set(names):
        raise SchemeError(f"its laws(size) gives {_names(laws)}; allowed: a law for each of {', '.join(names)}")
    for name, law in laws.items():
        check_members(law, f"its law of {name}")
    return laws


def _check_laws(scheme: Scheme, size: LayerSize) -> None:
    again = _laws(scheme, size)
    for name, law in _laws(scheme, size).items():
        check_law(law, scheme.tensor_shapes(size)[name], _label(name, law))
        if (law.mean, law.std) != (again[name].mean, again[name].std):
            raise SchemeError(f"{_label(name, law)}: two calls of laws(size) differ; use only size and the knobs")


def _check_source_draws(scheme: Scheme, size: LayerSize) -> None:
    sizes = [size, dataclasses.replace(size, n_in=3, n_out=1)]
    label, before = "its source_draws(sizes, seed)", generator_states()
    draws = call(label, scheme.source_draws, sizes, 0)
    check_generators(before, label)
    if draws is None:
        return
    if not isinstance(draws, Sequence) or len(draws) != len(sizes):
        raise SchemeError(f"{label} gives {_names(draws)}; allowed: None, or a dict for each of {len(sizes)} layers")
    for arrays, layer in zip(draws, sizes, strict=True):
        shapes = scheme.tensor_shapes(layer)
        if not isinstance(arrays, Mapping) or set(arrays) != set(shapes):
            raise SchemeError(f"{label} gives {_names(arrays)}; allowed: an array for each of {', '.join(shapes)}")
        for name, values in arrays.items():
            check_array(values, shapes[name], f"{label} of {name}")


def _label(name: str, law: Law) -> str:
    return f"its law of {name}, a {type(law).__name__}"


def _names(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, Mapping) else type(value).__name__
