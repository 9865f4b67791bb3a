"""What `kan-run -m` and `kan-run resume` do: plan, run, gather."""

from __future__ import annotations

import logging
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.callbacks import Callbacks
from hydra.core.plugins import Plugins
from hydra.core.utils import JobStatus
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from kancli import hydra_shell, signals
from kancli.compose import CONFIG_NAME
from kancli.errors import SWEEP, ConfigError, one_line
from kancli.identity import identity
from kancli.inits.outside import trust
from kancli.progress import counting
from kancli.report import show
from kancli.run_folder import check_fresh, unwritable
from kancli.sweeps import costs, gathering, local, tasks
from kancli.sweeps.expansion import MOST_FAULTS, Composed, Expansion, expand
from kancli.sweeps.hydra_record import job_of
from kancli.sweeps.plan import ENDED, Job, Outcome, Plan, freeze, read
from kancli.sweeps.table import NO_RECORD, Row

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra

    from kancli.presets import Presets
    from kancli.settings import Settings

log = logging.getLogger("kancli")

BASIC = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def sweep(presets: Presets, typed: Sequence[str], task: Callable[[Any], None], *, dry_run: bool = False) -> int:
    """Plan the product of the values given, freeze the plan, and run it.

    Args:
        task: one job, by Hydra's config, for another launcher than kancli's own.
        dry_run: end with the plan.

    Returns:
        0, or `errors.SWEEP` if a job failed.

    Raises:
        ConfigError: a job's config has faults; nothing was run or written.
    """
    hydra = hydra_shell.create(presets)
    master: DictConfig | None = None

    def compose(job: list[str]) -> dict[str, Any]:
        return hydra_shell.plain(hydra.config_loader.load_sweep_config(composed_master(), job))

    def composed_master() -> DictConfig:
        nonlocal master
        if master is None:
            master = hydra.compose_config(CONFIG_NAME, list(typed), run_mode=RunMode.MULTIRUN)
        return master

    found = expand(typed, presets, compose)
    config = composed_master()
    plan = _planned(found, config, typed, presets)
    _check_devices({each.settings.device for each in found.jobs})
    check_fresh(plan.folder, "hydra.sweep.dir")
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
        with (plan.folder / "multirun.yaml").open("x") as file:  # of two sweeps on one folder only one can
            file.write(OmegaConf.to_yaml(config))
    except OSError as error:
        raise ConfigError([unwritable(plan.folder, error, "hydra.sweep.dir")]) from None
    freeze(plan)
    runs = {job.number: each.settings for job, each in zip(plan.jobs, found.jobs, strict=True)}
    print(_told(found, runs), file=sys.stderr)
    if dry_run:
        print(f"planned: start it with kan-run resume {plan.folder}", file=sys.stderr)
        print(plan.folder, flush=True)
        return 0
    if config.hydra.launcher._target_ != hydra_shell.LOCAL:
        return _gathered(plan, lambda: _launch(hydra, config, plan, runs, task))
    return _gathered(plan, lambda: _run(plan, runs))


def resume(folder: Path, only: str | None) -> int:
    """Run what is missing of a sweep, from its frozen plan.

    Args:
        only: "failed" for the jobs that failed, or their numbers: "3,7"; None for those that came to no end.

    Returns:
        0, or `errors.SWEEP` if a job failed, now or before.

    Raises:
        ConfigError: there is no such sweep, or it is at work.
    """
    plan = read(folder)
    status = {job.number: plan.status(job) for job in plan.jobs}
    if only is None:
        numbers = [number for number, each in status.items() if each not in ("complete", "failed")]
    elif only == "failed":
        numbers = [number for number, each in status.items() if each == "failed"]
    else:
        numbers = [number for number in _numbers(only, len(plan.jobs)) if status[number] != "complete"]
    runs = {number: plan.settings(plan.jobs[number]) for number in numbers}
    print(f"kan-run: {len(numbers)} of {len(plan.jobs)} jobs to do", file=sys.stderr)

    def run() -> None:
        for number in numbers:
            plan.clear(plan.jobs[number])
        _run(plan, runs)

    return _gathered(plan, run)


def _numbers(only: str, count: int) -> list[int]:
    try:
        numbers = sorted({int(each) for each in only.split(",")})
    except ValueError:
        numbers = [-1]
    if not 0 <= numbers[0] <= numbers[-1] < count:
        raise ConfigError([f"--only {only}: allowed: failed, or numbers of jobs from 0 to {count - 1}, such as 3,7"])
    return numbers


def _planned(found: Expansion, config: DictConfig, typed: Sequence[str], presets: Presets) -> Plan:
    """The plan of what was found, in the folder that the config names."""
    base = found.jobs[0].config
    hydra: dict[str, Any] = OmegaConf.to_container(config.hydra)  # pyright: ignore[reportAssignmentType]
    options = [] if presets.own is None else ["--config-dir", str(presets.own)]
    head = {"typed": list(typed), "options": options, "argv": sys.argv, "swept": found.swept, "notices": found.notices,
            "dropped": found.dropped, "hydra": hydra, "base": base}  # fmt: skip
    jobs = []
    for number, each in enumerate(found.jobs):
        changes = {name: value for name, value in each.config.items() if base.get(name, base) != value}
        choices = {
            name: value for name, value in each.choices.items() if hydra["runtime"]["choices"].get(name) != value
        }
        place = _place(number, each, hydra)
        jobs.append(Job(number, each.words, changes, choices, place, identity(each.settings)))
    places = {job.folder: job for job in reversed(jobs)}
    if len(places) < len(jobs):
        double = next(job for job in jobs if places[job.folder] is not job)
        raise ConfigError(
            [f"hydra.sweep.subdir={hydra['sweep']['subdir']}: jobs {places[double.folder].number} and {double.number}"
             f" would share the folder {double.folder}; name one for each, or leave it out"]
        )  # fmt: skip
    return Plan(Path(config.hydra.sweep.dir), head, jobs)


def _place(number: int, job: Composed, hydra: Mapping[str, Any]) -> str:
    """A job's folder below the sweep's."""
    template = hydra["sweep"]["subdir"]
    if template == "${hydra.job.num}":
        return str(number)
    own = {"job": job_of(hydra, number, job.words), "overrides": {**hydra["overrides"], "task": job.words}}
    return str(OmegaConf.create({**job.config, "hydra": {**hydra, **own}}).hydra.sweep.subdir)


def _told(found: Expansion, runs: Mapping[int, Settings]) -> str:
    """The plan in words."""
    factors = [str(len(values)) for values in found.swept.values()]
    jobs, sweep = len(runs), runs[0].sweep
    product = f"{' × '.join(factors)} = {jobs + found.dropped}" if len(factors) > 1 else f"{jobs + found.dropped}"
    lines = [f"kan-run: {notice}" for notice in found.notices]
    each = list(runs.values())
    gigabytes, seconds = costs.disk_bytes(each) / 1e9, costs.seconds(each, max(1, min(local.processes_of(sweep), jobs)))
    left = f", {jobs} without them" if found.dropped else ""
    lines.append(
        f"kan-run: {product} job{'' if product == '1' else 's'}, {found.dropped} duplicates{left},"
        f" {gigabytes:.2g} GB, about {_duration(seconds)}"
    )
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _check_devices(devices: set[str]) -> None:
    if devices == {"cpu"}:
        return
    with signals.held():
        from kancli import experiment

    for device in sorted(devices):
        experiment.device_of(device)


def _gathered(plan: Plan, run: Callable[[], None]) -> int:
    """Run jobs of a plan, and gather what all its jobs found, whatever happens."""
    with plan.begun():
        try:
            run()
        finally:
            rows = _gather(plan)
    return 0 if all(row.status == "complete" for row in rows) else SWEEP


def _run(plan: Plan, runs: Mapping[int, Settings]) -> None:
    """By processes of this machine."""
    if not runs:
        return
    with counting(len(runs)) as count:

        def told(outcomes: Sequence[Outcome]) -> None:
            count(len(outcomes), sum(each.failure is not None for each in outcomes))

        local.run(plan, runs, next(iter(runs.values())).sweep, told)


def _launch(
    hydra: Hydra, config: DictConfig, plan: Plan, runs: Mapping[int, Settings], task: Callable[[Any], None]
) -> None:
    """By a launcher of Hydra's or others'. What goes wrong in a task shows in what its jobs left, or did not."""
    calls: Callable[[Any], Any] = task
    words = [["hydra.mode=MULTIRUN", *plan.jobs[number].words] for number in runs]  # Hydra's own takes job by job
    with open_dict(config.hydra):
        config.hydra.mode = RunMode.MULTIRUN
        if config.hydra.launcher._target_ != BASIC:
            calls = tasks.Task(plan.folder.absolute(), Path.cwd(), trust())
            words = [tasks.words_of(numbers) for numbers in tasks.batches(runs)]
            config.hydra.sweep.dir = str(plan.folder.absolute())
            print(f"kan-run: {len(words)} task{'s' if len(words) > 1 else ''}", file=sys.stderr)
    callbacks = Callbacks(config)
    callbacks.on_multirun_start(config=config, config_name=CONFIG_NAME)
    context = HydraContext(config_loader=hydra.config_loader, callbacks=callbacks)
    launcher = Plugins.instance().instantiate_launcher(hydra_context=context, task_function=calls, config=config)
    try:
        returns = launcher.launch(words, initial_job_idx=0)
    except Exception as error:  # of the launcher's own: a process or a machine that it lost
        log.warning("%s", one_line(error))
        returns = []
    for number, each in enumerate(returns if calls is not task else []):
        if each.status == JobStatus.FAILED:
            log.warning("task %d: %s", number, one_line(each._return_value))
    shutil.rmtree(plan.folder / tasks.FOLDER, ignore_errors=True)
    callbacks.on_multirun_end(config=config, config_name=CONFIG_NAME)


def _gather(plan: Plan) -> list[Row]:
    """Write and print the table of a sweep."""
    rows = gathering.gather(plan)
    tell(rows)
    if any(row.status not in ENDED for row in rows):
        print(f"kan-run: go on with: kan-run resume {shlex.quote(str(plan.folder))}", file=sys.stderr)
    complete = sum(row.status == "complete" for row in rows)
    print(f"{complete} of {len(rows)} runs complete: {plan.folder}", flush=True)
    return rows


def collect(folders: Sequence[Path], target: Path | None) -> int:
    """Make the table of sweeps anew, from their folders alone.

    Args:
        target: where it goes; None for the sweep's own folder, where there is one only.

    Returns:
        0, or `errors.SWEEP` if a job is not complete.

    Raises:
        ConfigError: a folder holds no runs.
    """
    if target is None and len(folders) > 1:
        raise ConfigError(["collect: of several sweeps; name the folder that the table goes to: -o DIR"])
    target = folders[0] if target is None else target
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([f"-o {target}: cannot be written: {error.strerror}"]) from None
    rows = gathering.collect(folders, target)
    tell(rows)
    complete = sum(row.status == "complete" for row in rows)
    print(f"{complete} of {len(rows)} runs complete: {target}", flush=True)
    return 0 if complete == len(rows) else SWEEP


def tell(rows: Sequence[Row]) -> None:
    """Print the table, and what failed."""
    show(gathering.show(rows), sys.stdout)
    failed = [row for row in rows if row.status not in ("complete", NO_RECORD)]
    for row in failed[:MOST_FAULTS]:
        cause = f": {row.cause}" if row.cause else ""
        print(f"kan-run: {row.status}: {row.folder}{cause}\n  {row.replay}", file=sys.stderr)
    if len(failed) > MOST_FAULTS:
        print(f"kan-run: ... and {len(failed) - MOST_FAULTS} more: summary.json has them all", file=sys.stderr)
