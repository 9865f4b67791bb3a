"""The networks that are measured beside each other: code that defines `model`, for a process of each library's own.

efficient-kan is not on the package index: it is restated in `tests/oracles/efficient_kan.py`.
"""

import argparse
import sys

PYKAN_OPTIONS = "auto_save=False, symbolic_enabled=False"  # or a model writes files, and computes a second branch
NETWORKS = {
    "kancli": "from kancli import KAN\nmodel = KAN(WIDTH, grid=GRID, k=3, seed=0)\n",
    "pykan": f"from kan import KAN\nmodel = KAN(WIDTH, grid=GRID, k=3, seed=0, {PYKAN_OPTIONS})\n",
    "efficient-kan": "from tests.oracles.efficient_kan import KAN\nmodel = KAN(WIDTH, grid_size=GRID)\n",
    "inkan": "import inkan\nmodel = inkan.KANNetwork(WIDTH, grid_size=GRID, spline_order=3)\n",
}
VERSIONS = {"pykan": "pykan==0.2.8", "inkan": "inkan==0.5.2", "jaxKAN": "jaxkan==0.3.7"}


def network(side: str, width: object, grid: object) -> str:
    """The code of a side's network of order 3; width and G as text or as they are."""
    return NETWORKS[side].replace("WIDTH", str(width)).replace("GRID", str(grid))


def add_arguments(parser: argparse.ArgumentParser, *sides: str) -> None:
    """An option for the python of each of some libraries."""
    for side in sides:
        parser.add_argument(f"--{side.lower()}", metavar="PYTHON", help=f"a python that has {VERSIONS[side]}")


def pythons(given: argparse.Namespace) -> dict[str, str]:
    """The python of each side; of those whose option is given, and of those that need none."""
    found = {side: getattr(given, side.lower(), None) for side in VERSIONS}
    here = {"kancli": sys.executable, "efficient-kan": sys.executable}
    return here | {side: path for side, path in found.items() if path}
