# SPDX-License-Identifier: Apache-2.0
"""Video files through FFmpeg (PyAV): exact time stamps, display rotation, any codec that FFmpeg decodes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt
import PIL.Image
from av.video.reformatter import VideoReformatter

from ..errors import MediaError
from .media import Frame, Media, MediaInfo

__all__ = ["VideoFile"]

Image = npt.NDArray[np.uint8]
# Playlists and scripts may name further files or addresses; only the file that was asked for is ever opened.
_OPTIONS = {"protocol_whitelist": "file"}
_NOT_A_VIDEO = {"tty", "ansi", "hls", "concat", "applehttp", "dash", "sdp", "rtsp"}
# Titles in odd encodings are no reason to refuse a video; PyAV 19 dropped the argument with the problem.
_LENIENT: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
_FAILURES = (av.error.FFmpegError, OSError, ValueError)
_SEEKABLE = {"mov", "mp4", "matroska", "webm"}  # containers with an index; the others seek by guessing
_GUESSED_DURATION = {"mpeg", "mpegts", "mpegvideo"}  # FFmpeg guesses it from a few time stamps
_SMALL = 64 * 2**20  # bytes; counting the packets of such a file takes no time
_SEEK_FROM = 64  # below this many frames, decoding from the start is as fast as looking for the key frame
_FALLBACK_RATE = 25.0


@dataclass(frozen=True)
class _Turn:
    """How stored pixels become upright ones: quarter turns counter-clockwise, then a mirror left to right."""

    quarters: int
    mirrored: bool

    @property
    def clockwise(self) -> int:
        return (-90 * self.quarters) % 360

    def apply(self, image: Image) -> Image:
        turns = (PIL.Image.Transpose.ROTATE_90, PIL.Image.Transpose.ROTATE_180, PIL.Image.Transpose.ROTATE_270)
        if self.quarters:
            image = np.asarray(PIL.Image.fromarray(image).transpose(turns[self.quarters - 1]))  # faster than NumPy
        return np.ascontiguousarray(image[:, ::-1] if self.mirrored else image)


def _display_turn(frame: av.VideoFrame) -> _Turn:
    """Read the 3x3 display matrix (16.16 fixed point, row vectors: [x y 1] M) that phones write, if there is one.

    To be asked of one frame only: PyAV ties a frame and its side data into a cycle, which keeps the decoded picture in
    memory until the garbage collector comes by.
    """
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return _Turn(0, False)
    a, b, _, c, d, *_ = (v / 65536.0 for v in np.frombuffer(bytes(data), np.int32))
    mirrored = a * d - b * c < 0
    if mirrored:  # undo the mirror in x to be left with a pure rotation
        a, c = -a, -c
    # x' = a x + c y, y' = b x + d y with y down: a turn by atan2(b, a) clockwise on the screen.
    clockwise = round(float(np.degrees(np.arctan2(b, a))) / 90.0)
    return _Turn(-clockwise % 4, mirrored)


class VideoFile(Media):
    """One video stream of a file, streamed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        with self._open() as container:
            stream = _video_stream(container, path)
            first = _first_frame(container, stream)
            if first is None:
                raise MediaError(f"{path} holds a video, but no frame of it can be decoded; the file is damaged.")
            self._turn = turn = _display_turn(first)
            aspect = float(stream.sample_aspect_ratio or 1)
            self._size = (_square_width(first.width, aspect), first.height)
            self._base = first.pts
            rate = float(stream.average_rate or stream.guessed_rate or stream.base_rate or 0)
            duration = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
            if not duration and container.duration:
                duration = container.duration / av.time_base
            self._declared = stream.frames
            self._rate = rate if 0 < rate <= 1000 else _FALLBACK_RATE
            count = stream.frames or (ceil(duration * self._rate - 1e-3) if duration > 0 else None)
            if set(container.format.name.split(",")) & _GUESSED_DURATION and path.stat().st_size < _SMALL:
                count = self._packets() or count
                duration = (count or 0) / self._rate
            width, height = self._size if turn.quarters % 2 == 0 else self._size[::-1]
            self.info = MediaInfo(
                str(path), "video", width, height, self._rate, duration, count,
                has_sound=len(container.streams.audio) > 0, rotation=turn.clockwise,
            )  # fmt: skip

    def _open(self) -> Any:
        try:
            # The prefix keeps a colon in a file name from being read as a protocol.
            container = av.open(f"file:{self._path}", options=_OPTIONS, **_LENIENT)
        except _FAILURES as error:
            raise MediaError(
                f"{self._path} is not a photo or video that can be read, or it is incomplete ({_reason(error)})."
            ) from error
        if set(container.format.name.split(",")) & _NOT_A_VIDEO:
            container.close()
            raise MediaError(f"{self._path} is not a photo or video.")
        return container

    def _packets(self) -> int:
        with self._open() as container:
            try:
                return sum(packet.size > 0 for packet in container.demux(_video_stream(container, self._path)))
            except _FAILURES:
                return 0

    def _start_stamp(self, start: int) -> tuple[int, int] | None:
        """Time stamps of the key frame to seek to and of frame ``start``; ``None``: decode from the beginning."""
        stamps, keys = [], []
        with self._open() as container:
            if not set(container.format.name.split(",")) & _SEEKABLE:
                return None
            try:
                for packet in container.demux(_video_stream(container, self._path)):
                    if packet.size == 0 or packet.is_discard:
                        continue
                    if packet.pts is None:
                        return None
                    stamps.append(packet.pts)
                    keys.append(packet.is_keyframe)
            except _FAILURES:
                return None
        order = np.argsort(stamps, kind="stable")
        known = np.asarray(stamps)[order]
        odd = (np.diff(known) <= 0).any() or (self._declared and self._declared != len(known))
        if odd or self._base != known[0] or start >= len(known):
            return None
        candidates = known[np.asarray(keys)[order] & (known <= known[start])]
        return (int(candidates[-1]), int(known[start])) if len(candidates) else None

    def _frames(self, start: int, end: int | None, step: int) -> Iterator[Frame]:
        time, failed, seen = -1.0 / self._rate, 0, 0
        reformatter = VideoReformatter()
        with self._open() as container:
            for packet_index, frame in self._from(container, start):
                if frame is None:
                    failed += 1
                    continue
                index = packet_index - failed
                if end is not None and index >= end:
                    return
                seen = index + 1
                time = self._time(frame, time)
                if index >= start and (index - start) % step == 0:
                    plain = reformatter.reformat(frame, width=self._size[0], height=self._size[1], format="rgb24")
                    yield Frame(index, time, self._turn.apply(np.asarray(plain.to_ndarray(), dtype=np.uint8)))
        if seen <= start:
            raise MediaError(f"{self._path} has {seen} frame(s); there is no frame {start}.")
        if failed or seen < self._declared - 2:
            declared = f" of {self._declared}" if self._declared else ""
            self.notes.append(f"the file is damaged or ends early: {seen}{declared} frames could be read")

    def _from(self, container: Any, start: int) -> Iterator[tuple[int, Any]]:
        """(index, frame) from frame ``start`` where the container can seek there, else from the first frame."""
        stream = _video_stream(container, self._path)
        stream.thread_type = "AUTO"
        stamps = self._start_stamp(start) if start >= _SEEK_FROM else None
        if stamps:
            container.seek(stamps[0], stream=stream)
            frames = _decoded(container, stream)
            early = (f for f in frames if f is not None and f.pts is not None and f.pts >= stamps[1])
            first = next(early, None)
            if first is not None and first.pts == stamps[1]:
                yield start, first
                yield from enumerate(frames, start + 1)
                return
            container.seek(self._base or 0, stream=stream)
        yield from enumerate(_decoded(container, stream))

    def _time(self, frame: Any, last: float) -> float:
        """Seconds from the first frame; where a stamp is missing or does not increase, one frame after ``last``."""
        if frame.pts is not None and frame.time_base is not None:
            stamped = float((frame.pts - (self._base or 0)) * frame.time_base)
            if stamped > last:
                return max(stamped, 0.0)
        return last + 1.0 / self._rate


def _video_stream(container: Any, path: Path) -> Any:
    for stream in container.streams.video:
        if "attached_pic" not in str(stream.disposition).lower():  # cover art of a song is no video
            return stream
    raise MediaError(f"{path} holds no video stream.")


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Frames in display order; ``None`` for a packet that cannot be decoded. Ends where the file does."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except _FAILURES:
            yield None
            return
        try:
            frames = packet.decode()
        except EOFError:
            return
        except _FAILURES:
            yield None
            continue
        yield from frames


def _first_frame(container: Any, stream: Any) -> Any:
    return next((frame for frame in _decoded(container, stream) if frame is not None), None)


def _square_width(width: int, aspect: float) -> int:
    return width if abs(aspect - 1) < 0.01 or not 0.2 < aspect < 5 else max(round(width * aspect), 1)


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error).rstrip(".")
