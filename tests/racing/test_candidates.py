"""What takes part in a race."""

import pytest

from kancli.errors import ConfigError
from kancli.racing.candidates import compose_entrants

WORDS = ["task=f1", "task.n=60"]


def test_every_law_races_once_by_default(presets):
    entrants = compose_entrants(WORDS, presets)
    names = [candidate.name for candidate in entrants.candidates]
    assert len(names) == len(set(names)) == len(entrants.racing)
    assert names[entrants.default] == "default"
    # At its defaults the fixed variant has the law of efficient_kan; pykan_fit has pykan_0_2_8's, on adapted grids.
    assert set(presets.options("init")) - set(names) == {"efficient_kan_fixed"}
    assert entrants.notices == ["efficient_kan_fixed: the law of efficient_kan here; it is raced once"]
    assert all(candidate.settings.width == (2, 5, 1) for candidate in entrants.candidates)


def test_values_of_other_keys_are_dimensions(presets):
    entrants = compose_entrants([*WORDS, "init=glorot,lecun", "grid=3,5", "width=in-4-out"], presets)
    assert [candidate.name for candidate in entrants.candidates] == [
        "glorot grid=3", "glorot grid=5", "lecun grid=3", "lecun grid=5", "default grid=3"
    ]  # fmt: skip
    assert (entrants.default, entrants.racing) == (4, [0, 1, 2, 3])
    assert [candidate.settings.grid.size for candidate in entrants.candidates] == [3, 5, 3, 5, 3]


def test_knobs_are_left_out_of_schemes_that_lack_them(presets):
    entrants = compose_entrants([*WORDS, "init=default,glorot,lecun", "gain=1.5"], presets)
    assert [candidate.name for candidate in entrants.candidates] == ["default", "glorot", "lecun"]
    assert [word for word in entrants.candidates[0].words if "gain" in word] == []
    assert entrants.candidates[1].settings.init.gain == 1.5


TWO = [*WORDS, "init=default,glorot"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("init=power_law +alpha=0.25,0.75", ["power_law alpha=0.25", "power_law alpha=0.75", "default"]),
        ("init=kat,lecun ++grid=3,5", ["kat grid=3", "kat grid=5", "lecun grid=3", "lecun grid=5", "default grid=3"]),
        ("init=power_law,kat alpha=0.25,0.75", ["power_law alpha=0.25", "power_law alpha=0.75", "kat", "default"]),
        ("init={scheme:glorot,gain:1},{scheme:glorot,gain:2}", ["glorot init={scheme:glorot,gain:1}",
                                                                "glorot init={scheme:glorot,gain:2}", "default"]),
        ("experiment=off_grid width=2-3-1 grid=3,5", ["noisy grid=3", "noisy grid=5", "default grid=3"]),
        ("init.scheme=glorot,lecun", ["glorot", "lecun", "default"]),
        ("+init=glorot,lecun", ["glorot", "lecun", "default"]),
        ("init='glorot','lecun' train.lr=0.1", ["glorot", "lecun", "default"]),
    ],
)  # fmt: skip
def test_names_differ_and_a_default_that_is_not_named_comes_last(presets, words, names):
    entrants = compose_entrants([*WORDS, *words.split()], presets)
    assert [candidate.name for candidate in entrants.candidates] == names
    assert (entrants.default, entrants.default_enters) == (len(names) - 1, False)
    assert [notice for notice in entrants.notices if "raced once" in notice] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["init=default,glorot", "width=2-3-1"], "race: name the task: kan-run race task=data.csv"),
        (["data.csv"], "data.csv: the task is named by its key: task=data.csv"),
        ([*WORDS, "init=glorot"], "race: one candidate, glorot"),
        ([*WORDS, "init=efficient_kan,efficient_kan_fixed"], "race: one candidate, efficient_kan"),
        ([*TWO, "task=f1,f2"], "task=f1,f2: a race is on one task"),
        ([*TWO, "seed=range(3)"], "a race takes its seeds from one"),
        ([*TWO, "n_seeds=4"], "n_seeds=4: race.seeds=20"),
        ([*TWO, "train.steps=5,10"], "all networks of the final make the same steps"),
        ([*TWO, "task.noise=0,1"], "task.noise=0,1: a race is on one task"),
        ([*TWO, "train=none"], "train=none: a race trains"),
        ([*TWO, "model=mlp"], "model: a race is of the initialisations of KANs"),
        ([*TWO, "train.minutes=3"], "a race takes race.minutes"),
        ([*WORDS, "width=3-2-1"], "width=3-2-1: the task"),
        ([*TWO, "hydra/sweeper=optuna"], "optuna"),
    ],
)
def test_mistakes_are_told(presets, words, message):
    with pytest.raises(ConfigError) as caught:
        compose_entrants(words, presets)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3
