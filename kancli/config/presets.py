"""YAML presets: their groups and options, and their content as plain dicts, without Hydra."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kancli.errors import ConfigError
from kancli.spelling import show

# Numbers that only YAML 1.1 knows: 010 is 8, 0x10 is 16, 1:30 is 90. The command line refuses them.
ODD_NUMBER = re.compile(r"[-+]?(0[0-7_]*[0-7][0-7_]*|0b[01_]+|0x[\da-fA-F_]+|[\d_]+(:[0-5]?\d)+(\.[\d_]*)?)")
MAY_HOLD_ODD_NUMBER = re.compile(r"(?<![\w.])0[\dbx_]|\d:\d")
MAX_BYTES = 32 << 10  # of one file; a typed word may have 8,000 characters
PACKAGE_LINE = re.compile(r"^#\s*@package\s+(\S+)\s*$", re.MULTILINE)


def builtin_folder() -> Path:
    """kancli's own presets: in the installed package, or next to the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "presets"
    return installed if installed.is_dir() else package.parent / "configs"


def preset_folders(config_dir: str | None) -> list[Path]:
    """kancli's folder of presets, then the user's if --config-dir names one.

    Raises:
        ConfigError: the user's folder does not exist.
    """
    if config_dir is None:
        return [builtin_folder()]
    folder = Path(config_dir).absolute()
    if not folder.is_dir():
        raise ConfigError([f"--config-dir {config_dir}: no such folder; give one that holds init/, experiment/, ..."])
    return [builtin_folder(), folder]


@dataclass(frozen=True)
class Preset:
    """One YAML file."""

    path: Path
    package: str | None  # of its `# @package` line
    comment: str  # the first comment line
    defaults: list[Any]
    body: dict[str, Any]


class Presets:
    """The presets of every group in one or more folders; the first folder that has an option wins.

    Args:
        folders: folders with one subfolder per group: kancli's own, and the user's from --config-dir.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = list(folders)
        self._loaded: dict[Path, Preset] = {}
        self._options: dict[str, list[str]] = {}

    @property
    def own(self) -> Path | None:
        """The user's folder, if there is one."""
        return self.folders[-1] if len(self.folders) > 1 else None

    def defaults(self) -> dict[str, str | None]:
        """The default option of each group, in the order of the defaults list."""
        listed = {
            str(group): option
            for entry in self.load("", "config").defaults
            if isinstance(entry, dict)
            for group, option in entry.items()
        }
        return {group: option for group, option in listed.items() if not group.startswith("override ")}

    def groups(self) -> list[str]:
        """The names of the groups, in the order of the defaults list."""
        return list(self.defaults())

    def groups_init_first(self) -> list[str]:
        """The groups in the order in which a word that stands alone is looked for: most are the names of schemes."""
        return sorted(self.groups(), key=lambda group: group != "init")

    def options(self, group: str) -> list[str]:
        """The names of the presets of a group, sorted."""
        if group not in self._options:
            names = {path.stem for folder in self.folders for path in (folder / group).glob("*.yaml")}
            self._options[group] = sorted(names)
        return self._options[group]

    def load(self, group: str, option: str) -> Preset:
        """Read a preset.

        Raises:
            ConfigError: the file does not exist, or is not a YAML mapping.
        """
        for folder in self.folders:
            path = folder / group / f"{option}.yaml"
            if path.is_file():
                if path not in self._loaded:
                    self._loaded[path] = _load(path)
                    self._check_package(group, self._loaded[path])
                return self._loaded[path]
        raise ConfigError([f"{group}={option}: no such preset"])

    def _check_package(self, group: str, preset: Preset) -> None:
        if group != "experiment" and preset.package is None and list(preset.body) == [group]:
            # Hydra would read width.width.
            raise ConfigError(
                [f"{preset.path}: sets the whole of {group}; put '# @package _global_' in its first line"]
            )


def _load(path: Path) -> Preset:
    import yaml
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        text = _read_text(path)
        content = OmegaConf.to_container(OmegaConf.create(text)) if text.strip() else {}
        faults = list(_odd_numbers(text, path))
    except AssertionError:  # raised by OmegaConf if the file holds a single value
        raise ConfigError([f"{path}: holds no mapping; allowed: KEY: VALUE lines"]) from None
    except yaml.YAMLError as error:
        raise ConfigError([f"{path}: not YAML: " + " ".join(str(error).split())]) from None
    except (OSError, ValueError, RecursionError, OmegaConfBaseException) as error:
        raise ConfigError([f"{path}: cannot be read: {str(error).splitlines()[0]}"]) from None
    if faults:
        raise ConfigError(faults)
    if not isinstance(content, dict):
        raise ConfigError([f"{path}: holds a {type(content).__name__}; allowed: KEY: VALUE lines"])
    package = PACKAGE_LINE.search(text)
    comments = [
        line.lstrip("# ").rstrip() for line in text.splitlines() if line.startswith("#") and "@package" not in line
    ]
    defaults = content.pop("defaults", [])
    return Preset(
        path,
        package.group(1) if package else None,
        comments[0] if comments else "",
        defaults if isinstance(defaults, list) else [defaults],
        {str(name): value for name, value in content.items()},
    )


def _read_text(path: Path) -> str:
    """Read a file of at most `MAX_BYTES`: YAML and Hydra take a second for every 30 kB.

    Raises:
        ConfigError: it is larger.
        OSError, ValueError: it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ConfigError([f"{path}: has more than {MAX_BYTES >> 10} KiB; allowed: fewer; split it"])
    return content.decode("utf-8")


def _odd_numbers(text: str, path: Path) -> Iterator[str]:
    """The fault of each number in a file that YAML reads as another one."""
    import yaml

    if not MAY_HOLD_ODD_NUMBER.search(text):
        return
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.ScalarEvent) and event.style is None and ODD_NUMBER.fullmatch(event.value):
            yield (
                f"{path}: line {event.start_mark.line + 1}: {show(event.value)}: YAML would read"
                f" {show(yaml.safe_load(event.value))}; write a number in decimal digits, and text in quotes"
            )
