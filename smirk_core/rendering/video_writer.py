# SPDX-License-Identifier: Apache-2.0
"""Writes an H.264 .mp4 with exact time stamps and sound; the file appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import av
import av.error
import numpy as np
import numpy.typing as npt

from ..errors import ExportError

__all__ = ["Sound", "VideoWriter", "samples_as_sound", "sound_of"]

Sound = Iterable[tuple[float, Any]]  # (seconds from the start of the output, av.AudioFrame), in order
_CLOCK = Fraction(1, 90000)


class VideoWriter:
    """Context manager around one output file.

    Frames are written under a temporary name in the same folder; leaving the block normally renames it, leaving it
    by an exception (a cancelled run, a full disk) deletes it.

    Args:
        path: the .mp4 to make.
        width, height: even numbers of pixels.
        rate: nominal frames per second; each frame's own time is what counts.
        sound: audio to lay under the pictures.
        quality: x264's constant rate factor, smaller is better and larger.
        preset: x264's preset.

    Raises:
        ExportError: the file cannot be written.
        ValueError: an odd size.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        width: int,
        height: int,
        rate: float,
        *,
        sound: Sound = (),
        quality: int = 20,
        preset: str = "veryfast",
    ) -> None:
        if width % 2 or height % 2 or width < 2 or height < 2:
            raise ValueError(f"H.264 in yuv420p needs even sizes, got {width} x {height}")
        self.path = Path(path)
        self._temporary = ""
        self._sound: Iterator[tuple[float, Any]] = iter(sound)
        self._next = next(self._sound, None)
        self._last = -1
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle, self._temporary = tempfile.mkstemp(dir=self.path.parent, prefix=".", suffix=".part")
            os.close(handle)
            # faststart: players and web pages need not read to the end before they begin.
            options = {"movflags": "faststart"}
            self._container = av.open(self._temporary, "w", format="mp4", options=options)
            nominal = Fraction(rate if rate > 0 else 25.0).limit_denominator(1001)
            video = self._container.add_stream("libx264", rate=nominal)
            self._video = cast(Any, video)
            self._video.width, self._video.height, self._video.pix_fmt = width, height, "yuv420p"
            self._video.options = {"crf": str(quality), "preset": preset}
            self._video.codec_context.time_base = _CLOCK
            # What players assume for pictures of this kind, said aloud so that colours are not guessed.
            self._video.codec_context.color_range = 1
            self._audio: Any = None
            if self._next is not None:
                self._audio = self._container.add_stream("aac", rate=self._next[1].sample_rate)
                self._audio.layout = "stereo" if self._next[1].layout.nb_channels > 1 else "mono"
        except OSError as error:
            self._discard()
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> ExportError:
        return ExportError(f"Cannot write {self.path}: {error.strerror or error}.")

    def _discard(self) -> None:
        if self._temporary:
            with suppress(OSError):
                Path(self._temporary).unlink()

    def write(self, image: npt.NDArray[np.uint8], time: float) -> None:
        """Add the picture (H, W, 3) that is shown from ``time`` (seconds, increasing) on."""
        stamp = max(round(time / _CLOCK), self._last + 1)
        self._last = stamp
        try:
            self._write_sound(time)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = stamp, _CLOCK
            self._container.mux(self._video.encode(frame))
        except OSError as error:
            raise self._failure(error) from error

    def _write_sound(self, until: float) -> None:
        while self._next is not None and self._next[0] <= until:
            time, frame = self._next
            frame.time_base = Fraction(1, frame.sample_rate)
            frame.pts = round(time * frame.sample_rate)
            self._container.mux(self._audio.encode(frame))
            self._next = next(self._sound, None)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            with suppress(Exception):
                self._container.close()
            self._discard()
            return
        try:
            # A little sound beyond the last picture keeps its final word.
            self._write_sound(float(self._last * _CLOCK) + 0.05)
            self._container.mux(self._video.encode(None))
            if self._audio is not None:
                self._container.mux(self._audio.encode(None))
            self._container.close()
            Path(self._temporary).chmod(0o644)
            Path(self._temporary).replace(self.path)
        except OSError as failure:
            self._discard()
            raise self._failure(failure) from failure
        except BaseException:
            self._discard()
            raise


def sound_of(path: str | os.PathLike[str], start: float = 0.0, end: float = float("inf")) -> Sound:
    """The sound of a media file between ``start`` and ``end`` (seconds from its first picture).

    A source without sound, or whose sound cannot be decoded, yields nothing: a preview without sound is better
    than none.
    """
    try:
        with av.open(f"file:{os.fspath(path)}", options={"protocol_whitelist": "file"}) as container:
            if not container.streams.audio or not container.streams.video:
                return
            video = container.streams.video[0]
            first = next((p.pts for p in container.demux(video) if p.pts is not None), 0)
            zero = float((video.start_time if video.start_time is not None else first) * (video.time_base or 0))
            container.seek(0)
            stream = container.streams.audio[0]
            resampler: Any = None
            clock = 0.0
            for frame in container.decode(stream):
                if frame.time is None:
                    continue
                time = frame.time - zero
                if time >= end:
                    return
                if time < start:
                    continue
                if resampler is None:
                    layout = "stereo" if frame.layout.nb_channels > 1 else "mono"
                    rate = frame.sample_rate if frame.sample_rate in (32000, 44100, 48000) else 48000
                    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
                    clock = time - start
                for part in resampler.resample(frame):
                    # Follow the source where it jumps, count samples where it does not: no gaps by rounding.
                    if abs((time - start) - clock) > 0.05:
                        clock = time - start
                    yield clock, part
                    clock += part.samples / part.sample_rate
    except (av.error.FFmpegError, OSError, ValueError):
        return


def samples_as_sound(samples: npt.NDArray[np.floating[Any]], rate: int) -> Sound:
    """Mono samples in -1..1 as sound that starts at 0."""
    block = 1024
    for begin in range(0, len(samples), block):
        piece = np.ascontiguousarray(samples[None, begin : begin + block], dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
        frame.sample_rate = rate
        yield begin / rate, frame
