"""The initialisation schemes: one file a family, the table of all of them, and the one place that draws.

A module of this package that defines `SCHEMES`, a dict of schemes by name, is found by itself.
"""

from __future__ import annotations

import importlib
import pkgutil

from kancli.inits.scheme import LayerSize, Scheme

__all__ = ["SCHEMES", "LayerSize", "Scheme"]


def _table() -> dict[str, type[Scheme]]:
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    table = {name: scheme for module in modules for name, scheme in getattr(module, "SCHEMES", {}).items()}
    return {"default": table.pop("default"), **table}


SCHEMES: dict[str, type[Scheme]] = _table()
