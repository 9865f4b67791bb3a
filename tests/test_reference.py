"""The reference's six cases against the baselines in `outputs/reference`: parameters to the bit, statistics up to the
rounding of another machine's float32. `KANCLI_REWRITE=1` writes baselines and pictures anew."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from kancli import experiment, figures
from kancli.compose import draft
from kancli.config import validate
from kancli.figures import compare
from kancli.figures.scene import Scene
from kancli.run_folder import pretty

FOLDER = Path(__file__).parents[1] / "outputs" / "reference"
CASES = ("default", "linear", "noisy", "very_noisy", "symmetric", "asymmetric")


def computed(case, presets):
    return experiment.compute(validate(draft([f"init={case}"], presets).config))


def scene(result):
    laws = experiment.laws_of(result.settings, result.model)
    return Scene(result.shown, result.scopes, result.stats, result.activations, laws)


def baseline(result):
    parameters = {
        name: hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()
        for name, tensor in result.parameters().items()
    }
    return {"parameters": parameters, "stats": result.stats}


@pytest.mark.parametrize("case", CASES)
def test_the_case_is_what_it_was(case, presets):
    result = computed(case, presets)
    found, path = baseline(result), FOLDER / f"{case}.json"
    if os.environ.get("KANCLI_REWRITE") == "1":
        path.write_text(pretty(found) + "\n")
        figure = figures.draw("network", scene(result), figures.Figures(in_vars=("x", "y"), title=case))
        (FOLDER / f"{case}.png").write_bytes(figures.encode(figure, "png", 110))
    wanted = json.loads(path.read_text())
    assert found["parameters"] == wanted["parameters"]
    differ = list(differences(json.loads(json.dumps(found["stats"])), wanted["stats"], "stats"))
    assert not differ


def differences(found, wanted, path):
    """Where two trees of plain values differ by more than rounding."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for name in {**wanted, **found}:
            yield from differences(found.get(name), wanted.get(name), f"{path}.{name}")
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (one, other) in enumerate(zip(found, wanted)):
            yield from differences(one, other, f"{path}[{number}]")
    elif isinstance(wanted, float) and isinstance(found, (int, float)):
        if found != pytest.approx(wanted, rel=1e-3, abs=1e-6):
            yield path, found, wanted
    elif found != wanted:
        yield path, found, wanted


def test_the_plate_shows_the_six(presets):
    runs = [(case, scene(computed(case, presets))) for case in CASES]
    figure = compare.draw(runs, figures.Figures(in_vars=("x", "y"), out_vars=("f",)))
    if os.environ.get("KANCLI_REWRITE") == "1":
        (FOLDER / "plate.png").write_bytes(figures.encode(figure, "png", 75))
    titles = [each.get_text() for each in figure.artists if hasattr(each, "get_text")]
    assert [each for each in titles if each in CASES] == list(CASES)
    assert (FOLDER / "plate.png").read_bytes()[:4] == b"\x89PNG"


def test_a_change_would_be_seen():
    wanted = {"a": [1.0, 2.0], "b": {"c": None}}
    assert not list(differences({"a": [1.0, 2.0001], "b": {"c": None}}, wanted, ""))
    assert [path for path, *_ in differences({"a": [1.0, 2.1], "b": {"c": 3}, "d": 1}, wanted, "")] == [
        ".a[1]", ".b.c", ".d",
    ]  # fmt: skip
