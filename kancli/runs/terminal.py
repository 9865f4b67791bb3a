"""Output streams: control characters are replaced; a reader that goes away or a full disk does not stop the work."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from typing import IO, Any

# All of C0 but tab and line feed, DEL and C1, and the marks that turn the direction of text.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Replace control characters, which could move the cursor or hide text, by visible ones."""
    return CONTROL.sub(lambda match: _picture(ord(match[0])), text)


def _picture(code: int) -> str:
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


class OutputStream:
    """A text stream for users.

    Text from records and files may hold control characters; `write` replaces them. Once the reader of a pipe has gone,
    or the disk is full, the rest goes nowhere: the work is finished first.
    """

    def __init__(self, stream: Any, *, filtered: bool = True) -> None:
        self._stream, self._filtered = stream, filtered
        self._errors: list[OSError] = []

    @property
    def error(self) -> OSError | None:
        """Why output was lost; None if none was, or if its reader did not want it."""
        return next((error for error in self._errors if not isinstance(error, BrokenPipeError)), None)

    def unfiltered(self) -> OutputStream:
        """The stream for a console that writes control characters of its own."""
        stream = OutputStream(self._stream, filtered=False)
        stream._errors = self._errors
        return stream

    def write(self, text: str) -> int:
        with self._lossy():
            self._stream.write(clean(text) if self._filtered else text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with self._lossy():
            self._stream.flush()

    @contextlib.contextmanager
    def _lossy(self) -> Iterator[None]:
        """Context manager: where the stream cannot be written, this and all later output goes to the null device."""
        try:
            yield
        except OSError as error:
            self._errors.append(error)
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def unfiltered(stream: IO[str]) -> IO[str]:
    """The stream for a console that writes control characters of its own."""
    return stream.unfiltered() if isinstance(stream, OutputStream) else stream  # pyright: ignore[reportReturnType]
