"""Hydra, taught kancli's spellings. It leans on Hydra's internals, as `sweeps` and the end of `cli` do; they are
stable within 1.3.

Hydra's public entry, `hydra.main`, drops return values and exit codes and composes before anyone can translate an
override, so its parts are put together here: the config loader is Hydra's own with the overrides settled first, and
with the composed config checked last.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import version
from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from kancli.config.allowed_code import check_code
from kancli.config.compose import compose, settings_of
from kancli.config.overrides import SHORTHANDS, parse, resolve
from kancli.config.presets import Presets
from kancli.errors import ConfigError
from kancli.schema import show

if TYPE_CHECKING:
    from kancli.config.settings import Settings


class KanConfigLoader(ConfigLoaderImpl):
    """Hydra's loader, with kancli's spellings before it and kancli's checks behind it.

    Launchers compose their jobs through it too, so spellings and checks hold in every job.
    """

    def __init__(self, config_search_path: Any, presets: Presets) -> None:
        super().__init__(config_search_path)
        self.presets = presets

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Compose as Hydra does.

        Raises:
            ConfigError: with all faults of the config. For the master config of a sweep only the spellings are
                checked: its jobs are checked one by one.
        """
        parsed = parse(overrides)
        resolved = resolve(parsed, self.presets, sweeping=run_mode == RunMode.MULTIRUN)
        if resolved.faults:
            raise ConfigError(resolved.faults)
        choices = [f"{group}='{option}'" for group, option in resolved.choices.items()]
        try:
            config = super().load_configuration(config_name, choices + resolved.hydra, run_mode, from_shell)
            for key, value in resolved.values:
                known = OmegaConf.select(config, key) is not None  # a null section takes a dict whole, not by merging
                OmegaConf.update(config, key, value, merge=known, force_add=True)
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError([_one_line(error)]) from error

        check_code(config)

        # Nothing but run_folder writes to a run's folder, and paths are those of the caller's folder.
        config.hydra.output_subdir = None
        config.hydra.job.chdir = False
        OmegaConf.update(config, "hydra.job_logging.root", None, force_add=True)

        # The record is of what was typed, not of what it was translated to.
        task = [override for override in parsed if not override.is_hydra_override()]
        config.hydra.overrides.task = [override.input_line for override in task]
        config.hydra.overrides.hydra = [override.input_line for override in parsed if override.is_hydra_override()]
        naming = config.hydra.job.config.override_dirname
        config.hydra.job.override_dirname = get_overrides_dirname(
            task, kv_sep=naming.kv_sep, item_sep=naming.item_sep, exclude_keys=naming.exclude_keys
        )
        with open_dict(config.hydra.runtime.choices):
            for group, literal in SHORTHANDS.items():
                given = [value for key, value in resolved.values if key == literal.key]
                if given:
                    config.hydra.runtime.choices[group] = show(given[-1])
        if run_mode == RunMode.RUN:
            self.settings(config)
        return config

    def settings(self, config: DictConfig) -> Settings:
        """The settings that a composed config stands for.

        Raises:
            ConfigError: with all faults.
        """
        return settings_of(plain(config))


LOCAL = "hydra_plugins.kancli.launcher.KanLauncher"  # kancli's own, `sweeps.launcher.KanLauncher`


class CompletionLoader(KanConfigLoader):
    """Answers the shell's completion requests from the plain composition, which takes a third of the time."""

    def load_configuration(self, config_name: str | None, overrides: list[str], *_: Any, **__: Any) -> DictConfig:
        config = compose(overrides, self.presets).config
        config.update(config["init"])  # knobs complete by their bare names too
        return OmegaConf.create(config)


def plain(config: DictConfig) -> dict[str, Any]:
    """The job's part of a composed config as plain values.

    Raises:
        ConfigError: an interpolation cannot be resolved.
    """
    names = [name for name in config if name != "hydra"]
    try:
        return OmegaConf.to_container(OmegaConf.masked_copy(config, names), resolve=True)  # pyright: ignore
    except OmegaConfBaseException as error:
        raise ConfigError([_one_line(error)]) from None


def create(presets: Presets, loader: type[KanConfigLoader] = KanConfigLoader) -> Hydra:
    """Hydra with kancli's presets and loader; user folders come after kancli's own, as with Hydra's --config-dir."""
    version.setbase("1.3")
    OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(4), use_cache=True, replace=True)
    ConfigStore.instance().store(group="hydra/launcher", name="kancli", node={"_target_": LOCAL}, provider="kancli")
    first, *others = (f"file://{folder}" for folder in presets.folders)
    path = create_config_search_path(first)
    for folder in others:
        path.prepend(provider="command-line", path=folder, anchor=SearchPathQuery(provider="schema"))
    hydra = Hydra("kan-run", loader(path, presets))
    GlobalHydra.instance().clear()
    GlobalHydra.instance().initialize(hydra)
    return hydra


def folders(config_dir: str | None) -> list[Path]:
    """kancli's presets, and the user's where --config-dir names a folder.

    Raises:
        ConfigError: there is no such folder.
    """
    from kancli.config.presets import builtin_folder

    if config_dir is None:
        return [builtin_folder()]
    folder = Path(config_dir).absolute()
    if not folder.is_dir():
        raise ConfigError([f"--config-dir {config_dir}: no such folder; give one that holds init/, experiment/, ..."])
    return [builtin_folder(), folder]


def _one_line(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else None
    texts = [str(each).strip().splitlines()[0] for each in (error, cause) if each is not None and str(each).strip()]
    return "; ".join(texts) or type(error).__name__


def record_of(config: DictConfig, hydra_config: Any) -> dict[str, str]:
    """Hydra's own record of a job, file by file, as it would write it to `.hydra`."""
    hydra_only = OmegaConf.create({"hydra": hydra_config})
    return {
        "config.yaml": OmegaConf.to_yaml(config),
        "hydra.yaml": OmegaConf.to_yaml(hydra_only),
        "overrides.yaml": OmegaConf.to_yaml(hydra_config.overrides.task),
    }
