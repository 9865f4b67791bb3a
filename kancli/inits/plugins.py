"""Schemes from outside kancli, by their dotted name, and the policy for importing foreign code."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from kancli.errors import one_line
from kancli.inits.scheme import Scheme

TARGET = "_target_"  # Hydra's key for a dotted name
NOT_HASHED = ("kancli", "builtins", "abc")  # packages whose sources do not count as a user's


@dataclass(frozen=True)
class CodePolicy:
    """Code that may be imported because a config names it. Only the command line sets the policy, never a config."""

    folder: Path | None = None  # of --config-dir
    anywhere: bool = False  # allow_code=true


_policy = CodePolicy()


def code_policy() -> CodePolicy:
    """The current policy."""
    return _policy


@contextlib.contextmanager
def use_policy(policy: CodePolicy) -> Iterator[None]:
    """Context manager: the policy holds, and schemes in its folder can be imported."""
    global _policy
    before, _policy = _policy, policy
    finder = _SchemeFinder(policy.folder)
    sys.meta_path.append(finder)
    try:
        yield
    finally:
        _policy = before
        sys.meta_path.remove(finder)


class _SchemeFinder(MetaPathFinder):
    """Finds modules in the folder of --config-dir for schemes, and for modules that lie there themselves.

    The folder is not on sys.path: a library that tries to import `pandas`, or all of `hydra_plugins`, must not get a
    user's file.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if self.folder is None or path is not None:
            return None
        if fullname != _requested and not self._is_imported_from_folder():
            return None
        return PathFinder.find_spec(fullname, [str(self.folder)])

    def _is_imported_from_folder(self) -> bool:
        """Whether the code that imports lies in the folder."""
        frame = sys._getframe(2)
        while frame is not None and frame.f_globals.get("__name__", "").startswith("importlib"):
            frame = frame.f_back
        file = None if frame is None else frame.f_globals.get("__file__")
        return file is not None and self.folder is not None and Path(file).is_relative_to(self.folder)


_requested: str | None = None  # the package of the scheme that is being imported


class NoSchemeError(ValueError):
    """A dotted name is not that of a scheme; the message gives the reason and the fix."""


def scheme_at(target: object) -> type[Scheme]:
    """The scheme class at a dotted name such as "mine.Shrinking".

    Raises:
        NoSchemeError: the module cannot be imported, or has no such scheme.
    """
    parts = target.split(".") if isinstance(target, str) else []
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise NoSchemeError("allowed: MODULE.CLASS")
    module_name, name = ".".join(parts[:-1]), parts[-1]
    global _requested
    _requested = parts[0]
    try:
        _check_policy(parts[0])
        module = importlib.import_module(module_name)
    except NoSchemeError:
        raise
    except ModuleNotFoundError as error:
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise NoSchemeError(f"{module_name} cannot be imported: it needs {error.name}, which is missing") from None
        raise NoSchemeError(
            f"no module named {error.name}; put {parts[0]}.py into the folder of --config-dir, or install it"
        ) from None
    except (Exception, SystemExit) as error:
        raise NoSchemeError(f"{module_name} cannot be imported: {one_line(error)}") from None
    finally:
        _requested = None
    scheme = getattr(module, name, None)
    if scheme is None:
        raise NoSchemeError(f"{module_name} ({getattr(module, '__file__', 'built in')}) has no {name}")
    if not (inspect.isclass(scheme) and issubclass(scheme, Scheme) and dataclasses.is_dataclass(scheme)):
        raise NoSchemeError("not a scheme: a dataclass that is a subclass of kancli.inits.Scheme")
    if inspect.isabstract(scheme):
        raise NoSchemeError("not a whole scheme: it has no method laws(self, size)")
    return scheme


def _check_policy(package: str) -> None:
    """Check, without importing it, that the policy allows a module or package.

    Raises:
        NoSchemeError: it does not.
    """
    if _policy.anywhere or package == "kancli":
        return
    if _policy.folder is None:
        raise NoSchemeError("not kancli's own code; give --config-dir DIR, where it lies, or add allow_code=true")
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None:  # the import reports it
        return
    locations = [*(spec.submodule_search_locations or []), *([spec.origin] if spec.origin else [])]
    if not all(Path(location).absolute().is_relative_to(_policy.folder) for location in locations):
        raise NoSchemeError(f"{package} lies outside the folder of --config-dir; to run its code add allow_code=true")


def name_of(scheme: type[Scheme]) -> str:
    """The dotted name of a scheme class."""
    return f"{scheme.__module__}.{scheme.__qualname__}"


def source_hash(scheme: type[Scheme]) -> str:
    """sha256 of the source files of a scheme class and its bases; part of a run's identity."""
    files = {inspect.getfile(base) for base in scheme.__mro__ if base.__module__.split(".")[0] not in NOT_HASHED}
    return hashlib.sha256(b"".join(Path(file).read_bytes() for file in sorted(files))).hexdigest()
