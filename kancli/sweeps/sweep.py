"""What `kan-run -m` and `kan-run resume` do: plan, run, gather."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf

from kancli.config.hydra import compose_sweep, create_hydra, plain_config
from kancli.config.overrides import ResolvedOverrides, literal, parse, parse_and_resolve
from kancli.config.validation import validate
from kancli.errors import SWEEP, ConfigError
from kancli.runs import signals
from kancli.runs.files import unwritable_message
from kancli.runs.folder import check_fresh
from kancli.runs.pool import reuse_pools
from kancli.runs.reader import ENDED
from kancli.sweeps import launch as launching
from kancli.sweeps import search
from kancli.sweeps.costs import count_workers, format_plan
from kancli.sweeps.jobs import MAX_FAULTS, expand, product_of
from kancli.sweeps.objective import objective_names
from kancli.sweeps.plan import MULTIRUN, PLAN, Plan, has_plan, read_plan, write_plan
from kancli.sweeps.planning import make_plan

if TYPE_CHECKING:
    from kancli.config.hydra import Hydra
    from kancli.config.presets import Presets
    from kancli.sweeps.table import Row


def sweep(
    presets: Presets, typed: Sequence[str], task: Callable[[Any], Any], *, dry_run: bool = False
) -> tuple[int, Path]:
    """Plan the product of the values given, freeze the plan, and run it.

    Args:
        task: one job, by Hydra's config, for another launcher than kancli's own.
        dry_run: end with the plan.

    Returns:
        0, or `errors.SWEEP` if a job failed; and the sweep's folder.

    Raises:
        ConfigError: a job's config has faults; nothing was run or written.
    """
    hydra = create_hydra(presets)
    resolved = parse_and_resolve(typed, presets, sweeping=True)
    config = compose_sweep(hydra, resolved)
    if search.is_search(config):
        if dry_run:
            raise ConfigError(["--dry-run: this sweeper decides on its jobs as it goes: there is no plan to show"])
        return _searched(hydra, config, resolved, typed, presets, task), Path(config.hydra.sweep.dir)

    def compose(job: list[str]) -> dict[str, Any]:
        return plain_config(hydra.config_loader.load_sweep_config(config, job))

    product = product_of(resolved, presets)
    with reuse_pools(prestart=0 if dry_run else _ahead(config, len(product.words))):
        found = expand(product, presets, compose)
        plan = make_plan(found, config, typed, presets)
        _check_devices({each.settings.device for each in found.jobs})
        _claim(config)
        write_plan(plan)
        runs = {job.number: each.settings for job, each in zip(plan.jobs, found.jobs, strict=True)}
        print(format_plan(found), file=sys.stderr)
        if dry_run:
            print(f"planned: start it with kan-run resume {plan.folder}", file=sys.stderr)
            print(plan.folder, flush=True)
            return 0, plan.folder
        return _gathered(plan, lambda: launching.start(hydra, config, plan, runs, task)), plan.folder


def _ahead(config: DictConfig, jobs: int) -> int:
    """How many processes may start while the jobs are planned, which takes about as long."""
    workers = config.sweep.workers
    if not launching.is_own(config) or not (workers is None or isinstance(workers, int)):
        return 0
    return min(count_workers(workers), jobs)


def _claim(config: DictConfig) -> None:
    """Make the sweep's folder its own.

    Raises:
        ConfigError: it is there and not empty, or cannot be made.
    """
    folder = Path(config.hydra.sweep.dir)
    check_fresh(folder, "hydra.sweep.dir")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / MULTIRUN).open("x") as file:  # of two sweeps on one folder only one can
            file.write(OmegaConf.to_yaml(config))
    except OSError as error:
        raise ConfigError([unwritable_message(folder, error, "hydra.sweep.dir")]) from None


def _searched(
    hydra: Hydra,
    config: DictConfig,
    resolved: ResolvedOverrides,
    typed: Sequence[str],
    presets: Presets,
    task: Callable[[Any], Any],
) -> int:
    """A sweep whose jobs another sweeper decides on, and its table, whatever happens."""
    search.check(config)
    _claim(config)
    folder = Path(config.hydra.sweep.dir)
    own = search.begin(config, typed, presets).lock() if launching.is_own(config) else contextlib.nullcontext()
    ended = False
    with own:
        try:
            ended = search.search(hydra, config, resolved, presets, task)
        finally:
            with signals.deferred_signals():
                code = _gather_search(folder, config)
                if not ended:
                    print("kan-run: the search did not come to its end", file=sys.stderr)
    return code if ended else SWEEP


def _gather_search(folder: Path, config: DictConfig) -> int:
    if has_plan(folder) and (plan := read_plan(folder)).jobs:
        return _gather(plan)
    if any(folder.glob("**/run.json")):  # of another launcher, which keeps no plan
        from kancli.sweeps import results as gathering

        return print_results(gathering.collect([folder], folder), folder, config.objective)
    for name in (MULTIRUN, PLAN):  # a mistake in the first job leaves nothing, as everywhere
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()
    return SWEEP


def resume(folder: Path, only: str | None, typed: Sequence[str], presets: Presets, task: Callable[[Any], Any]) -> int:
    """Run what is missing of a sweep, from its frozen plan, by the launcher that it had.

    Args:
        only: "failed" for the jobs that failed, or their numbers: "3,7"; None for those that came to no end.
        typed: other values for keys of the section sweep, and Hydra's own, such as hydra/launcher=kancli.
        task: one job, by Hydra's config, for another launcher than kancli's own.

    Returns:
        0, or `errors.SWEEP` if a job failed, now or before.

    Raises:
        ConfigError: there is no such sweep, it is at work, or its config is not to be changed so.
    """
    plan = read_plan(folder)
    plan.check_semantics()
    if not plan.jobs:
        raise ConfigError([f"{folder}: came to no job; start the sweep anew"])
    status = {job.number: plan.status(job) for job in plan.jobs}
    if only is None:
        numbers = [number for number, each in status.items() if each not in ENDED]
    elif only == "failed":
        numbers = [number for number, each in status.items() if each == "failed"]
    else:
        numbers = [number for number in _numbers(only, len(plan.jobs)) if status[number] != "complete"]
    how = _how(typed)
    runs = {}
    for number in numbers:
        settings = plan.settings(plan.jobs[number])
        runs[number] = dataclasses.replace(settings, sweep=dataclasses.replace(settings.sweep, **how))
    print(f"kan-run: {len(numbers)} of {len(plan.jobs)} jobs to do", file=sys.stderr)
    hydra = create_hydra(presets)
    before = [word for word in plan.head["typed"] if word.lstrip("+~").startswith("hydra")]
    again = [word for word in typed if word.lstrip("+~").startswith("hydra")]
    place = f"hydra.sweep.dir={literal(str(folder))}"
    config = compose_sweep(hydra, parse_and_resolve([*before, *again, place], presets, sweeping=True))

    def run() -> None:
        for number in numbers:
            plan.clear(plan.jobs[number])
        launching.start(hydra, config, plan, runs, task)

    with reuse_pools():
        return _gathered(plan, run)


def _how(typed: Sequence[str]) -> dict[str, Any]:
    """The values given for keys of the section sweep.

    Raises:
        ConfigError: one is not legal, or another key is given: the jobs are those that were planned.
    """
    ours = [each for each in parse(typed) if not each.is_hydra_override()]
    faults = [f"{each.input_line}: the jobs are those that were planned; allowed: keys of sweep, such as sweep.timeout"
              for each in ours if not each.key_or_group.startswith("sweep.")]  # fmt: skip
    if faults:
        raise ConfigError(faults)
    given = {each.key_or_group.removeprefix("sweep."): each.value() for each in ours}
    checked = validate({"sweep": given}).sweep
    return {name: getattr(checked, name) for name in given}


def _numbers(only: str, count: int) -> list[int]:
    try:
        numbers = sorted({int(each) for each in only.split(",")})
    except ValueError:
        numbers = [-1]
    if not 0 <= numbers[0] <= numbers[-1] < count:
        raise ConfigError([f"--only {only}: allowed: failed, or numbers of jobs from 0 to {count - 1}, such as 3,7"])
    return numbers


def _check_devices(devices: set[str]) -> None:
    if devices == {"cpu"}:
        return
    with signals.deferred_signals():
        from kancli.runs import experiment

    for device in sorted(devices):
        experiment.device_of(device)


def _gathered(plan: Plan, run: Callable[[], None]) -> int:
    """Run jobs of a plan, and gather what all its jobs found, whatever happens."""
    with plan.lock():
        try:
            run()
        finally:
            with signals.deferred_signals():
                code = _gather(plan)
    return code


def _gather(plan: Plan) -> int:
    """Write and print the table of a sweep, and return the exit code."""
    from kancli.sweeps import results as gathering  # late, with numpy and rich: a mistake is answered without them

    rows = gathering.gather(plan)
    if any(row.status not in ENDED for row in rows):
        print(f"kan-run: go on with: kan-run resume {shlex.quote(str(plan.folder))}", file=sys.stderr)
    return print_results(rows, plan.folder, plan.head["base"].get("objective"))


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
    from kancli.sweeps import results as gathering

    return print_results(gathering.collect(folders, target), target)


def print_results(rows: Sequence[Row], folder: Path, objective: str | Sequence[str] | None = None) -> int:
    """Print the table, what failed, and last how many are complete and where; return the exit code."""
    from kancli.runs.console import show
    from kancli.sweeps import results as gathering
    from kancli.sweeps.table import NO_RECORD

    show(gathering.show(rows, objective_names(objective)), sys.stdout)
    failed = [row for row in rows if row.status not in ("complete", NO_RECORD)]
    for row in failed[:MAX_FAULTS]:
        cause = f": {row.cause}" if row.cause else ""
        print(f"kan-run: {row.status}: {row.folder}{cause}\n  {row.replay}", file=sys.stderr)
    if len(failed) > MAX_FAULTS:
        print(f"kan-run: ... and {len(failed) - MAX_FAULTS} more: summary.json has them all", file=sys.stderr)
    complete = sum(row.status == "complete" for row in rows)
    print(f"{complete} of {len(rows)} runs complete: {folder}", flush=True)
    return 0 if complete == len(rows) else SWEEP
