"""Schemes that others wrote, named by where they can be imported from; and from where they may be."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kancli.errors import one_line
from kancli.inits.scheme import Scheme

TARGET = "_target_"  # the key, Hydra's own for a dotted name
NOT_OUTSIDE = ("kancli", "builtins", "abc")


@dataclass(frozen=True)
class CodePolicy:
    """Whose code may be imported because a config names it. It is given on the command line, never by a config."""

    folder: Path | None = None  # that of --config-dir
    anywhere: bool = False  # allow_code=true


_trust = CodePolicy()


def code_policy() -> CodePolicy:
    """What the user has said of this."""
    return _trust


@contextlib.contextmanager
def use_policy(given: CodePolicy) -> Iterator[None]:
    """Within, that code may be imported, and the folder's is found."""
    global _trust
    before, path = _trust, list(sys.path)
    _trust = given
    if given.folder is not None:
        sys.path.append(str(given.folder))
    try:
        yield
    finally:
        _trust, sys.path[:] = before, path


class NoSchemeError(ValueError):
    """A dotted name does not lead to a scheme; the message says why, and what to do."""


def scheme_at(target: object) -> type[Scheme]:
    """The scheme class at a dotted name such as "mine.Shrinking".

    Raises:
        NoSchemeError: there is none.
    """
    parts = target.split(".") if isinstance(target, str) else []
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise NoSchemeError("allowed: MODULE.CLASS")
    module_name, name = ".".join(parts[:-1]), parts[-1]
    _check_trusted(parts[0])
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise NoSchemeError(f"{module_name} cannot be imported: it needs {error.name}, which is missing") from None
        raise NoSchemeError(
            f"no module named {error.name}; put {parts[0]}.py into the folder of --config-dir, or install it"
        ) from None
    except (Exception, SystemExit) as error:
        raise NoSchemeError(f"{module_name} cannot be imported: {one_line(error)}") from None
    found = getattr(module, name, None)
    if found is None:
        raise NoSchemeError(f"{module_name} ({getattr(module, '__file__', 'built in')}) has no {name}")
    if not (inspect.isclass(found) and issubclass(found, Scheme) and dataclasses.is_dataclass(found)):
        raise NoSchemeError("not a scheme: a dataclass that is a subclass of kancli.inits.Scheme")
    if inspect.isabstract(found):
        raise NoSchemeError("not a whole scheme: it has no method laws(self, size)")
    return found


def _check_trusted(package: str) -> None:
    """Check, without importing it, that a module's or package's code may be imported.

    Raises:
        NoSchemeError: the user has not said so.
    """
    if _trust.anywhere or package == "kancli":
        return
    if _trust.folder is None:
        raise NoSchemeError("not kancli's own code; give --config-dir DIR, where it lies, or add allow_code=true")
    try:
        found = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        found = None
    if found is None:  # the import will say so
        return
    places = [*(found.submodule_search_locations or []), *([found.origin] if found.origin else [])]
    if not all(Path(place).absolute().is_relative_to(_trust.folder) for place in places):
        raise NoSchemeError(f"{package} lies outside the folder of --config-dir; to run its code add allow_code=true")


def name_of(scheme: type[Scheme]) -> str:
    """The dotted name of a scheme class."""
    return f"{scheme.__module__}.{scheme.__qualname__}"


def source_hash(scheme: type[Scheme]) -> str:
    """sha256 of the files that a scheme class and those it inherits from are written in: another law, another run."""
    files = {inspect.getfile(each) for each in scheme.__mro__ if each.__module__.split(".")[0] not in NOT_OUTSIDE}
    return hashlib.sha256(b"".join(Path(file).read_bytes() for file in sorted(files))).hexdigest()
