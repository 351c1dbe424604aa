# SPDX-License-Identifier: Apache-2.0
"""Photos, videos and image sequences as one stream of timed, upright RGB frames.

Convention: frames are upright and have square pixels; times are seconds from the first frame of the source; a frame
index counts the frames of the source, whatever range or step is read. Nothing is kept but the frame in hand.
"""

from __future__ import annotations

import os
import queue
import stat
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import MediaError

__all__ = ["Frame", "Media", "MediaInfo", "open_media", "prefetched"]

Image = npt.NDArray[np.uint8]
_SMALLEST = 16  # pixels; a face needs more, and some codecs and detectors fail below this


@dataclass(frozen=True)
class MediaInfo:
    """What is known of a source before it is read.

    Attributes:
        path: as given; for a sequence its folder or pattern.
        kind: "photo", "video" or "sequence".
        width, height: upright frame size in (square) pixels.
        rate: frames per second, the average where it varies; 0 for a photo.
        duration: seconds; 0 for a photo and where the container does not say.
        frame_count: frames in all; for some videos an estimate from the duration; ``None`` where unknown.
        has_sound: whether there is an audio stream.
        rotation: degrees clockwise by which the stored pixels are turned to be upright.
    """

    path: str
    kind: Literal["photo", "video", "sequence"]
    width: int
    height: int
    rate: float
    duration: float
    frame_count: int | None
    has_sound: bool = False
    rotation: int = 0


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        index: number of the frame in the source, from 0.
        time: seconds from the first frame of the source.
        image: (H, W, 3) uint8 RGB, upright, C-contiguous.
    """

    index: int
    time: float
    image: Image


class Media(ABC):
    """An opened source. Reading it twice gives the same frames twice.

    Attributes:
        info: what is known beforehand.
        notes: what went wrong on the way without stopping it ("the file ends early ..."), one line each; complete
            when the last frame has been read.
    """

    info: MediaInfo

    def __init__(self) -> None:
        self.notes: list[str] = []

    def frames(self, start: int = 0, end: int | None = None, step: int = 1) -> Iterator[Frame]:
        """The frames ``start, start + step, ...`` below ``end`` (exclusive), decoded as they are asked for.

        Raises:
            MediaError: the range is empty or not a range, or nothing in it can be decoded.
        """
        if start < 0 or step < 1 or (end is not None and end <= start):
            raise MediaError(
                f"The frame range start={start}, end={end}, step={step} holds no frame; "
                "start counts from 0, end lies after start, step is 1 or more."
            )
        count = self.info.frame_count
        if self.info.kind != "video" and count is not None and start >= count:
            raise MediaError(f"{self.info.path} has {count} frame(s); there is no frame {start}.")
        return self._frames(start, end, step)

    @abstractmethod
    def _frames(self, start: int, end: int | None, step: int) -> Iterator[Frame]: ...

    def expected(self, start: int = 0, end: int | None = None, step: int = 1) -> int | None:
        """How many frames :meth:`frames` should yield, as far as the container tells; for progress only."""
        stop = self.info.frame_count
        if end is not None:
            stop = end if stop is None else min(end, stop)
        return None if stop is None else len(range(start, max(stop, start + 1), step))


def open_media(path: str | os.PathLike[str], *, sequence: bool = False, rate: float = 25.0) -> Media:
    """Open a photo, a video, or an image sequence.

    A sequence is a folder, a pattern (``shot_*.png``, ``shot_%04d.png``, ``shot_####.png``), or, with ``sequence``,
    the first file of a numbered run. A single picture is a photo even where its neighbours are numbered: folders of
    unrelated photos are numbered too.

    Args:
        path: file, folder or pattern; never an address on the network.
        sequence: read the numbered run that starts at this picture.
        rate: frames per second of a sequence, which has no clock of its own.

    Raises:
        MediaError: missing, empty, unreadable, damaged, without pictures, or too small to show a face.
    """
    from .pictures import PhotoFile, PictureSequence, find_sequence, is_pattern, is_picture, numbered_run
    from .video import VideoFile

    name = os.fspath(path)
    try:
        mode = os.stat(name).st_mode  # noqa: PTH116 - the text may be a pattern, not a path
    except FileNotFoundError:
        if is_pattern(name):
            media: Media = PictureSequence(name, find_sequence(name), rate)
            return _checked(media)
        raise MediaError(f"There is no file {name}.") from None
    except (OSError, ValueError) as error:
        raise MediaError(f"Cannot open {name}: {getattr(error, 'strerror', None) or error}.") from error
    file = Path(name)
    if stat.S_ISDIR(mode):
        return _checked(PictureSequence(name, find_sequence(name), rate))
    if not stat.S_ISREG(mode):
        raise MediaError(f"{name} is not a regular file.")
    try:
        with file.open("rb") as stream:
            if not stream.read(1):
                raise MediaError(f"{name} is empty (0 bytes).")
    except OSError as error:
        raise MediaError(f"Cannot read {name}: {error.strerror or error}.") from error
    if not is_picture(file):
        return _checked(VideoFile(file))
    if sequence:
        return _checked(PictureSequence(name, numbered_run(file), rate))
    return _checked(PhotoFile(file))


def _checked(media: Media) -> Media:
    if min(media.info.width, media.info.height) < _SMALLEST:
        size = f"{media.info.width} x {media.info.height}"
        raise MediaError(
            f"{media.info.path} is {size} pixels; a face needs a picture of at least {_SMALLEST} x {_SMALLEST}."
        )
    return media


def prefetched(frames: Iterator[Frame], depth: int = 4) -> Iterator[Frame]:
    """The same frames, decoded ahead in a thread of their own, at most ``depth`` of them waiting.

    An error of the source is raised where its frame would have come. Closing the iterator stops the thread.
    """
    ready: queue.Queue[Any] = queue.Queue(depth)
    stop = threading.Event()

    def offer(item: Any) -> bool:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def read() -> None:
        failure: BaseException | None = None
        try:
            for frame in frames:
                if not offer(frame):
                    break
        except BaseException as error:
            failure = error
        finally:
            close = getattr(frames, "close", None)
            if close is not None:
                close()
            offer(failure)

    thread = threading.Thread(target=read, name="decoder", daemon=True)
    thread.start()
    try:
        while True:
            try:
                item = ready.get(timeout=0.5)  # a wait without an end could not be interrupted on Windows
            except queue.Empty:
                continue
            if not isinstance(item, Frame):
                break
            yield item
        if item is not None:
            raise item
    finally:
        stop.set()
        thread.join()
