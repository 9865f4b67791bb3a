"""Names of runs: what was typed for them, as far as it differs."""

from kancli.sweeps.names import NamedBy, differing_overrides, run_names


def run(folder, config=None, **overrides):
    return NamedBy(folder, overrides, config or {})


def test_run_names_are_distinct():
    assert run_names([run("0", init="a", seed="1"), run("1", init="b", seed="1")]) == ["init=a", "init=b"]
    assert run_names([run("x"), run("y", grid="3")]) == ["x", "y grid=3"]
    assert run_names([run("x", grid="3"), run("y", grid="3")]) == ["x", "y"]
    assert run_names([]) == []


def test_overrides_of_keys_with_equal_values_name_nothing():
    """A knob by its bare name and a group count as the keys that they set; an experiment may set any."""
    configs = [{"width": [2, 1], "init": {"gain": gain, "beta": 1.0}, "grid": {"size": 5}} for gain in (1.0, 2.0)]
    typed = [
        {"width": "2-1", "init": "glorot", "grid": "coarse", "experiment": "a"},
        {"width": "[2,1]", "init.gain": "2.0", "init.beta": "1.0", "grid.size": "5", "beta": "1.0"},
    ]
    assert differing_overrides(typed, configs) == [{"init": "glorot", "experiment": "a"}, {"init.gain": "2.0"}]
    assert differing_overrides(typed, []) == typed, "without configs all count"
