"""The words in and out of a width, which stand for the numbers of inputs and outputs of the task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kancli.errors import ConfigError
from kancli.tasks.task import Task


def with_task_sizes(config: Mapping[str, Any], task: Task | None, faults: list[str]) -> Mapping[str, Any]:
    """The config with numbers for the words in and out of its width.

    Args:
        task: None where it has faults of its own.
        faults: gets a line where there are no such numbers; the result then has no width.
    """
    width = config.get("width")
    if not isinstance(width, Sequence) or isinstance(width, str) or not {"in", "out"} & set(map(str, width)):
        return config
    others = {name: value for name, value in config.items() if name != "width"}
    if task is None:
        return others
    if not task.exists:
        typed = "-".join(map(str, width))
        faults.append(
            f"width={typed}: in and out are the numbers of inputs and outputs of a task; add one, such as task=f2, or"
            " give numbers"
        )
        return others
    try:
        sizes = {"in": task.n_in, "out": task.n_out}
    except ConfigError as error:  # a table that cannot be read
        faults += error.faults
        return others
    return {**others, "width": [sizes.get(nodes, nodes) for nodes in width]}
