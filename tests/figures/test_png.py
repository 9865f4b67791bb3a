"""PNG files: Pillow and matplotlib read the pixels that were written."""

import io

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from kancli.figures.png import BAND, PngCanvas, encode_png


@pytest.mark.parametrize("height", [1, BAND, BAND + 1])
def test_any_pixels_are_read_back(height):
    pixels = np.random.default_rng(0).integers(0, 256, (height, 7, 4), np.uint8)
    image = Image.open(io.BytesIO(encode_png(pixels, 150)))
    assert image.mode == "RGBA"
    assert image.info["dpi"] == pytest.approx((150, 150), abs=0.02)
    assert np.array_equal(np.asarray(image), pixels)
    image.close()
    Image.open(io.BytesIO(encode_png(pixels, 150))).verify()  # the checksums


@pytest.mark.parametrize("options", [{}, {"dpi": 60}, {"facecolor": "red"}, {"transparent": True}])
def test_a_figure_has_the_pixels_that_matplotlib_writes(options):
    images = []
    for canvas in (PngCanvas, FigureCanvasAgg):
        figure = Figure((2, 1.5))
        canvas(figure)
        figure.add_subplot().plot([1, 3, 2])
        file = io.BytesIO()
        figure.savefig(file, format="png", **options)
        images.append(np.asarray(Image.open(file)))
    assert np.array_equal(*images)


def test_metadata_and_options_of_pillow_are_kept(tmp_path):
    figure = Figure()
    PngCanvas(figure)
    figure.savefig(tmp_path / "a.png", metadata={"Title": "a"}, pil_kwargs={"compress_level": 9})
    with Image.open(tmp_path / "a.png") as image:
        assert image.text["Title"] == "a"
