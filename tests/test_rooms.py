"""The rooms of kancli, and which may import which."""

import ast
import functools
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "kancli"
# From the ground up. A room imports what is named beside it, and what stands in GROUND.
GROUND = {"errors", "regular_files", "schema", "seeding", "spelling", "synonyms", "_version"}
BELOW_CONFIG = ["kan", "inputs", "inits", "bridges", "stats", "tasks", "training", "figures"]
BELOW_NOTEBOOK = [*BELOW_CONFIG, "config", "runs"]
BELOW_REPORTS = [*BELOW_NOTEBOOK, "sweeps"]
MAY_IMPORT = {
    "kan": [],
    "inputs": [],
    "inits": ["kan"],
    "bridges": ["kan", "inputs", "inits"],
    "stats": ["kan"],
    "tasks": ["kan", "inputs"],
    "training": ["kan", "tasks", "stats"],
    "figures": ["kan", "inits", "stats", "training"],
    "config": BELOW_CONFIG,
    "runs": [*BELOW_CONFIG, "config"],
    "sweeps": BELOW_NOTEBOOK,
    "notebook": BELOW_NOTEBOOK,
    "libraries": [*BELOW_NOTEBOOK, "notebook"],
    "compare": BELOW_REPORTS,
    "ranking": BELOW_REPORTS,
    "racing": [*BELOW_REPORTS, "ranking"],
    "report": [*BELOW_REPORTS, "ranking", "racing"],
    "cli": [*BELOW_REPORTS, "notebook", "compare", "ranking", "racing", "report"],
}
FILES_AT_THE_TOP = {"notebook", "libraries"}
AT_THE_TOP = {*GROUND, *FILES_AT_THE_TOP, "__init__", "__main__"}


@functools.cache
def imports(path):
    """The dotted names that a file imports: at its top, in functions, and for type checkers."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def room(dotted):
    """The room that a dotted name of kancli lies in; None for the package itself."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and parts[0] == "kancli" else None


FILES = sorted(PACKAGE.rglob("*.py"))


def test_only_the_ground_lies_at_the_top():
    assert {path.stem for path in PACKAGE.glob("*.py")} == AT_THE_TOP
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms == MAY_IMPORT.keys() - FILES_AT_THE_TOP


@pytest.mark.parametrize("name", [*MAY_IMPORT, *sorted(GROUND)])
def test_a_room_imports_only_rooms_below_it(name):
    allowed = {*GROUND, *MAY_IMPORT.get(name, []), name, None}
    files = [path for path in FILES if path.relative_to(PACKAGE).with_suffix("").parts[0] == name]
    assert files
    upward = {
        f"{path.relative_to(PACKAGE)} imports {dotted}"
        for path in files
        for dotted in imports(path)
        if dotted.startswith("kancli.") and room(dotted) not in {*allowed, "__version__"}
    }
    assert not upward


def test_modules_do_not_import_one_another_in_a_circle():
    modules = {
        ".".join(["kancli", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__"): path
        for path in FILES
    }
    edges = {
        name: {dotted for dotted in imports(path) if dotted in modules} - {"kancli", name}
        for name, path in modules.items()
    }
    done, active = set(), []

    def visit(name):
        assert name not in active, " -> ".join([*active[active.index(name) :], name])
        if name in done:
            return
        active.append(name)
        for other in sorted(edges[name]):
            visit(other)
        active.pop()
        done.add(name)

    for name in modules:
        visit(name)


def files_that_import(*private):
    """The files that import one of these modules, or a name or module within it."""
    return {
        str(path.relative_to(PACKAGE))
        for path in FILES
        for dotted in imports(path)
        if any(dotted == module or dotted.startswith(f"{module}.") for module in private)
    }


def test_only_one_module_imports_private_parts_of_hydra():
    assert files_that_import("hydra._internal", "hydra.core.plugins") == {"config/hydra.py"}


def test_the_package_imports_no_test_library():
    assert not files_that_import("unittest", "pytest", "hypothesis")
