"""The states of the networks of a race on disk."""

import numpy as np
import pytest

from kancli.errors import ConfigError
from kancli.racing.networks import Network
from kancli.racing.states import FOLDER, load, remove_states, save
from tests.racing.trainers import train, trainer_of


def test_a_batch_goes_on_from_disk_without_those_that_were_dropped(presets, tmp_path):
    trainer = trainer_of(presets, "init=default,glorot,noisy")
    networks = [Network(candidate, seed) for candidate in (0, 2) for seed in (0, 1)]
    (batch,) = trainer.divide(networks)
    whole, expected = train(trainer, batch, 6)
    half, _ = train(trainer, batch, 3)
    kept = half.select({2})
    assert kept.networks == networks[2:]
    assert half.select({1}) is None
    save(tmp_path, "round0", [kept])
    (loaded,) = load(tmp_path, "round0", [kept.networks])
    done, errors = train(trainer, loaded, 6)
    assert errors.validation == pytest.approx(expected.validation[2:], rel=1e-5)
    assert np.isfinite(errors.test_loss).all()
    _, again = train(trainer, whole, 6)  # at its end already: measured only
    assert (again.validation == expected.validation).all()
    save(tmp_path, "round1", [done])
    remove_states(tmp_path, keep="round1")
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["round1-0.safetensors"]
    with pytest.raises(ConfigError, match=r"round1-0\.safetensors: damaged"):
        load(tmp_path, "round1", [networks])
    (tmp_path / FOLDER / "round1-0.safetensors").write_bytes(b"x")
    with pytest.raises(ConfigError, match="start the race again"):
        load(tmp_path, "round1", [done.networks])
    remove_states(tmp_path)
    assert not (tmp_path / FOLDER).exists()


def test_states_are_removed_below_the_folder_only(tmp_path):
    kept = tmp_path / "elsewhere/precious"
    kept.parent.mkdir()
    kept.touch()
    (tmp_path / "race").mkdir()
    (tmp_path / "race" / FOLDER).symlink_to(kept.parent)
    remove_states(tmp_path / "race")
    assert kept.exists()
