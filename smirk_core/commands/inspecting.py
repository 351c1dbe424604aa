# SPDX-License-Identifier: Apache-2.0
"""The worker's quick jobs: what a file is, who is in it, what this Python can do. Each returns plain JSON values."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MediaError, SmirkError
from ..progress import Progress, silent

if TYPE_CHECKING:
    from ..tracking.media import Frame, Media

__all__ = ["describe", "examine_engine", "list_faces"]

_LOOKS = 12  # frames that are looked at for faces


def describe(media: str, *, sequence: bool = False) -> dict[str, Any]:
    """What a source is: the fields of :class:`smirk_core.tracking.media.MediaInfo`, and ``in_run``.

    ``in_run`` says whether a picture has numbered neighbours, so that it may be meant as a sequence.

    Raises:
        MediaError: it cannot be read.
    """
    from ..tracking.media import open_media

    opened = open_media(_absolute(media), sequence=sequence)
    return _facts(opened)


def _absolute(media: str) -> str:
    return os.path.abspath(media)  # noqa: PTH100 - may be a pattern


def _facts(opened: Media) -> dict[str, Any]:
    from ..tracking.pictures import is_picture, numbered_run

    path = Path(opened.info.path)
    in_run = False
    if path.is_file() and is_picture(path):
        try:
            in_run = len(numbered_run(path)) > 1
        except MediaError:
            in_run = False
    return {**asdict(opened.info), "in_run": in_run}


def list_faces(
    media: str,
    folder: Path,
    *,
    sequence: bool = False,
    start: int = 0,
    end: int | None = None,
    step: int = 1,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Who is seen in the first frames, the largest first, with a picture of each.

    Args:
        folder: where ``face-1.npy`` …, arrays (128, 128, 3) uint8, go; must exist.
        start, end, step: the frames that a track would read; the first dozen of them are looked at.

    Returns:
        ``media`` as by :func:`describe`, ``frames`` looked at, and ``faces``: for each its ``number`` (``info.face`` of
        the take that it becomes, as long as all faces are tracked), ``box`` (left, top, right, bottom in pixels of the
        frame), ``frame`` of the source where it is largest, ``seen`` in how many frames, ``thumbnail`` (path).

    Raises:
        MediaError: the source cannot be read, or shows no face.
    """
    from ..tracking.face_tracks import select_tracks
    from ..tracking.face_windows import landmark_box
    from ..tracking.live_view import cut_face
    from ..tracking.media import open_media
    from ..tracking.tracker import read_faces

    if not folder.is_dir():
        raise SmirkError(f"There is no folder {folder} for the pictures of the faces.")
    name = _absolute(media)
    facts = _facts(open_media(name, sequence=sequence))
    pictures: dict[int, list[tuple[Any, Any]]] = {}  # frame -> (landmarks, picture) of each face

    def watch(frame: Frame, found: Sequence[Any]) -> None:
        pictures[frame.index] = [(face, cut_face(frame.image, face)) for face in found]

    stop = start + _LOOKS * step
    reading = read_faces(
        name, faces="all", start=start, end=stop if end is None else min(end, stop), step=step, sequence=sequence,
        progress=progress, watch=watch,
    )  # fmt: skip
    faces = []
    for track in select_tracks(reading.tracks, "all"):
        best = int(np.ptp(track.seen_landmarks[:, :, :2], axis=1).prod(axis=1).argmax())
        landmarks, index = track.seen_landmarks[best], int(track.frame_indices[track.seen[best]])
        picture = next(picture for face, picture in pictures[index] if np.array_equal(face, landmarks))
        path = folder / f"face-{len(faces) + 1}.npy"
        np.save(path, np.asarray(picture), allow_pickle=False)
        box = [round(float(v), 1) for v in landmark_box(landmarks)]
        faces.append({
            "number": track.number, "box": box, "frame": index, "seen": len(track.seen), "thumbnail": str(path),
        })  # fmt: skip
    return {"media": facts, "frames": reading.frames, "faces": faces}


def examine_engine() -> dict[str, Any]:
    """What this Python can do: lines for a person, what is missing, and what networks would run on."""
    from ..doctor import examine
    from ..encoder.runtime import encoder_report

    report = examine()
    try:
        engine = encoder_report()
    except (ImportError, SmirkError, OSError) as error:
        engine = f"none: {error}"
    return {
        "python": platform.python_version(),
        "executable": sys.executable,
        "core": str(Path(__file__).resolve().parents[1]),
        "lines": [list(line) for line in report.lines],
        "problems": report.problems,
        "engine": engine,
    }
