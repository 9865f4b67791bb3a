"""Recognise how a text file of numbers is written: encoding, comments and separator; `header` has the rest.

What is not beyond doubt is refused with the key that settles it. Nothing here converts the rows: see `text`.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kancli.inputs.cells import decimal_comma, parse_number
from kancli.inputs.formats import SEPARATORS
from kancli.inputs.header import fit_header, has_header, refuse_index
from kancli.inputs.table import Source

HEAD_ROWS = 100
HEAD_CHARACTERS = 2**20
COMMENT = re.compile(r"^[ \t]*[#%].*$", re.MULTILINE)
DECLARATION = re.compile(r"\A\"?sep=(.)\"?[ \t]*$", re.IGNORECASE | re.MULTILINE)  # Excel's first line
# Longest first: the mark of UTF-32 begins with that of UTF-16.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class Dialect:
    """How a text file is written.

    Args:
        body: its rows, without comments and header.
        line: number of lines before the body.
        separator: a name in `SEPARATORS`.
        header: names of the columns, if the file has any.
        n_columns: columns of a row, without an empty last one.
        trailing: whether each row ends with a separator.
        notes: what was left out, and the encoding if it is not UTF-8.
    """

    body: str
    line: int
    separator: str
    header: tuple[str, ...] | None
    n_columns: int
    trailing: bool
    notes: tuple[str, ...]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The cells of each row, with the number of its last line in the file, from 1.

        Raises:
            csv.Error: the quotes of a cell do not match, or it is too long.
        """
        return ((self.line + number, cells) for number, cells in _split(io.StringIO(self.body), self.separator))


def recognise(source: Source) -> Dialect:
    """Recognise the dialect of a text file.

    Raises:
        ConfigError: it holds no rows, or it can be read in two ways.
    """
    text, notes = _decode(source)
    declared, text = _take_declaration(source, text)
    separator = source.options.sep or declared or _find_separator(_head(COMMENT.sub("", _start(text))))
    text, n_comments = _without_comments(text, separator)
    if separator == "blank":
        text = re.sub(r"(?m)^ | $", "", re.sub(r"[ \t]+", " ", text))
    if n_comments:
        notes.append(f"{n_comments} line{'s' * (n_comments > 1)} of comments left out")
    line, rows = _first_rows(source, text, separator)
    header = None
    if has_header(source, line, rows):
        header = tuple(cell.strip() for cell in rows.pop(0))
        text = text.split("\n", line)[-1]
    if not rows:
        source.fail("holds no rows of numbers" + ("" if header is None else ", only a header"))
    trailing = len(rows[0]) > 1 and not any(row[-1].strip() for row in rows)
    n_columns = len(rows[0]) - trailing
    if header is not None:
        header = fit_header(source, header, n_columns, line)
    if source.options.columns is None:
        refuse_index(source, header, [row[:n_columns] for row in rows])
    if trailing:
        notes.append("empty last column left out")
    return Dialect(text, 0 if header is None else line, separator, header, n_columns, trailing, tuple(notes))


def _split(lines: Iterable[str], separator: str, *, keep_empty: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row that is not blank, with the number of its last line, from 1.

    Args:
        keep_empty: whether a row of two or more empty cells counts.
    """
    reader = csv.reader(lines, delimiter=SEPARATORS[separator], skipinitialspace=separator != "tab")
    return (
        (reader.line_num, cells)
        for cells in reader
        if any(cell.strip() for cell in cells) or (keep_empty and len(cells) > 1)
    )


def _decode(source: Source) -> tuple[str, list[str]]:
    content = source.content
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in content[:4096]:
        half = content[:4096].count(b"\0") * 2 >= min(len(content), 4096) - 2
        wide = len(content) > 1 and half and content[:2].count(0) == 1
        like = "text in UTF-16 without its mark; save it as UTF-8" if wide else "it holds NUL bytes"
        source.fail(f"not a text file of numbers in UTF-8: {like}")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if not encoding.startswith("utf-8"):
            source.fail(f"damaged: it begins as text in {encoding.upper()}, and is not")
        row = content.count(b"\n", 0, error.start) + 1
        where = f"row {row} holds byte 0x{content[error.start]:02x}"
        source.fail(f"not a text file in UTF-8: {where}, as Latin-1 or Windows-1252 may; save it as UTF-8")
    if "\0" in text:
        source.fail("not a text file of numbers: it holds NUL bytes")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text, [] if encoding.startswith("utf-8") else [f"encoding {encoding.upper()}"]


def _take_declaration(source: Source, text: str) -> tuple[str | None, str]:
    match = DECLARATION.match(text)
    if match is None:
        return None, text
    names = [name for name, character in SEPARATORS.items() if character == match[1]]
    if not names:
        source.fail(f"row 1 declares the separator {match[1]!r}; allowed: {', '.join(SEPARATORS)}")
    return names[0], text[match.end() :]


def _start(text: str) -> str:
    """The first whole lines of a text."""
    if len(text) <= HEAD_CHARACTERS:
        return text
    start = text[:HEAD_CHARACTERS]
    return start[: start.rfind("\n") + 1] or start


def _head(text: str) -> list[str]:
    """The first lines that are not blank."""
    return list(itertools.islice(filter(str.strip, io.StringIO(text)), HEAD_ROWS + 1))


def _find_separator(head: Sequence[str]) -> str:
    """The separator by which the rows have one width, two or more, and the most numbers."""
    data = head[1:] or head
    best, best_score = "comma", (False, 0.0)
    for name in SEPARATORS:
        lines = [" ".join(line.split()) for line in data] if name == "blank" else data
        try:
            rows = [cells for _, cells in _split(lines, name)]
        except csv.Error:
            continue
        cells = [cell for row in rows for cell in row if cell.strip()]
        if not cells or max(map(len, rows)) < 2:
            continue
        numbers = sum(parse_number(cell) is not None or (name != "comma" and decimal_comma(cell)) for cell in cells)
        score = (len(set(map(len, rows))) == 1, numbers / len(cells))
        if numbers and score > best_score:
            best, best_score = name, score
    return best


def _without_comments(text: str, separator: str) -> tuple[str, int]:
    """The text with blank lines in place of comments, and the number of these."""
    first = COMMENT.search(text)
    if first is None:
        return text, 0
    begin = first.start()
    cells, following = ([*map(str.strip, row)] for row in _rows_around(text, first, separator))
    if cells[0] in ("#", "%") and len(cells) == len(following) > 1:
        begin = first.end()  # it is the header of a table whose first column is called #
    rest, count = COMMENT.subn("", text[begin:])
    return text[:begin] + rest, count


def _rows_around(text: str, comment: re.Match[str], separator: str) -> Iterator[list[str]]:
    """The cells of a comment, and those of the next row."""
    after = _start(text[comment.end() : comment.end() + HEAD_CHARACTERS])
    for line in (comment[0], next(iter(_head(COMMENT.sub("", after))), "")):
        line = " ".join(line.split()) if separator == "blank" else line
        yield next((cells for _, cells in _split([line], separator)), [""])


def _first_rows(source: Source, text: str, separator: str) -> tuple[int, list[list[str]]]:
    """The first rows, and the number of the line at which the first of them ends, from 1."""
    try:
        rows = list(itertools.islice(_split(io.StringIO(text), separator, keep_empty=True), HEAD_ROWS + 1))
    except csv.Error as error:
        source.fail(f"not a text file of numbers ({error})")
    if not rows:
        source.fail("holds no rows of numbers")
    (line, first), *rest = rows
    return line, [first, *(cells for _, cells in rest if any(map(str.strip, cells)))]
