# SPDX-License-Identifier: Apache-2.0
"""The first half of the pipeline: the faces of every frame of a source, joined into tracks, and their crops encoded."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import Cancelled, MediaError
from ..progress import Progress, silent
from .crop_encoder import CropEncoder, EncodedFaces
from .face_tracks import FaceTrack, TrackBuilder, wanted_faces
from .faces import create_detector
from .media import Frame, MediaInfo, open_media, prefetched
from .plain_detector import create_plain_detector

if TYPE_CHECKING:
    from ..encoder.runtime import Encoder

__all__ = ["Reading", "Watcher", "read_faces"]

Floats = npt.NDArray[np.floating[Any]]
Watcher = Callable[[Frame, Sequence[Floats]], None]  # a frame and the (478, 3) landmarks of each face in it
_READING = "Reading faces"
_CROWD = 10  # faces followed at most where all are wanted
_FEW = 4  # faces followed at least, so that the largest over the whole clip is known


@dataclass(frozen=True)
class Reading:
    """The faces of a source.

    Attributes:
        info: the source.
        tracks: all faces seen, over the frames read.
        detector: name of the detector.
        frames: how many frames were read.
        notes: what went wrong without stopping it, one line each.
        stopped: whether reading was cancelled half way.
        encoded: what the encoder said of all faces, in the order of ``FaceTrack.detections``.
    """

    info: MediaInfo
    tracks: tuple[FaceTrack, ...]
    detector: str
    frames: int
    notes: tuple[str, ...]
    stopped: bool = False
    encoded: EncodedFaces | None = None


def read_faces(
    path: str | os.PathLike[str],
    *,
    faces: str | int = "largest",
    start: int = 0,
    end: int | None = None,
    step: int = 1,
    detector: str = "auto",
    sequence: bool = False,
    progress: Progress = silent,
    watch: Watcher | None = None,
    encoder: Encoder | None = None,
    plain: bool = False,
) -> Reading:
    """Find the faces in every frame of a source. Arguments as for
    :func:`smirk_core.tracking.tracker.track`.

    With an encoder, crops of all faces go through it. ``plain``: look at every frame alone, as SMIRK's demo does.

    A first ``Cancelled`` or Ctrl-C ends the reading and keeps what has been read.

    Raises:
        MediaError: the source cannot be read, or shows no face.
        Cancelled: stopped before a face was seen.
        AssetError: the detector cannot be made.
    """
    count = wanted_faces(faces)
    media = open_media(path, sequence=sequence)
    frames = media.frames(start, end, step)
    total = media.expected(start, end, step)
    builder = TrackBuilder()
    capacity = _CROWD if count is None else max(count, _FEW)
    stopped: BaseException | None = None
    remarks: tuple[str, ...] = ()
    if plain:
        finder = create_plain_detector(detector, _CROWD if count is None else count)
        remarks = finder.notes
    else:
        finder = create_detector(
            detector, max_faces=capacity, video=media.info.kind != "photo", enough=capacity if count is None else count
        )
    with finder, contextlib.ExitStack() as stack:
        crops = None if encoder is None else stack.enter_context(contextlib.closing(CropEncoder(encoder)))
        source = prefetched(frames)
        try:
            progress(_READING, 0, total)
            for frame in source:
                found = finder.detect(frame.image)
                builder.add(frame.index, frame.time, found)
                if crops is not None:
                    crops.add(frame.image, found)
                if watch is not None:
                    watch(frame, found)
                progress(_READING, len(builder), total)
        except (Cancelled, KeyboardInterrupt) as error:
            stopped = error
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()
        encoded = None if crops is None else crops.finish()
    notes = [*media.notes, *remarks]
    if stopped is not None:
        if not builder.any_face:
            raise stopped
        of = f" of {total}" if total and total >= len(builder) else ""
        notes.append(f"cancelled after {len(builder)}{of} frames")
    elif not builder.any_face:
        where = "the picture" if len(builder) == 1 else f"any of the {len(builder)} frames"
        raise MediaError(f"No face was found in {where} of {os.fspath(path)}.")
    elif total != len(builder):
        progress(_READING, len(builder), len(builder))
    return Reading(
        media.info, tuple(builder.finish()), finder.name, len(builder), tuple(notes), stopped is not None,
        encoded,
    )  # fmt: skip
