"""kancli: an experiment runner for the initialisation of Kolmogorov-Arnold networks.

`from kancli import KAN, create_dataset` gives the reference's own interface; `kancli.run(["init=glorot"])` does what
`kan-run init=glorot` does. `initialise`, `examine`, `read` and `write` work on other libraries' models.
Importing this package loads nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kancli._version import __version__

if TYPE_CHECKING:
    from kancli.cli.call import run
    from kancli.libraries import examine, initialise, read, write
    from kancli.notebook import KAN, create_dataset

__all__ = ["KAN", "__version__", "create_dataset", "examine", "initialise", "read", "run", "write"]


def __getattr__(name: str) -> Any:
    if name in ("KAN", "create_dataset"):
        from kancli import notebook

        return getattr(notebook, name)
    if name in ("examine", "initialise", "read", "write"):
        from kancli import libraries

        return getattr(libraries, name)
    if name == "run":
        from kancli.cli.call import run

        return run
    raise AttributeError(f"module 'kancli' has no attribute {name!r}")
