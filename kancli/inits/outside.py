"""Schemes that others wrote, named by where they can be imported from."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import inspect
from pathlib import Path

from kancli.inits.scheme import Scheme

TARGET = "_target_"  # the key, Hydra's own for a dotted name


class NoSchemeError(ValueError):
    """A dotted name does not lead to a scheme; the message says why, and what to do."""


def scheme_at(target: object) -> type[Scheme]:
    """The scheme class at a dotted name such as "mine.Shrinking".

    Raises:
        NoSchemeError: there is none.
    """
    module_name, _, name = str(target).rpartition(".")
    if not module_name:
        raise NoSchemeError("allowed: MODULE.CLASS")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise NoSchemeError(
            f"no module named {error.name}; put {module_name.split('.')[0]}.py into the folder of --config-dir,"
            " or install it"
        ) from None
    except Exception as error:
        where = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise NoSchemeError(f"{module_name} cannot be imported: {where}") from None
    found = getattr(module, name, None)
    if found is None:
        raise NoSchemeError(f"{module_name} has no {name}")
    if not (inspect.isclass(found) and issubclass(found, Scheme) and dataclasses.is_dataclass(found)):
        raise NoSchemeError("not a scheme: a dataclass that is a subclass of kancli.inits.Scheme")
    if inspect.isabstract(found):
        raise NoSchemeError("not a whole scheme: it has no method laws(self, size)")
    return found


def name_of(scheme: type[Scheme]) -> str:
    """The dotted name of a scheme class."""
    return f"{scheme.__module__}.{scheme.__qualname__}"


def source_hash(scheme: type[Scheme]) -> str:
    """sha256 of the file that a scheme class is written in: with another law it is another run."""
    return hashlib.sha256(Path(inspect.getfile(scheme)).read_bytes()).hexdigest()
