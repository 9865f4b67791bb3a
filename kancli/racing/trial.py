"""What there is time for in a race, by a trial of a few seconds."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from kancli.errors import ConfigError
from kancli.racing import schedule
from kancli.racing.candidates import Entrants
from kancli.racing.networks import Network, Trainer
from kancli.racing.options import RaceOptions

MARGIN = 0.8  # of the time, that the rounds and the first look of the final are planned for
LEAST_SHARE = 1 / 20  # of the steps, below which a race says too little


@dataclass(frozen=True)
class Start:
    """What a trial says that there is time for."""

    seconds_a_step: Sequence[float]  # of a network, by candidate
    left_out: Sequence[int]  # candidates whose steps take too long
    steps: int  # of the final


def fit_to_time(trainer: Trainer, entrants: Entrants, options: RaceOptions, steps: int) -> Start:
    """Find out by a trial of a few seconds what there is time for.

    Args:
        steps: of the settings.

    Raises:
        ConfigError: too little.
    """
    begin, everyone = time.monotonic(), range(len(entrants.candidates))
    rates = {}
    for batch in trainer.divide([Network(number, 0) for number in everyone for _ in range(schedule.FIRST_SEEDS)]):
        seconds = trainer.seconds_a_step(batch) / len(batch.networks)
        rates |= {network.candidate: seconds for network in batch.networks}
    racing, left_out = entrants.racing, []
    available = MARGIN * 60 * options.minutes - (time.monotonic() - begin)
    needed = _needed(rates, racing, entrants.default, options, steps)
    slow = [racing[place] for place in schedule.too_slow([rates[number] for number in racing])]
    if needed > available and len(racing) - len(slow) >= schedule.FINALISTS:
        left_out, racing = slow, [number for number in racing if number not in slow]
        needed = _needed(rates, racing, entrants.default, options, steps)
    allowed = schedule.fitting_steps(steps, needed, available)
    if is_too_short(allowed, steps):
        minutes = math.ceil((needed / MARGIN + time.monotonic() - begin) / 6) / 10
        raise ConfigError(
            [f"race.minutes={options.minutes:g}: {len(racing)} candidates take about {minutes:g} minutes for {steps}"
             f" steps of the final; give race.minutes={minutes:g}, fewer train.steps, or fewer candidates"]
        )  # fmt: skip
    return Start([rates[number] for number in everyone], left_out, allowed)


def is_too_short(allowed: int, steps: int) -> bool:
    """Whether a final of the steps that the time allows says too little beside one of those of the settings."""
    return allowed < max(LEAST_SHARE * steps, 1)


def _needed(rates: Mapping[int, float], racing: Sequence[int], default: int, options: RaceOptions, steps: int) -> float:
    """Seconds of a race as far as the first look of its final, if those that stay take as long as the others."""
    rate = fmean([rates[number] for number in racing])
    first_look = schedule.plan_looks(options.seeds)[0]
    final = first_look * steps * (schedule.FINALISTS * rate + rates[default])
    return rate * schedule.network_steps(schedule.plan_rounds(len(racing), steps)) + final
