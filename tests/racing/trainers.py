"""Trainers of small networks."""

from kancli.racing.candidates import compose_entrants
from kancli.racing.held_out import divide
from kancli.racing.networks import Trainer

WORDS = ["task=f1", "task.n=50", "task.test_n=40", "width=in-2-out", "train.compile=false", "train.steps=6"]


def train(trainer, batch, steps):
    done = trainer.train(batch, steps, lambda: False)
    assert done is not None
    return done


def trainer_of(presets, *words, steps=6):
    entrants = compose_entrants([*WORDS, *words], presets)
    settings = [candidate.settings for candidate in entrants.candidates]
    return Trainer(settings, divide(settings[0].task, 0.2), steps)
