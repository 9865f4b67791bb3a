"""kan-run explain model=mlp: He's law with its numbers, and the choice of the width."""

import json


def test_the_law_has_the_numbers_of_the_matched_width(kan_run):
    answer = kan_run("explain", "model=mlp", "width=2-8-8-1")
    assert answer.code == 0, answer.err
    assert "arXiv 1502.01852" in answer.out
    assert "MLP 2-27-27-1, silu, He: 865 parameters, 880 of the KAN" in answer.out
    rows = [line.split() for line in answer.out.splitlines() if " weight " in line]
    assert [(row[1], row[-1]) for row in rows] == [("2-27", "1"), ("27-27", "0.272166"), ("27-1", "0.272166")]
    document = json.loads(kan_run("explain", "model=mlp", "--json").out)
    (layer, _) = document["layers"]
    assert layer["laws"]["weight"]["std"] == 1.0
    assert layer["laws"]["bias"] == {"law": "0", "mean": 0.0, "std": 0.0}
    assert layer["budget"] is None
