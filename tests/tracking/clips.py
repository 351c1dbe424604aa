# SPDX-License-Identifier: Apache-2.0
"""Real media for the tests: clips encoded on the spot, and where faces come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"
MEDIA = SHARED / "media"
MODEL = MEDIA / "face_landmarker.task"


def shared_file(name: str) -> Path:
    """A file of the shared test media; the test is skipped where it is missing."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path


def portrait() -> np.ndarray:
    """(512, 512, 3) uint8: scikit-image's astronaut, a photo of a real face in the public domain."""
    data = pytest.importorskip("skimage.data")
    return np.ascontiguousarray(data.astronaut())


def numbered_frame(index: int, width: int, height: int) -> np.ndarray:
    """A smooth picture that says its number (below 23) by grey level, and its orientation by colour."""
    image = np.full((height, width, 3), 20 + 9 * (index % 23), dtype=np.uint8)
    image[: height // 4, :, 0] = 230  # the top is red
    image[:, : width // 4, 2] = 230  # the left is blue
    return image


def frame_number(image: np.ndarray) -> int:
    """The number that :func:`numbered_frame` wrote, read from the lower right."""
    height, width = image.shape[:2]
    return round((float(image[height // 2 : -4, width // 2 : -4].mean()) - 20) / 9)


def write_clip(
    path: Path,
    codec: str,
    *,
    count: int = 12,
    width: int = 64,
    height: int = 48,
    pixels: str = "yuv420p",
    rate: int = 25,
    times: Sequence[float] | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    picture: Callable[[int], np.ndarray] | None = None,
    prepare: Callable[[Any], None] = lambda stream: None,
) -> Path:
    """Encode ``count`` frames; ``times`` in seconds make the frame rate variable."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        prepare(stream)
        for i in range(count):
            image = picture(i) if picture else numbered_frame(i, width, height)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[i] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
