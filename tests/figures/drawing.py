"""The content of a figure as plain data, for golden files: independent of fonts and, up to rounding, of the machine."""

import itertools
import json
from pathlib import Path

import numpy as np
from matplotlib.collections import Collection
from matplotlib.colors import to_rgba_array
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

GOLDEN = Path(__file__).parents[1] / "golden" / "figures.json"
TOLERANCE = 1e-6  # float64 results of other processors and thread counts lie within
NUMBERS = ("box", "points", "values", "colours")


def drawn_data(figure):
    """A record for each panel and artist: its text, and projections of its points, values and colours."""
    records = [_record(artist) for artist in figure.artists]
    for axes in figure.axes:
        titles = [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()]
        scales = [axes.get_xscale(), axes.get_yscale()]
        records.append({"panel": titles, "scales": scales, "box": project(axes.get_position().get_points())})
        records += [_record(artist) for artist in axes.get_children() if _is_content(artist, axes)]
        if (legend := axes.get_legend()) is not None:
            records.append({"legend": [text.get_text() for text in legend.get_texts()]})
    return records


def differences_from_golden(name, figure, rewrite):
    """How a figure differs from its entry in `tests/golden/figures.json`, which `rewrite` replaces first."""
    drawn = drawn_data(figure)
    golden = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
    if rewrite:
        golden[name] = drawn
        GOLDEN.write_text(_format(golden))
    return differences(drawn, golden.get(name, []))


def differences(drawn, golden):
    """Pairs of records that differ by more than rounding; None stands for a missing record."""
    pairs = itertools.zip_longest(drawn, golden)
    return [(record, expected) for record, expected in pairs if not _is_equal(record, expected)]


def _is_equal(record, expected):
    if record is None or expected is None or record.keys() != expected.keys():
        return False
    return all(
        np.allclose(value, expected[key], rtol=TOLERANCE, atol=TOLERANCE) if key in NUMBERS else value == expected[key]
        for key, value in record.items()
    )


def project(values):
    """Count, mean and a weighted mean, which depends on the order. A digest would differ where a last digit does."""
    values = np.ma.filled(np.ma.asarray(values, dtype=float), np.nan).ravel()
    finite = np.nan_to_num(values, nan=-1.0, posinf=-2.0, neginf=-3.0)
    if not len(finite):
        return [0, 0.0, 0.0]
    weighted = finite * np.cos(np.arange(len(finite)))
    return [len(finite), float(f"{finite.mean():.9g}"), float(f"{weighted.mean():.9g}")]


def _is_content(artist, axes):
    """Whether a figure module added the artist; the frame, axes and titles of a panel are matplotlib's own."""
    own = {axes.patch, axes.title, axes._left_title, axes._right_title, *axes.spines.values()}
    return artist not in own and isinstance(artist, (Line2D, Collection, Patch, Text, AxesImage))


def _record(artist):
    record = {"artist": type(artist).__name__}
    if artist.get_gid() is not None:
        record["name"] = artist.get_gid()
    if isinstance(artist, Text):
        style = [artist.get_fontsize(), artist.get_rotation(), artist.get_ha(), artist.get_va()]
        record |= {"text": artist.get_text(), "style": style}
    # Positions in inches, or in the units of the panel.
    base = artist.figure.dpi_scale_trans if artist.axes is None else artist.axes.transData
    record["points"] = project((artist.get_transform() - base).transform(_vertices(artist)))
    if getattr(artist, "get_array", None) and artist.get_array() is not None:
        record["values"] = project(artist.get_array())
    record["colours"] = project(_colours(artist))
    return record


def _vertices(artist):
    if isinstance(artist, Line2D):
        return artist.get_xydata()
    if isinstance(artist, Text):
        return np.array([artist.get_position()], dtype=float)
    if isinstance(artist, AxesImage):
        return np.reshape(artist.get_extent(), (2, 2)).T
    if isinstance(artist, Patch):
        return artist.get_path().vertices
    return np.concatenate([np.zeros((0, 2)), *(path.vertices for path in artist.get_paths())])


def _colours(artist):
    if isinstance(artist, AxesImage):
        return artist.cmap(np.linspace(0, 1, 5))
    if isinstance(artist, (Line2D, Text)):
        return [*to_rgba_array(artist.get_color()).ravel(), 1.0 if artist.get_alpha() is None else artist.get_alpha()]
    parts = (artist.get_facecolor(), artist.get_edgecolor(), np.atleast_1d(artist.get_linewidth()))
    return np.concatenate([np.ravel(part) for part in parts])


def _format(golden):
    """JSON with a line for each record, so that a change of a figure is readable as a diff."""
    figures = []
    for name, records in sorted(golden.items()):
        lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in records)
        figures.append(f"{json.dumps(name)}: [\n{lines}\n]")
    return "{\n" + ",\n".join(figures) + "\n}\n"
