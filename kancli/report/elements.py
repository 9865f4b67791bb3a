"""HTML put together from elements, so that no text gets into it unescaped."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Sequence
from urllib.parse import quote

VOID = ("img", "meta", "rect", "br")


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str | float | bool | None) -> Markup:
    """An element. Children that are no Markup are escaped.

    Args:
        attributes: `class_` is class, `data_copy` is data-copy; None and False leave one out.
    """
    words = [name]
    for key, value in attributes.items():
        if value is not None and value is not False:
            key = key.rstrip("_").replace("_", "-")
            words.append(key if value is True else f'{key}="{html.escape(str(value))}"')
    opened = f"<{' '.join(words)}>"
    return Markup(opened if name in VOID else f"{opened}{together(children)}</{name}>")


def together(children: Iterable[str]) -> Markup:
    """Children one after the other."""
    return Markup("".join(each if isinstance(each, Markup) else html.escape(each) for each in children))


def grid(heads: Sequence[str], rows: Iterable[Sequence[str]], label: str, **attributes: str) -> Markup:
    """A table in a box that scrolls by itself where the page is narrow; the first column heads the rows."""
    head = tag("tr", *(tag("th", each, scope="col") for each in heads))
    body = (tag("tr", tag("th", row[0], scope="row"), *(tag("td", each) for each in row[1:])) for row in rows)
    whole = tag("table", tag("thead", head), tag("tbody", *body), **attributes)
    return tag("div", whole, class_="box", tabindex=0, role="region", aria_label=label)


def link(folder: str) -> str:
    """The address of a folder or file, as seen from the page: always below it, whatever it is called."""
    return "./" + quote(os.fsencode(folder))


def command(text: str) -> Markup:
    """A command with a button that copies it."""
    button = tag("button", "copy", type="button", data_copy=text, aria_label=f"copy {text}")
    return tag("span", tag("code", text), button, class_="command")


def bar(share: float) -> Markup:
    """A share as a bar."""
    rect = tag("rect", width=f"{100 * min(max(share, 0.0), 1.0):.1f}", height=10)
    return tag("svg", rect, class_="bar", viewBox="0 0 100 10", preserveAspectRatio="none", aria_hidden="true")
