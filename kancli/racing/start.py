"""Begin a race in a new folder, or go on with one, and write what it leaves: race.json, race.csv, figures/race.png."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from kancli.config.grammar import literal
from kancli.config.identity import identity
from kancli.config.recorded import check_job_words
from kancli.errors import ConfigError, WriteError
from kancli.figures import render as figures
from kancli.figures.options import FigureOptions
from kancli.racing import schedule
from kancli.racing.candidates import NO_FIGURES, Entrants, compose_entrants
from kancli.racing.held_out import divide
from kancli.racing.networks import Trainer
from kancli.racing.options import PREFIX, RaceOptions, split_options
from kancli.racing.output import as_csv, figure_data
from kancli.racing.race import Race
from kancli.racing.reader import read_race
from kancli.racing.result import SCHEMA, CandidateRecord, RaceRecord
from kancli.racing.trial import Start, fit_to_time
from kancli.ranking.words import join
from kancli.regular_files import open_regular
from kancli.runs import signals
from kancli.runs.build import device_of
from kancli.runs.files import unwritable_message, write_below, write_whole
from kancli.runs.fresh import check_fresh
from kancli.runs.hashes import seal
from kancli.runs.json_files import pretty
from kancli.runs.temporaries import remove_abandoned
from kancli.seeding import MAX_SEED, SEMANTICS
from kancli.sweeps.history import RACE
from kancli.sweeps.plan import lock

if TYPE_CHECKING:
    from kancli.config.presets import Presets

KEY = "hydra.sweep.dir"
log = logging.getLogger("kancli")


def begin_race(typed: Sequence[str], presets: Presets) -> tuple[Path, RaceRecord]:
    """Run a race in the folder of hydra.sweep.dir; return the folder and the record, also of one that a signal stopped.

    Raises:
        ConfigError: the words have faults, the data are too few, or the time is too short; nothing was written.
        NonFiniteError: every network diverged.
    """
    options, words = split_options(typed)
    entrants = compose_entrants(words, presets)
    first = entrants.candidates[0].settings
    _check(entrants, options)
    data = divide(first.task, options.validation)
    steps = first.training.steps or 1
    for notice in entrants.notices:
        _say(notice)
    with signals.deferred_signals():
        trainer = Trainer([candidate.settings for candidate in entrants.candidates], data, steps)
        begin = time.monotonic()
        start = fit_to_time(trainer, entrants, options, steps)
        signals.raise_pending()
        record = RaceRecord(
            schema=SCHEMA,
            status="running",
            typed=[word for word in words if not word.lstrip("+~").startswith("hydra")],
            options=options,
            task=first.task.label,
            is_equation=first.task.is_equation,
            samples=data.sizes(),
            untrained={
                use: float(samples.y.square().mean())
                for use, samples in (("validation", data.validation), ("test", data.test))
            },
            steps=steps,
            final_steps=start.steps,
            candidates=_candidate_records(entrants, start, words, presets),
            seconds=time.monotonic() - begin,
            semantics=SEMANTICS,
        )
        check_fresh(entrants.folder, KEY)
        try:
            entrants.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError([unwritable_message(entrants.folder, error, KEY)]) from None
        with lock(entrants.folder, entrants.folder):
            _write_record(entrants.folder, record)
            return entrants.folder, _run(entrants.folder, entrants, trainer, options, record)


def resume_race(folder: Path, typed: Sequence[str], presets: Presets) -> RaceRecord:
    """Go on with a race that was interrupted or killed, after its last round; it ends as if it had not been.

    Args:
        typed: race.minutes=..., for more time.

    Raises:
        ConfigError: the race has ended, is at work, is damaged, or its presets or data have changed.
        NonFiniteError: every network diverged.
    """
    record = read_race(folder)
    options = record.options
    if typed:
        if fixed := [word for word in typed if word.partition("=")[0] != f"{PREFIX}minutes"]:
            raise ConfigError([f"{' '.join(fixed)}: a race goes on as it was; allowed: race.minutes=10"])
        given, _ = split_options(typed)
        options = dataclasses.replace(options, minutes=given.minutes)
    if record.status in ("complete", "failed"):
        raise ConfigError([f"{folder}: the race has ended ({record.status}); start another: kan-run race ..."])
    if record.status == "out of time" and options.minutes <= record.options.minutes:
        more = max(10, 2 * record.options.minutes)
        raise ConfigError([f"{folder}: its time is over; give more: kan-run resume {folder} race.minutes={more:g}"])
    if record.semantics != SEMANTICS:
        raise ConfigError([f"{folder}: begun with semantics {record.semantics}, this kancli has {SEMANTICS} (see"
                           " CHANGELOG.md): start the race again in a new folder"])  # fmt: skip
    check_job_words(record.typed, folder / RACE)
    entrants = compose_entrants([*record.typed, f"{KEY}={literal(str(folder))}"], presets)
    found = [identity(candidate.settings) for candidate in entrants.candidates]
    if found != [candidate.identity for candidate in record.candidates]:
        raise ConfigError([f"{folder}: presets or data have changed since the race began; start it again"])
    data = divide(entrants.candidates[0].settings.task, options.validation)
    trainer = Trainer([candidate.settings for candidate in entrants.candidates], data, record.steps)
    record = dataclasses.replace(record, status="running", options=options)
    with signals.deferred_signals(), lock(folder, folder):
        remove_abandoned(folder / RACE)
        return _run(folder, entrants, trainer, options, record)


def _check(entrants: Entrants, options: RaceOptions) -> None:
    """Check what costs nothing, before anything is computed.

    Raises:
        ConfigError: the folder is not empty, there is no such device, or a seed would be too large.
    """
    first = entrants.candidates[0].settings
    check_fresh(entrants.folder, KEY)
    device_of(first.device)
    if first.seed + schedule.FIRST_SEEDS + options.seeds > MAX_SEED:
        raise ConfigError([f"seed={first.seed}: a race takes the seeds that follow, up to {MAX_SEED}; give a smaller"])


def _run(folder: Path, entrants: Entrants, trainer: Trainer, options: RaceOptions, record: RaceRecord) -> RaceRecord:
    """Run the rounds that are left, and write all files, after an error or a signal too."""
    with _log_file(folder):
        if record.rounds or record.final:
            _say(f"goes on after {len(record.rounds)} rounds{' and a look of the final' if record.final else ''}")
        else:
            _print_plan(options, record)
        race = Race(folder, entrants, trainer, options, record, lambda now: _write_record(folder, now), _say)
        try:
            return race.run()
        finally:
            write_outputs(folder, race.record)
            if race.record.status == "running":
                _say(f"go on with: kan-run resume {shlex.quote(str(folder))}")


def write_outputs(folder: Path, record: RaceRecord) -> list[Path]:
    """Write race.csv and the figure, once a round is done; return the paths of all files.

    Raises:
        WriteError: one cannot be written.
    """
    if not record.rounds and record.final is None:
        return []
    from kancli.figures import race as figure

    options = FigureOptions()
    with figures.matplotlib_cache(folder):
        encoded = figures.encode_all("race", figure.plot(figure_data(record), options), options)
    files = {"race.csv": as_csv(record), **{f"figures/{name}": content for name, content in encoded.items()}}
    for name, content in files.items():
        try:
            write_below(folder, name, content)
        except OSError as error:
            raise WriteError(folder / name, error) from error
    return [folder / name for name in (*files, RACE)]


def _write_record(folder: Path, record: RaceRecord) -> None:
    content = seal(msgspec.to_builtins(record))
    try:
        write_whole(folder / RACE, f"{pretty(content)}\n".encode())
    except OSError as error:
        raise WriteError(folder / RACE, error) from error


def _candidate_records(
    entrants: Entrants, start: Start, typed: Sequence[str], presets: Presets
) -> list[CandidateRecord]:
    options = [] if presets.own is None else ["--config-dir", str(presets.own)]
    unsaid = set() if NO_FIGURES in typed else {NO_FIGURES}
    return [
        CandidateRecord(
            candidate.name,
            shlex.join(["kan-run", *options, *(word for word in candidate.words if word not in unsaid)]),
            identity(candidate.settings),
            number in entrants.racing and number not in start.left_out,
            number in start.left_out,
            start.seconds_a_step[number],
        )
        for number, candidate in enumerate(entrants.candidates)
    ]


def _print_plan(options: RaceOptions, record: RaceRecord) -> None:
    count = sum(candidate.enters for candidate in record.candidates)
    parts = [f"{entry.entrants} of {entry.steps} steps" for entry in schedule.plan_rounds(count, record.final_steps)]
    looks = " or ".join(map(str, schedule.plan_looks(options.seeds)))
    screening = f"{', '.join(parts)}, {schedule.FIRST_SEEDS} seeds each; then " if parts else ""
    if slow := [candidate.name for candidate in record.candidates if candidate.too_slow]:
        _say(f"left out, for steps that take too long for race.minutes={options.minutes:g}: {join(slow)}")
    _say(
        f"{count} candidates: {screening}{schedule.FINALISTS} and the default of {record.final_steps} steps,"
        f" {looks} fresh seeds; at most {options.minutes:g} minutes"
    )
    if record.final_steps < record.steps:
        _say(f"race.minutes={options.minutes:g} allows {record.final_steps} of {record.steps} steps")


def _say(text: str) -> None:
    """Tell how far the race is, on stderr and in run.log."""
    log.info("%s", text)
    print(f"kan-run: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _log_file(folder: Path) -> Iterator[None]:
    """Context manager: the log goes to run.log too.

    Raises:
        ConfigError: it is a pipe, which would wait for a reader, or a link out of the folder.
    """
    if os.path.lexists(folder / "run.log"):
        with open_regular(folder / "run.log"):
            pass
    try:
        handler = logging.FileHandler(folder / "run.log", encoding="utf-8")
    except OSError as error:
        raise WriteError(folder / "run.log", error) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()
