"""Mathematics between dollars in names and titles, as matplotlib sets it; other dollars are drawn as they are."""

from __future__ import annotations

import functools
import math
import re

from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser

PLAIN = r"(?:[^$\\]|\\.)*"  # without a dollar, unless it is escaped
# As in Markdown, no space follows the dollar before or precedes the one after: "$5 and $6" are two prices.
MATH = re.compile(rf"{PLAIN}(?:\$(?!\s){PLAIN}(?<!\s)\${PLAIN})+", re.DOTALL)
CHARACTER_WIDTH = 0.62  # estimated from above, relative to the text size


def is_math(text: str) -> bool:
    """Whether a text holds mathematics that matplotlib can set."""
    return "$" in text and _math_width(text) is not None


def text_length(text: str) -> int:
    """The length of a text in characters of average width."""
    width = _math_width(text) if "$" in text else None
    return len(text) if width is None else math.ceil(width / CHARACTER_WIDTH)


@functools.lru_cache(maxsize=256)
def _math_width(text: str) -> float | None:
    """The width of a text with mathematics, relative to the text size; None if it holds none."""
    if not MATH.fullmatch(text):
        return None
    try:
        width, *_ = MathTextParser("path").parse(text, dpi=72, prop=FontProperties(size=100))
    except (ValueError, RecursionError):  # no mathematics that matplotlib knows
        return None
    return width / 100
