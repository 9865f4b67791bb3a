"""Hydra with kancli's spellings: composition, single jobs, and the plugins and callbacks of sweeps.

Hydra's public entry, `hydra.main`, drops return values and exit codes, and composes before an override can be
translated, so kancli assembles Hydra from its parts. No other module imports Hydra's private modules, which are stable
within 1.3.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from hydra import version
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, run_job
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.basecontainer import BaseContainer
from omegaconf.errors import OmegaConfBaseException

from kancli.config.allowed_code import check_code, check_search_path
from kancli.config.checkpoint import decided_values
from kancli.config.compose import CONFIG_NAME, ComposedConfig, compose, expand_figures, settings_of
from kancli.config.hydra_keys import find_ineffective, typed_values
from kancli.config.interpolations import describe, plain_config, register_hydra_resolver, uses_number
from kancli.config.overrides import ResolvedOverrides, parse_and_resolve
from kancli.config.presets import Presets
from kancli.config.shorthands import SHORTHANDS
from kancli.errors import ConfigError
from kancli.spelling import show, spell

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from hydra.plugins.launcher import Launcher
    from hydra.plugins.sweeper import Sweeper

    from kancli.config.settings import Settings


log = logging.getLogger("kancli")

Task = Callable[[Any], Any]  # one job, by its composed config

OWN_LAUNCHER = "hydra_plugins.kancli.launcher.KanLauncher"  # alias of `sweeps.hydra_launcher.KanLauncher`
BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"
BASIC_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"


class KanConfigLoader(ConfigLoaderImpl):
    """Hydra's loader: resolves kancli's spellings, composes, and validates the config."""

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
        """Compose typed words. Hydra and third-party launchers call this method.

        Raises:
            ConfigError: with all faults of the config. For the master config of a sweep only the spellings are
                checked; its jobs are validated one by one.
        """
        resolved = parse_and_resolve(overrides, self.presets, sweeping=run_mode == RunMode.MULTIRUN)
        config = self.compose(resolved, run_mode, config_name, from_shell)
        if run_mode == RunMode.RUN:
            register_hydra_resolver()  # again: a launcher puts Hydra's own in its place
            is_job = "hydra.mode=MULTIRUN" in overrides  # of a sweep; it has no number yet
            settings = settings_of(plain_config(config, number=0 if is_job else None))
            for key, value in decided_values(settings).items():
                OmegaConf.update(config, key, value, merge=False, force_add=True)
        return config

    def compose(
        self,
        resolved: ResolvedOverrides,
        run_mode: RunMode,
        config_name: str | None = CONFIG_NAME,
        from_shell: bool = True,
    ) -> DictConfig:
        """Compose resolved overrides, without validating the job's values.

        Raises:
            ConfigError: an override has a fault, Hydra rejects one, or Hydra's part names code that is not allowed.
        """
        if resolved.faults:
            raise ConfigError(resolved.faults)
        check_search_path(resolved.parsed)
        choices = [f"{group}='{option}'" for group, option in resolved.choices.items()]
        try:
            config = super().load_configuration(config_name, choices + resolved.hydra, run_mode, from_shell)
            for key, value in resolved.values:
                exists = OmegaConf.select(config, key) is not None  # a dict cannot be merged into a null section
                OmegaConf.update(config, key, value, merge=exists, force_add=True)
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError([describe(error)]) from error
        except (
            ValueError,
            TypeError,
            AssertionError,
        ) as error:  # Hydra's, for a type of value
            raise ConfigError([f"{show(' '.join(resolved.hydra))}: {describe(error)}"]) from error

        expand_figures(cast(MutableMapping[str, Any], config))
        check_code(config)

        # Only `runs` writes to a run's folder, and relative paths are relative to the caller's folder.
        config.hydra.output_subdir = None
        config.hydra.job.chdir = False
        OmegaConf.update(config, "hydra.job_logging.root", None, force_add=True)

        # The record holds the overrides as typed.
        task = [override for override in resolved.parsed if not override.is_hydra_override()]
        for_hydra = [override for override in resolved.parsed if override.is_hydra_override()]
        config.hydra.overrides.task = [override.input_line for override in task]
        config.hydra.overrides.hydra = [override.input_line for override in for_hydra]
        naming = config.hydra.job.config.override_dirname
        config.hydra.job.override_dirname = get_overrides_dirname(
            task, kv_sep=naming.kv_sep, item_sep=naming.item_sep, exclude_keys=naming.exclude_keys
        )
        with open_dict(config.hydra.runtime.choices):
            values = dict(resolved.values)
            for group, shorthands in SHORTHANDS.items():
                for shorthand in shorthands:
                    if shorthand.key in values:
                        config.hydra.runtime.choices[group] = spell(values[shorthand.key])
        return config


class CompletionLoader(KanConfigLoader):
    """Loader for shell completion: uses the plain composition, which takes a third of the time."""

    def load_configuration(self, config_name: str | None, overrides: list[str], *_: Any, **__: Any) -> DictConfig:
        config = compose(overrides, self.presets).config
        config.update(config["init"])  # knobs complete by their bare names too
        return OmegaConf.create(config)


def create_hydra(presets: Presets, loader: type[KanConfigLoader] = KanConfigLoader) -> Hydra:
    """Create Hydra with kancli's loader. As with Hydra's --config-dir, user folders come after kancli's own."""
    version.setbase("1.3")
    OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(4), use_cache=True, replace=True)
    ConfigStore.instance().store(
        group="hydra/launcher", name="kancli", node={"_target_": OWN_LAUNCHER}, provider="kancli"
    )
    first, *others = (f"file://{folder}" for folder in presets.folders)
    path = create_config_search_path(first)
    for folder in others:
        path.prepend(provider="command-line", path=folder, anchor=SearchPathQuery(provider="schema"))
    hydra = Hydra("kan-run", loader(path, presets))  # registers Hydra's resolvers
    register_hydra_resolver()
    GlobalHydra.instance().clear()
    GlobalHydra.instance().initialize(hydra)
    return hydra


@contextlib.contextmanager
def callers_hydra() -> Iterator[None]:
    """Context manager: Hydra's global state, which the caller may use for a config of its own, is the same after."""
    owner, base, resolvers = GlobalHydra.instance(), version.VersionBase.instance(), dict(BaseContainer._resolvers)
    hydra, version_base = owner.hydra, base.version_base
    try:
        yield
    finally:
        owner.hydra, base.version_base = hydra, version_base
        BaseContainer._resolvers = resolvers


def compose_run(hydra: Hydra, draft: ComposedConfig) -> tuple[DictConfig, Settings]:
    """Compose one run with Hydra, and validate it unless `draft`, the composition without Hydra, is the same.

    Raises:
        ConfigError: with all faults.
    """
    config = _loader(hydra).compose(draft.resolved, RunMode.RUN)
    _warn(draft.resolved, sweeping=False)
    values = plain_config(config)
    is_same = draft.plain and values == draft.config
    return config, draft.settings if is_same else settings_of(values)


def compose_sweep(hydra: Hydra, resolved: ResolvedOverrides) -> DictConfig:
    """Compose the config that the jobs of a sweep share.

    Raises:
        ConfigError: with the faults of the overrides; values are checked job by job.
    """
    config = _loader(hydra).compose(resolved, RunMode.MULTIRUN)
    _warn(resolved, sweeping=True)
    return config


def _warn(resolved: ResolvedOverrides, *, sweeping: bool) -> None:
    values = [*resolved.values, *typed_values(resolved.parsed)]
    for message in find_ineffective(values, sweeping=sweeping):
        log.warning(message)


def _loader(hydra: Hydra) -> KanConfigLoader:
    return cast(KanConfigLoader, hydra.config_loader)


def run_single(hydra: Hydra, config: DictConfig, task: Task) -> JobReturn:
    """Run one job in this process, and call the callbacks for the start and the end of a run.

    Returns:
        Hydra's result. Its `return_value` raises the exception of a failed task.

    Raises:
        OSError: the folder of the run cannot be created.
    """
    callbacks = Callbacks(config)
    callbacks.on_run_start(config=config, config_name=CONFIG_NAME)
    job = run_job(
        hydra_context=HydraContext(config_loader=hydra.config_loader, callbacks=callbacks),
        task_function=task,
        config=config,
        job_dir_key="hydra.run.dir",
        job_subdir_key=None,
        configure_logging=False,
    )
    callbacks.on_run_end(config=config, config_name=CONFIG_NAME, job_return=job)
    return job


@contextlib.contextmanager
def multirun(hydra: Hydra, config: DictConfig) -> Iterator[HydraContext]:
    """Context manager: call the callbacks for the start of a sweep, and for its end unless the block raises."""
    callbacks = Callbacks(config)
    callbacks.on_multirun_start(config=config, config_name=CONFIG_NAME)
    yield HydraContext(config_loader=hydra.config_loader, callbacks=callbacks)
    callbacks.on_multirun_end(config=config, config_name=CONFIG_NAME)


def compose_job(
    loader: KanConfigLoader, config: DictConfig, words: Sequence[str], number: int
) -> tuple[dict[str, Any], bool]:
    """Compose a job of a sweep to plain values; return them, and whether they depend on the job's number.

    Args:
        config: of the sweep.

    Raises:
        ConfigError: with all faults.
    """
    job = loader.load_sweep_config(config, ["hydra.mode=MULTIRUN", *words])
    return plain_config(job, number=number), uses_number(job)


def split_sweep(overrides: Sequence[Override]) -> list[list[str]]:
    """Expand a sweep to the words of its jobs: all combinations, in the order of Hydra's basic sweeper."""
    jobs = BasicSweeper.split_arguments(list(overrides), max_batch_size=None)[0]
    return [list(words) for words in jobs]


def instantiate_launcher(context: HydraContext, task: Task, config: DictConfig) -> Launcher:
    """Create the launcher that the config of a sweep names."""
    return Plugins.instance().instantiate_launcher(hydra_context=context, task_function=task, config=config)


def instantiate_sweeper(context: HydraContext, task: Task, config: DictConfig) -> Sweeper:
    """Create the sweeper that the config of a sweep names."""
    return Plugins.instance().instantiate_sweeper(hydra_context=context, task_function=task, config=config)


def register_launcher(launcher: Callable[[], Launcher]) -> None:
    """Register kancli's launcher under a name below `hydra_plugins`, the only package whose plugins Hydra accepts."""
    Plugins.instance().class_name_to_class[OWN_LAUNCHER] = launcher  # pyright: ignore[reportArgumentType]
