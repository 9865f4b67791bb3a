"""The types of stats.json: what a run writes passes; what no run writes is damage, named by its place."""

import json
from pathlib import Path

import pytest

from kancli.errors import ConfigError
from kancli.runs.stats_schema import parse_stats

PATH = Path("run/stats.json")


@pytest.fixture(scope="module", params=[1, 3])
def text(request, tmp_path_factory):
    """stats.json of a run with every statistic: of a single model, and of an ensemble."""
    from kancli.cli.dispatch import main

    folder = tmp_path_factory.mktemp("stats") / "run"
    words = [f"n_seeds={request.param}", "stats=full", "figures=none", "width=2-3-1", "inputs.n=20"]
    assert main([*words, f"hydra.run.dir={folder}"]) == 0
    return (folder / "stats.json").read_text()


def test_statistics_as_written_pass(text):
    content = json.loads(text)
    stats = parse_stats(PATH, content)
    assert stats.layers == json.loads(text)["layers"]
    assert [verdict.as_json() for verdict in stats.verdicts] == content["verdicts"]
    without = [
        {name: value for name, value in layer.items() if name not in ("nodes", "edges")} for layer in stats.layers
    ]
    assert parse_stats(PATH, {**content, "layers": without, "later": "x"}).verdicts == stats.verdicts  # a blessed file


def lengthen(values):
    """Append a number to the first list below some names."""
    if isinstance(values, list):
        values.append(1.0)
    else:
        lengthen(next(iter(values.values())))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda stats: stats.update(schema=3), "have schema 3; this kancli reads 2"),
        (lambda stats: stats.pop("layers"), "missing required field `layers`"),
        (lambda stats: stats.update(ntk=[]), "got `array` - at `$.ntk`"),
        (lambda stats: stats.update(reasons={"a": 1}), "got `int` - at `$.reasons[...]`"),
        (lambda stats: stats["layers"].append(3), "got `int` - at `$.layers[2]`"),
        (lambda stats: stats["layers"].reverse(), "layer 0 has the number 1"),
        (lambda stats: stats["layers"][1].pop("n_in"), "missing required field `n_in` - at `$[1]`"),
        (lambda stats: stats["layers"][1].update(n_out=0), "the size 3 to 0"),
        (lambda stats: stats["layers"][0].update(off_grid=True), "got `bool` - at `$.layers[0][...]`"),
        (lambda stats: stats["layers"][0]["preacts"].update(rms="big"), "got `str` - at `$.layers[0][...][...]`"),
        (lambda stats: stats["layers"][0]["preacts"].update(rms=[{}]), "got `object` - at `$.layers[0][...][...][0]`"),
        (lambda stats: stats["layers"][0]["nodes"].update(x={"a": {"b": {"c": {}}}}), "got `object` - at `$.layers"),
        (lambda stats: lengthen(stats["layers"][0]["nodes"]), "layer 0 does not have 2 nodes"),
        (lambda stats: lengthen(stats["layers"][1]["edges"]), "layer 1 does not have 3 edges"),
        (lambda stats: stats["verdicts"][0].update(name=None), "got `null` - at `$.verdicts[0].name`"),
        (lambda stats: stats["verdicts"][0].update(statement=3), "got `int` - at `$[0].statement`"),
    ],
)
def test_statistics_of_another_shape_are_damaged(text, change, says):
    stats = json.loads(text)
    change(stats)
    with pytest.raises(ConfigError, match=r"^run/stats\.json: ") as answer:
        parse_stats(PATH, stats)
    assert says in str(answer.value)
