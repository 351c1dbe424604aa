# SPDX-License-Identifier: Apache-2.0
"""Small media files with a known content for the Blender tests."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TICKS = 90000  # per second


def write_clip(
    path: Path, size: tuple[int, int] = (160, 96), rate: int = 30, times: Sequence[float] | None = None, *, sound: bool
) -> Path:
    """An H.264 clip of ``size`` (width, height) with pictures at ``times`` seconds and a tone."""
    stamps = np.arange(30) / rate if times is None else np.asarray(times)
    with av.open(str(path), "w") as file:
        video = file.add_stream("libx264", rate=rate)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.codec_context.time_base = Fraction(1, TICKS)
        audio = file.add_stream("aac", rate=44100) if sound else None
        for i, stamp in enumerate(stamps):
            picture = np.full((size[1], size[0], 3), 255 * i // len(stamps), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = round(stamp * TICKS), Fraction(1, TICKS)
            file.mux(video.encode(frame))
        file.mux(video.encode(None))
        if audio is not None:
            tone = np.sin(np.arange(int(stamps[-1] * 44100) + 1024) * 0.06).astype(np.float32)[None]
            wave = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            wave.sample_rate, wave.pts, wave.time_base = 44100, 0, Fraction(1, 44100)
            file.mux(audio.encode(wave))
            file.mux(audio.encode(None))
    return path


def long_sequence(clip: Path, folder: Path, count: int = 400) -> Path:
    """A numbered run of pictures that takes some seconds to read: the first frame of ``clip`` under many names."""
    folder.mkdir()
    with av.open(str(clip)) as container:
        next(container.decode(video=0)).to_image().save(folder / "shot_0000.png")
    for number in range(1, count):
        (folder / f"shot_{number:04d}.png").hardlink_to(folder / "shot_0000.png")
    return folder
