"""Output streams: control characters, readers that go away, and full disks."""

import errno
import io
import os
import re

import pytest
from rich.table import Table
from rich.text import Text

from kancli.runs.console import show
from kancli.runs.terminal import OutputStream, clean


@pytest.mark.parametrize("character", ["\x1b", "\r", "\x00", "\x08", "\x7f", "\x9b", "\u202e"])
def test_control_characters_are_replaced_wherever_text_is_printed(character):
    text = f"a{character}[31mb\tc\n"
    assert character not in clean(text)
    assert len(clean(text)) == len(text)
    plain, table = io.StringIO(), io.StringIO()
    print(text, file=OutputStream(plain))
    show([text], OutputStream(table))
    for output in (plain, table):
        assert character not in output.getvalue()
        assert output.getvalue().startswith("a")


def test_text_without_control_characters_is_as_it_was():
    text = "N(0, 1) ±0.5 β₀ 漢字\t🙂\n"
    assert clean(text) == text


def test_output_without_a_reader_is_dropped():
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as pipe:
        stream = OutputStream(pipe)
        for _ in range(3):
            assert stream.write("text" * 10_000) == 40_000
            stream.flush()


def test_output_on_a_full_disk_is_dropped_and_its_error_kept():
    with open("/dev/full", "w") as full:
        stream = OutputStream(full)
        assert stream.error is None
        show(["text" * 10_000], stream)
        stream.flush()
        assert stream.error is not None
        assert stream.error.errno == errno.ENOSPC
        print("more", file=stream, flush=True)


def test_a_narrow_terminal_cuts_no_cell(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    table = Table("when", "folder")
    table.add_row("2026-01-01 00:00", "outputs/2026-01-01/00-00-00-0123abcd")
    out = io.StringIO()
    show([table, 30 * "text "], out)
    row, *text = [line for line in out.getvalue().splitlines() if re.search("[0-9]|text", line)]
    assert "outputs/2026-01-01/00-00-00-0123abcd" in row
    assert all(len(line) <= 40 for line in text)
    assert not re.search(r"\s$", out.getvalue().removesuffix("\n"), re.MULTILINE)


def test_a_table_wider_than_its_terminal_ends_no_line_in_blanks(monkeypatch):
    """Those of a colour neither; the terminal would make lines of them."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    table = Table("when", "what", box=None)
    table.add_row("2026-01-01 00:00", "a", style="yellow")
    table.add_row("2026-01-02 00:00", "b" * 40)
    out = Terminal()
    show([table], out)
    first = out.getvalue().splitlines()[1]
    codes = r"(\x1b\[\d*m)+"
    assert re.fullmatch(rf"{codes} {codes}2026-01-01 00:00.*a{codes}", first)


@pytest.mark.parametrize("is_terminal", [False, True])
def test_a_command_stays_in_one_line(monkeypatch, is_terminal):
    monkeypatch.setenv("COLUMNS", "40")
    command, out = "  kan-run " + 20 * "word ", io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: is_terminal)
    show([Text(command, no_wrap=True), 20 * "word "], out)
    first, *others = [line.rstrip() for line in re.sub("\x1b\\[[0-9;]*m", "", out.getvalue()).splitlines()]
    assert first == command.rstrip()
    assert max(map(len, others)) <= 40
