# SPDX-License-Identifier: Apache-2.0
"""Who is who: the faces of every frame joined into tracks with stable identities, and the choice among them.

Faces of neighbouring frames belong together where their boxes do. Shape helps where boxes leave a choice: the
distance between the rigid points of two faces, turned and scaled onto each other. It is a weak cue, measured: the same
person in nearly the same pose differs by less than .02 of the size, different people by .024 and more, but one person
in two far poses by up to .09; so each track keeps faces of several poses, and shape alone joins only what is below .03.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from ..errors import MediaError
from .face_windows import box_overlap, landmark_box
from .observations import LANDMARKS, Observations

__all__ = ["FaceTrack", "TrackBuilder", "select_tracks", "shape_distance"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]

# Points that expressions hardly move: eye corners, nose, forehead, temples.
_RIGID = np.array([
    33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 10, 109, 338, 67, 297, 103, 332, 54, 284, 21, 251,
    162, 389, 127, 356, 234, 454, 129, 358, 55, 285, 9, 8, 151, 107, 336, 46, 276,
])  # fmt: skip
_SAME_SHAPE = 0.03  # joins a face to a track from anywhere in the frame
_OTHER_SHAPE = 0.10  # never the same face, even in another pose
_NEW_POSE = 0.02  # a face this far from all kept ones is kept as well
_GALLERY = 8
_BLOCK = 64  # frames; short tracks are many where a detector errs
_BLINK_OF_A_TRACK = 3  # frames; shorter tracks of a clip are mistakes of the detector


@dataclass(frozen=True)
class FaceTrack:
    """One face over the whole range that was read; only the frames in which it was seen are stored.

    Attributes:
        number: 0 for the face that appears first, from left to right where several do.
        frame_indices: (N,) int, frame numbers in the source, of all frames read.
        times: (N,) float64 seconds.
        seen: (S,) int, positions in the N frames where the face was seen, rising.
        seen_landmarks: (S, 478, 3) float32, full-frame pixels.
        detections: (S,) int, which of all faces passed to :meth:`TrackBuilder.add`, counted from 0, each of them is.
    """

    number: int
    frame_indices: Ints
    times: Floats
    seen: Ints
    seen_landmarks: Floats
    detections: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def landmarks(self) -> Floats:
        """(N, 478, 3) float32, NaN where the face was not seen."""
        if len(self.seen) == len(self.times):
            return self.seen_landmarks
        full = np.full((len(self.times), LANDMARKS, 3), np.nan, dtype=np.float32)
        full[self.seen] = self.seen_landmarks
        return full

    @property
    def visibility(self) -> Floats:
        """(N,) float32, 1 where the face was seen."""
        visibility = np.zeros(len(self.times), dtype=np.float32)
        visibility[self.seen] = 1.0
        return visibility

    @property
    def extent(self) -> float:
        """Size summed over frames (geometric mean of box width and height, pixels): what "largest" goes by."""
        spread = np.ptp(self.seen_landmarks[:, :, :2], axis=1)
        return float(np.sqrt(spread.prod(axis=1)).sum())

    def observations(self, width: int, height: int, detector: str) -> Observations:
        """The track as input of the clip solve; frame size in pixels."""
        return Observations(self.times, self.landmarks, self.visibility, width, height, detector)


def _signature(face: Floats) -> Floats:
    """(42, 3) rigid points, centred, of unit root-mean-square size."""
    points = face[_RIGID].astype(np.float64)
    points -= points.mean(axis=0)
    return points / max(float(np.sqrt((points**2).sum() / len(points))), 1e-9)


def shape_distance(first: Floats, others: Floats) -> Floats:
    """(M,) root-mean-square distances of signature ``first`` (P, 3) to ``others`` (M, P, 3), each turned onto it."""
    product = np.einsum("pi,mpj->mij", first, others) / len(first)
    u, values, vt = np.linalg.svd(product)
    values[:, 2] *= np.sign(np.linalg.det(u @ vt))
    return np.sqrt(np.maximum(2.0 - 2.0 * values.sum(axis=1), 0.0))


@dataclass
class _Open:
    """A track being built."""

    frames: list[int] = field(default_factory=list)
    detections: list[int] = field(default_factory=list)
    blocks: list[Floats] = field(default_factory=list)  # (_BLOCK, 478, 3) each: memory goes back piece by piece
    gallery: list[Floats] = field(default_factory=list)

    @property
    def last(self) -> Floats:
        """(478, 3) where it was seen last."""
        return self.blocks[-1][(len(self.frames) - 1) % _BLOCK]

    def stacked(self) -> Floats:
        """(S, 478, 3) all of it; the blocks are given up on the way."""
        out = np.empty((len(self.frames), LANDMARKS, 3), dtype=np.float32)
        for start in range(len(self.frames) // _BLOCK * _BLOCK, -1, -_BLOCK):
            if start < len(out):
                out[start : start + _BLOCK] = self.blocks.pop()[: len(out) - start]
        return out

    def add(self, frame: int, face: Floats, crowded: bool, detection: int) -> None:
        if len(self.frames) % _BLOCK == 0:
            self.blocks.append(np.empty((_BLOCK, LANDMARKS, 3), dtype=np.float32))
        self.blocks[-1][len(self.frames) % _BLOCK] = face
        self.frames.append(frame)
        self.detections.append(detection)
        # With one face in the picture its shape matters only when it comes back: a look now and then is enough.
        if crowded or len(self.frames) % 10 == 1:
            mark = _signature(face)
            if not self.gallery or shape_distance(mark, np.array(self.gallery)).min() > _NEW_POSE:
                if len(self.gallery) == _GALLERY:
                    self.gallery.pop(1)  # the oldest but the first
                self.gallery.append(mark)


class TrackBuilder:
    """Joins faces into tracks, one frame at a time; memory grows only with the landmarks kept."""

    def __init__(self) -> None:
        self._indices: list[int] = []
        self._times: list[float] = []
        self._tracks: list[_Open] = []
        self._detections = 0

    def __len__(self) -> int:
        return len(self._times)

    @property
    def any_face(self) -> bool:
        """Whether a face has been seen yet."""
        return bool(self._tracks)

    def add(self, index: int, time: float, faces: Sequence[Floats]) -> None:
        """The faces of the next frame, each (478, 3) in full-frame pixels."""
        frame = len(self._times)
        self._indices.append(index)
        self._times.append(time)
        cost = self._costs(frame, time, faces)
        rows, columns = linear_sum_assignment(np.minimum(cost, 1e6))
        taken = {int(c): int(r) for r, c in zip(rows, columns, strict=True) if np.isfinite(cost[r, c])}
        for i in sorted(range(len(faces)), key=lambda i: float(faces[i][:, 0].mean())):
            if i not in taken:
                self._tracks.append(_Open())
            track = self._tracks[taken[i]] if i in taken else self._tracks[-1]
            track.add(frame, faces[i], len(faces) > 1, self._detections + i)
        self._detections += len(faces)

    def _costs(self, frame: int, time: float, faces: Sequence[Floats]) -> Floats:
        """(T, F) cost of continuing each track with each face; infinite where it cannot be the same."""
        cost = np.full((len(self._tracks), len(faces)), np.inf)
        for t, track in enumerate(self._tracks):
            box = landmark_box(track.last)
            size = float(np.sqrt((box[2] - box[0]) * (box[3] - box[1]))) + 1e-9
            gap = frame - 1 - track.frames[-1]
            seconds = time - self._times[track.frames[-1]] if gap else 0.0
            for f, face in enumerate(faces):
                place = landmark_box(face)
                away = float(np.hypot(*(place[:2] + place[2:] - box[:2] - box[2:]))) / (2 * size)
                grown = abs(float(np.log(np.prod(place[2:] - place[:2]) ** 0.5 / size)))
                near = box_overlap(box, place) > 0.1 or away < 0.6
                if gap == 0 and near and len(faces) == 1 and len(self._tracks) == 1:
                    cost[t, f] = away
                    continue
                shape = float(shape_distance(_signature(face), np.array(track.gallery)).min())
                if gap == 0:
                    fits = near or (away < 2.0 and grown < 0.5 and shape < _SAME_SHAPE)
                else:
                    close_by = away < 0.7 + seconds and grown < 0.7 and seconds < 2.0
                    fits = shape < _SAME_SHAPE or (close_by and shape < _OTHER_SHAPE)
                if fits:
                    cost[t, f] = away + grown + 10 * shape + (0.5 if gap else 0.0)
        return cost

    def finish(self) -> list[FaceTrack]:
        """All tracks over the whole range, in the order of their numbers; nothing can be added any more."""
        indices, times = np.array(self._indices, dtype=np.int64), np.array(self._times, dtype=np.float64)
        out = []
        for number, track in enumerate(self._tracks):
            frames, detections = (np.array(v, dtype=np.int64) for v in (track.frames, track.detections))
            out.append(FaceTrack(number, indices, times, frames, track.stacked(), detections))
        return out


def select_tracks(tracks: Sequence[FaceTrack], faces: str | int = "largest") -> list[FaceTrack]:
    """The tracks that are meant, the largest first.

    Args:
        tracks: all tracks of a source.
        faces: "largest", "all", or how many of the largest (a number, or its text). Tracks of one or two frames of a
            clip are left out unless there is nothing else.

    Raises:
        MediaError: ``faces`` is none of these.
    """
    count = wanted_faces(faces)
    order = sorted(tracks, key=lambda track: -track.extent)
    lasting = [t for t in order if len(t.seen) >= min(_BLINK_OF_A_TRACK, len(t.times))]
    return (lasting or order)[:count]


def wanted_faces(faces: str | int) -> int | None:
    """``faces`` of the command line as a number; ``None`` for all.

    Raises:
        MediaError: it is neither "largest", "all" nor a number above 0.
    """
    text = str(faces).strip().lower()
    if text == "all":
        return None
    if text == "largest":
        return 1
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise MediaError(f"Faces is 'largest', 'all' or a number above 0, not '{faces}'.")
