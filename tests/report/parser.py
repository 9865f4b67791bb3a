"""A page parsed as HTML: its elements, its text, its data."""

import json
from html.parser import HTMLParser
from pathlib import Path

VOID = ("meta", "img", "input", "br", "wbr")


class Page(HTMLParser):
    """Parses a page, and asserts that every element is closed."""

    def __init__(self, path):
        super().__init__()
        self.source = Path(path).read_text(encoding="utf-8")
        self.elements = []  # (tag, attributes)
        self.texts = []
        self.raw = {}  # contents of scripts and styles, by type
        self._open = []
        self.feed(self.source)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] in ("script", "style"):
            kind = self.elements[-1][1].get("type", self._open[-1])
            self.raw[kind] = self.raw.get(kind, "") + data
        else:
            self.texts.append(data)

    def attributes(self, name, *tags):
        """Values of an attribute, of all elements or of those with certain tags."""
        return [attributes[name] for tag, attributes in self.elements if name in attributes and tag in (tags or (tag,))]

    @property
    def data(self):
        return json.loads(self.raw["application/json"])

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def report(kan_run, folder="sweep"):
    """Run `kan-run report`, over an earlier page, and parse the page that it writes."""
    done = kan_run("report", str(folder), "--overwrite")
    assert done.code == 0, done.err
    path = done.cwd / done.out.splitlines()[-1]
    assert path == done.cwd / folder / "report.html"
    return Page(path)
