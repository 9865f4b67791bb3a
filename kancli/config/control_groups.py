"""The control groups of Linux, versions 1 and 2, that this process is in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

MOUNTED, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def control_groups(controller: str, mounted: Path = MOUNTED, own: Path = OWN) -> Iterator[tuple[int, Path]]:
    """The version and the folder of each group that may limit this process, inner ones first.

    Args:
        controller: as the kernel names it, such as "memory" or "pids".
        mounted: where the groups are mounted.
        own: the file that lists those of this process.
    """
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return
    mounts = {controller: (1, controller), "": (2, "unified")}
    for _, controllers, path in (line for line in lines if len(line) == 3):
        listed = controllers.split(",")  # version 1 may join some, as in "cpu,cpuacct"
        name = controller if controller in listed else controllers
        if name not in mounts:
            continue
        version, mount = mounts[name]
        for base in (mounted / mount, mounted):
            group = base / path.lstrip("/")
            for folder in (group, *group.parents):
                yield version, folder
                if folder == base:
                    break
