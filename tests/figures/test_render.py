"""Rendering a figure again gives the same bytes."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kancli.figures import render
from kancli.figures.options import FORMATS
from tests.figures.networks import make_data, plot


def test_equal_figures_give_equal_bytes():
    def digest():
        return hashlib.sha256(render.encode(plot(make_data()), "png", 100)).hexdigest()

    assert digest() == digest()


FILES = """
import hashlib, sys
sys.path.insert(0, {root!r})
from kancli.figures import options, render
from tests.figures.networks import make_data
data = make_data(noise_scale=3.0)
for style in ("light", "dark"):
    figure_options = options.FigureOptions(style=style, title="a title", in_vars=("x", "y"))
    figure = render.plot("network", data, figure_options)
    print(*(hashlib.sha256(render.encode(figure, format, 100)).hexdigest() for format in options.FORMATS))
"""


@pytest.mark.slow
def test_fresh_processes_give_equal_bytes_in_every_format():
    root = str(Path(__file__).parents[2])
    outputs = [
        subprocess.run(
            [sys.executable, "-c", FILES.format(root=root)],
            env={**os.environ, "PYTHONHASHSEED": str(seed), "TZ": zone, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in ((1, "UTC"), (2, "Asia/Tokyo"))
    ]
    assert outputs[0] == outputs[1]
    assert len(set(outputs[0].split())) == 2 * len(FORMATS)
