"""The environment of a run: versions, platform, processor, threads, and the commit of kancli."""

from __future__ import annotations

import functools
import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from kancli._version import __version__

PACKAGES = ("hydra-core", "matplotlib", "numpy", "omegaconf", "scipy", "torch")


def environment() -> dict[str, Any]:
    """The environment of this process, as in run.json."""
    import torch

    return {
        "versions": _versions(),
        "git": commit(Path(__file__).parents[1]),
        "platform": {
            # Without the kernel: no number depends on it.
            "system": " ".join([platform.system(), *platform.libc_ver()]).strip(),
            "machine": platform.machine(),
            "python": sys.implementation.name,
        },
        "cpu": {"model": _processor(), "capability": torch.backends.cpu.get_cpu_capability()},
        "threads": torch.get_num_threads(),
    }


@functools.cache
def _versions() -> dict[str, str]:
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"kancli": __version__, "python": platform.python_version(), **packages}


@functools.cache
def commit(folder: Path) -> dict[str, Any] | None:
    """The commit of a folder's files, and whether they have changed since. None without git, or if git does not track
    them."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(folder), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout

    try:
        if not git("ls-files", "--", "."):  # installed inside another repository
            return None
        lines = git("status", "--porcelain=v2", "--branch", "--untracked-files=no").splitlines()
    except (OSError, subprocess.SubprocessError):
        return None
    commit_id = next(line.split()[-1] for line in lines if line.startswith("# branch.oid"))
    return {"commit": commit_id, "dirty": not all(line.startswith("#") for line in lines)}


@functools.cache
def _processor() -> str:
    """The name of the processor, as far as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
