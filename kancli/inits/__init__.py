"""The initialisation schemes: one file for each family, and the table of all schemes.

To add schemes, put a module into this package that defines `SCHEMES`, a dict of classes by name.
"""

from __future__ import annotations

import importlib
import pkgutil

from kancli.inits.scheme import LayerSize, Scheme

__all__ = ["SCHEMES", "LayerSize", "Scheme"]


def _collect_schemes() -> dict[str, type[Scheme]]:
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    schemes = {name: scheme for module in modules for name, scheme in getattr(module, "SCHEMES", {}).items()}
    return {"default": schemes.pop("default"), **schemes}


SCHEMES: dict[str, type[Scheme]] = _collect_schemes()
