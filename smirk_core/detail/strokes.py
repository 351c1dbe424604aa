# SPDX-License-Identifier: Apache-2.0
"""Lines on the surface of a face: kinds of strokes as data, and how they are laid on the skin.

An anchor is (landmark, right, up): a MediaPipe landmark of the subject's left half, moved by millimetres to the
subject's left and up, in the picture plane of a head that looks at the viewer. Everything is laid on the skin after
that, so lines survive another UV map and another mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Anchor", "Fan", "Folds", "Pits", "Profile", "Stroke", "lay"]

Floats = npt.NDArray[np.floating[Any]]
Anchor = tuple[int, float, float]
STEP = 1.0  # mm between the points of a laid line


@dataclass(frozen=True)
class Profile:
    """The cross-section of a fold, in millimetres.

    Attributes:
        depth: of the valley below the skin.
        width: half of the valley's width where it has a third of its depth.
        rise: height of the shoulders on either side.
        reach: distance of the shoulders' tops from the valley.
        lean: -1..1, how much of the shoulders stands on one side alone: +1 on the left of a walk along the line.
    """

    depth: float
    width: float
    rise: float
    reach: float
    lean: float = 0.0


@dataclass(frozen=True)
class Folds:
    """Lines that run between two boundaries, the first on ``low``, the last on ``high``.

    Attributes:
        low, high: anchors along the first and the last line.
        count: lines; ``minor``: fainter ones in between.
        profile: of each of them.
        fade: share of a line's length over which it grows at its beginning and fades at its end.
        cut: largest share that is taken away at random from either end.
        wobble: millimetres by which a line wanders.
        fork: chance that a line splits towards its end.
        whole: lines go on to their mirror image on the other half; the anchors are half a line from the middle.
    """

    low: tuple[Anchor, ...]
    high: tuple[Anchor, ...]
    count: int
    profile: Profile
    minor: int = 0
    fade: tuple[float, float] = (0.2, 0.3)
    cut: float = 0.15
    wobble: float = 0.5
    fork: float = 0.0
    whole: bool = False


@dataclass(frozen=True)
class Fan:
    """Lines that walk straight over the skin from places between two anchors.

    Attributes:
        starts: first and last place to start from.
        angles: degrees of the first and the last line in the picture plane, 0 to the subject's left, 90 up.
        lengths: millimetres, shortest and longest.
        bend: degrees by which a line turns, to its left, over its length.
        count, profile, minor, fade, wobble, fork: as in :class:`Folds`.
    """

    starts: tuple[Anchor, Anchor]
    angles: tuple[float, float]
    lengths: tuple[float, float]
    count: int
    profile: Profile
    bend: float = 0.0
    minor: int = 0
    fade: tuple[float, float] = (0.2, 0.45)
    wobble: float = 0.4
    fork: float = 0.0


@dataclass(frozen=True)
class Pits:
    """Dimples at random in an oval of skin: the orange peel of a tensed chin.

    Attributes:
        centre: its middle; ``size``: its half axes in millimetres.
        count, depth, radius: of the pits, in number and millimetres.
    """

    centre: Anchor
    size: tuple[float, float]
    count: int
    depth: float
    radius: float


@dataclass(frozen=True)
class Stroke:
    """A line as laid: P points about :data:`STEP` apart.

    Attributes:
        points: (P, 3) metres, on the template.
        weight: (P,) 0..1, how deep the line is there.
        profile: its cross-section.
        side: +1, or -1 for the mirror image, whose lean is mirrored as well.
    """

    points: Floats
    weight: Floats
    profile: Profile
    side: float


@dataclass(frozen=True)
class Skin:
    """What lines are laid on: (M, 3) metres and unit normals of vertices of the face, and the landmarks (478, 3)."""

    points: Floats
    normals: Floats
    landmarks: Floats

    def onto(self, places: Floats) -> Floats:
        """(P, 3) the places moved along the normals onto the skin, by the planes of the four nearest vertices."""
        square = (self.points**2).sum(axis=1)[None] - 2 * places @ self.points.T
        near = np.argpartition(square, 4, axis=1)[:, :4]
        offset = places[:, None] - self.points[near]
        distance = (offset**2).sum(axis=2)
        weight = 1.0 / (distance + 1e-8)
        weight /= weight.sum(axis=1, keepdims=True)
        height = (offset * self.normals[near]).sum(axis=2)
        return places - ((weight * height)[..., None] * self.normals[near]).sum(axis=1)

    def normal_at(self, places: Floats) -> Floats:
        """(P, 3) normal of the nearest vertex."""
        square = (self.points**2).sum(axis=1)[None] - 2 * places @ self.points.T
        return self.normals[square.argmin(axis=1)]

    def anchor(self, anchor: Anchor, side: float) -> Floats:
        """(3,) metres; side -1 mirrors."""
        point = self.landmarks[anchor[0]] + 1e-3 * np.array([anchor[1], anchor[2], 0.0])
        return point * [side, 1.0, 1.0]


def lay(stroke: Folds | Fan, skin: Skin, side: float, rng: np.random.Generator) -> list[Stroke]:
    """The lines of a spec, laid on the skin; ``side`` -1 mirrors the spec (not the chance in it)."""
    laid = []
    total = stroke.count + stroke.minor
    # Minor lines lie between the others; where there is one line only, they lie beside it.
    main = np.linspace(0, 1, stroke.count) if stroke.count > 1 else np.array([0.5])
    between = (main[1:] + main[:-1]) / 2 if stroke.count > 1 else np.array([0.1, 0.9])
    places = [*main, *(between[k % len(between)] for k in range(stroke.minor))]
    for k in range(total):
        minor = k >= stroke.count
        at = float(np.clip(places[k] + rng.normal(0, 0.05 if total > 1 else 0), 0, 1))
        points = _fold(stroke, skin, side, at) if isinstance(stroke, Folds) else _ray(stroke, skin, side, at, rng)
        points = _wander(points, skin, stroke.wobble, rng)
        if isinstance(stroke, Folds):
            cut = rng.uniform(0, 1, 2) * (stroke.cut + 0.3 * minor)
            points = points[int(cut[0] * len(points)) : len(points) - int(cut[1] * len(points))]
        if len(points) < 4:
            continue
        depth = rng.uniform(0.25, 0.45) if minor else rng.uniform(0.75, 1.0)
        weight = depth * _fades(len(points), stroke.fade) * _uneven(len(points), rng)
        profile = stroke.profile
        if minor:  # thin skin between the folds: shallow, narrow, no shoulders to speak of
            profile = Profile(profile.depth, 0.75 * profile.width, 0.5 * profile.rise, 0.6 * profile.reach, 0.0)
        laid.append(Stroke(points, weight, profile, side))
        if rng.uniform() < stroke.fork and len(points) > 12:
            laid.append(_branch(laid[-1], skin, rng))
    return laid


def _fold(spec: Folds, skin: Skin, side: float, at: float) -> Floats:
    low, high = (np.stack([skin.anchor(a, side) for a in line]) for line in (spec.low, spec.high))
    path = (1 - at) * low + at * high
    if spec.whole:
        other = path[::-1] * [-1.0, 1.0, 1.0]
        path = np.concatenate([other[:-1], path] if abs(path[0, 0]) < 1e-3 else [other, path])
    return _resampled(skin.onto(_resampled(_smooth_path(path))))


def _ray(spec: Fan, skin: Skin, side: float, at: float, rng: np.random.Generator) -> Floats:
    first, last = (skin.anchor(a, side) for a in spec.starts)
    angle = np.radians(spec.angles[0] + at * (spec.angles[1] - spec.angles[0]) + rng.normal(0, 2.5))
    heading = np.array([side * np.cos(angle), np.sin(angle), 0.0])
    place = skin.onto(((1 - at) * first + at * last)[None])[0]
    length = rng.uniform(*spec.lengths)
    turn = side * np.radians(spec.bend) / max(length, 1.0) * STEP
    path = [place]
    for _ in range(int(length / STEP)):  # a handful of points; every one stands on the one before
        normal = skin.normal_at(place[None])[0]
        heading = heading - (heading @ normal) * normal
        heading /= np.linalg.norm(heading)
        heading = np.cos(turn) * heading + np.sin(turn) * np.cross(normal, heading)
        place = skin.onto((place + 1e-3 * STEP * heading)[None])[0]
        path.append(place)
    return _resampled(np.stack(path))


def _branch(line: Stroke, skin: Skin, rng: np.random.Generator) -> Stroke:
    """A fainter line that leaves another one past its middle."""
    begin = int(len(line.points) * rng.uniform(0.3, 0.6))
    path = line.points[begin : begin + int(rng.uniform(10, 28))].copy()
    normal = skin.normal_at(path)
    along = np.gradient(path, axis=0)
    across = np.cross(normal, along)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    # Away like a railway switch, then alongside.
    count = np.arange(len(path))
    away = rng.choice([-1.0, 1.0]) * rng.uniform(1.6, 3.0) * (1 - np.exp(-((count / 9.0) ** 2)))
    path = skin.onto(path + 1e-3 * away[:, None] * across)
    fade = np.clip(count / 4.0, 0, 1) * np.clip((len(path) - 1 - count) / (0.5 * len(path)), 0, 1)
    weight = 0.7 * line.weight[begin : begin + len(path)] * fade
    profile = Profile(line.profile.depth, 0.85 * line.profile.width, 0.6 * line.profile.rise, 0.7 * line.profile.reach)
    return Stroke(path, weight, profile, line.side)


def _wander(points: Floats, skin: Skin, amount: float, rng: np.random.Generator) -> Floats:
    """The line with slow and quick sideways noise."""
    count = len(points)
    along = np.gradient(points, axis=0)
    across = np.cross(skin.normal_at(points), along)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    noise = amount * _waves(count, 30.0, rng) + 0.15 * amount * _waves(count, 7.0, rng)
    return skin.onto(points + 1e-3 * noise[:, None] * across)


def _waves(count: int, length: float, rng: np.random.Generator) -> Floats:
    """(count,) smooth noise of unit variance, ``length`` points a wave."""
    x = np.arange(count)
    waves = 2 * np.pi / (length * rng.uniform(0.7, 1.5, 4))
    return np.sin(x[:, None] * waves + rng.uniform(0, 2 * np.pi, 4)).sum(axis=1) / np.sqrt(2.0)


def _uneven(count: int, rng: np.random.Generator) -> Floats:
    """(count,) 0.55..1: no fold is equally deep all along."""
    return np.clip(0.82 + 0.16 * _waves(count, 18.0, rng), 0.5, 1.0)


def _fades(count: int, fade: tuple[float, float]) -> Floats:
    t = np.linspace(0, 1, count)
    rise = np.clip(t / max(fade[0], 1e-6), 0, 1)
    fall = np.clip((1 - t) / max(fade[1], 1e-6), 0, 1)
    both = rise * fall
    return both * both * (3 - 2 * both)


def _smooth_path(path: Floats) -> Floats:
    """A polyline with its corners rounded: three rounds of corner cutting that keep both ends."""
    for _ in range(3):
        cut = np.stack([0.75 * path[:-1] + 0.25 * path[1:], 0.25 * path[:-1] + 0.75 * path[1:]], axis=1)
        path = np.concatenate([path[:1], cut.reshape(-1, 3), path[-1:]])
    return path


def _resampled(path: Floats) -> Floats:
    """The same line with points :data:`STEP` millimetres apart."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    count = max(2, int(length[-1] / (1e-3 * STEP)) + 1)
    at = np.linspace(0, length[-1], count)
    return np.stack([np.interp(at, length, path[:, k]) for k in range(3)], axis=1)
