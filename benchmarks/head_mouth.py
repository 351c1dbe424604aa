# SPDX-License-Identifier: Apache-2.0
"""How well the mouth of the open head shuts, shows its teeth and keeps its parts out of each other.

    python -m benchmarks.head_mouth [--head HEAD] [--people 200]

Prints one table. Lips are tested with height maps: the lowest surface of the upper lip and the highest of the lower
one, seen along the vertical, overlap where they go through each other; the lips' inner sides do so on purpose, as a
seal behind the line where they meet. Teeth are convex crowns to within a tenth of a
millimetre, so a point is as deep in a tooth as in the crown's convex hull.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull

from smirk_core.heads.arkit import groups_from_arkit
from smirk_core.heads.decode import decode
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.library import load_head
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.rendering.head_sheets import random_identities
from smirk_core.rendering.raster import rasterize

__all__ = ["LIPS_SHUT", "STATES", "Mouth", "main"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]
STEP = 0.2e-3  # metres per pixel
_INSIDE = ("mouth", "teeth", "gums", "tongue")


def both(name: str, weight: float) -> dict[str, float]:
    """ARKit weights of the left and the right half of a shape."""
    return {name + side: weight for side in ("Left", "Right")}


STATES: dict[str, dict[str, float]] = {
    "neutral": {},
    "pucker": {"mouthPucker": 1.0},
    "funnel": {"mouthFunnel": 1.0},
    "roll upper": {"mouthRollUpper": 1.0},
    "roll lower": {"mouthRollLower": 1.0},
    "press": both("mouthPress", 1.0),
    "smile": both("mouthSmile", 1.0),
    "frown": both("mouthFrown", 1.0),
    "stretch": both("mouthStretch", 1.0),
    "shrug lower": {"mouthShrugLower": 1.0},
}
LIPS_SHUT: dict[str, dict[str, float]] = {"neutral": {}, "mouthClose + jawOpen": {"mouthClose": 1.0, "jawOpen": 1.0}}
SHOWN: dict[str, dict[str, float]] = {
    "smile .7 + jawOpen .1": both("mouthSmile", 0.7) | {"jawOpen": 0.1},
    "smile 1 + jawOpen .45": both("mouthSmile", 1.0) | {"jawOpen": 0.45},
    "jawOpen 1": {"jawOpen": 1.0},
    "upper lip up, lower down": both("mouthUpperUp", 1.0) | both("mouthLowerDown", 1.0),
}
TONGUE = {"tongueOut": 1.0, "jawOpen": 0.3}


@dataclass(frozen=True)
class Mouth:
    """The parts of a head's mouth, and measures of posed heads (V, 3) in metres."""

    model: HeadModel

    def pose(self, weights: Mapping[str, float], identity: Floats | None = None) -> Floats:
        """(N, V, 3) heads in one expression, of N identities or of the mean one."""
        row = np.array([[weights.get(name, 0.0) for name in ARKIT_NAMES]])
        groups: dict[str, Floats] = groups_from_arkit(self.model, row)
        if identity is not None:
            groups = {k: np.repeat(v, len(identity), axis=0) for k, v in groups.items()}
            groups["identity"] = identity
        return np.asarray(decode(self.model, groups).vertices, np.float64)

    def material(self, *names: str) -> Mask:
        """(F,) triangles of these materials."""
        codes = [self.model.material_names.index(n) for n in names]
        return np.isin(self.model.polygon_materials[self.model.triangle_polygons], codes)

    @cached_property
    def _of_jaw(self) -> Mask:
        return self.model.skinning_weights[:, self.model.joint_names.index("jaw")] > 0.5

    def half(self, triangles: Mask, lower: bool) -> Mask:
        """(F,) those of the triangles that go with the jaw, or those that stay with the skull."""
        return triangles & (self._of_jaw[self.model.triangles].all(axis=1) == lower)

    @cached_property
    def crowns(self) -> list[Ints]:
        """The vertices of each tooth, upper teeth first, each jaw's from its right to its left."""
        corners = self.model.triangles[self.material("teeth")]
        count = len(self.model.template)
        pairs = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]]])
        links = coo_matrix((np.ones(len(pairs)), pairs.T), shape=(count, count))
        _, label = connected_components(links, directed=False)
        parts = [np.flatnonzero(label == k) for k in np.unique(label[corners])]
        x = self.model.template[:, 0]
        return sorted(parts, key=lambda v: (bool(self._of_jaw[v[0]]), float(x[v].mean())))

    def view(self, vertices: Floats, yaw: float = 0.0, pitch: float = 0.0, size: tuple[int, int] = (400, 300)) -> Ints:
        """(H, W) the triangle that each pixel of an orthographic picture of the mouth sees; -1 for none."""
        y, p = np.radians([yaw, pitch])
        turn_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
        turn_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
        centre = vertices[self.model.regions["lips"]].mean(axis=0)
        seen = (vertices - centre) @ (turn_x @ turn_y).T / STEP
        points = np.stack([size[0] / 2 + seen[:, 0], size[1] / 2 - seen[:, 1], -seen[:, 2]], axis=1)
        hidden = self.material(*({"lash", "brow"} & set(self.model.material_names)))
        number = np.flatnonzero(~hidden)
        seen_by = rasterize(points, self.model.triangles[number], *size).triangle
        return np.where(seen_by >= 0, number[seen_by], -1)

    def inside_pixels(self, vertices: Floats, pitches: Sequence[float] = (-20, 0, 20)) -> int:
        """Pixels (.04 square millimetres each) that see into a mouth, from three sides and all ``pitches`` together."""
        inside = self.material(*_INSIDE)
        views = [self.view(vertices, yaw, pitch) for yaw in (-30, 0, 30) for pitch in pitches]
        return sum(int(inside[v[v >= 0]].sum()) for v in views)

    def leaks(self, vertices: Floats) -> int:
        """Pixels that see, through the mouth, the background or the back of its wall, from nine directions together."""
        walls, total = self.material("mouth"), 0
        for yaw in (-30, 0, 30):
            for pitch in (-20, 0, 20):
                picture = self.view(vertices, yaw, pitch)
                y, p = np.radians([yaw, pitch])
                # The direction towards the viewer, in the frame of the head.
                towards = np.array([-np.sin(y) * np.cos(p), np.sin(p), np.cos(y) * np.cos(p)])
                a, b, c = (vertices[self.model.triangles[:, k]] for k in range(3))
                away = np.cross(b - a, c - a) @ towards < 0
                total += int((walls & away)[picture[picture >= 0]].sum())
        return total

    def _height(self, vertices: Floats, triangles: Mask, top: bool) -> Floats:
        """(300, 400) metres: the highest or lowest surface of some triangles over a grid of x and z; NaN for none."""
        centre = vertices[self.model.regions["lips"]].mean(axis=0)
        x, height, z = (vertices - centre).T / STEP
        points = np.stack([200 + x, 149 + z if top else 150 - z, -height if top else height], axis=1)
        depth = rasterize(points, self.model.triangles[triangles], 400, 300).depth
        found = np.where(np.isfinite(depth), depth, np.nan) * STEP
        return -found[::-1] if top else found

    def overlap(self, vertices: Floats, below: Mask, above: Mask, reach: float = 1.0) -> float:
        """Metres that the highest surface of ``below`` rises over the lowest one of ``above``: the most at any place.

        Args:
            vertices: (V, 3).
            below, above: (F,) triangles.
            reach: share of the mouth's width, from its middle, that counts.
        """
        gap = self._height(vertices, above, top=False) - self._height(vertices, below, top=True)
        lips = vertices[self.model.regions["lips"], 0]
        half = reach * np.ptp(lips) / 2 / STEP
        gap = gap[:, max(0, int(200 - half)) : int(200 + half) + 1]
        return float(-np.nanmin(gap)) if np.isfinite(gap).any() else float("-inf")

    def lip_overlap(self, vertices: Floats) -> float:
        """Metres that the lips go into each other, but for their corners, where they are one."""
        lips = self.material("lips")
        return self.overlap(vertices, self.half(lips, True), self.half(lips, False), reach=0.8)

    @cached_property
    def _hulls(self) -> list[Floats]:
        """(k, 4) planes of each crown of the mean head."""
        rest = self.model.template.astype(np.float64)
        return [ConvexHull(rest[crown] * 1e3).equations for crown in self.crowns]

    def depth_in_teeth(self, vertices: Floats, points: Ints) -> Floats:
        """(n,) metres that vertices of a posed head lie inside its teeth; negative outside."""
        rest = self.model.template.astype(np.float64)
        deepest = np.full(len(points), -np.inf)
        for lower in (False, True):
            own = [k for k, crown in enumerate(self.crowns) if bool(self._of_jaw[crown[0]]) == lower]
            row = np.concatenate([self.crowns[k] for k in own])
            scale, turn, shift = _similarity(rest[row], vertices[row])
            back = ((vertices[points] - shift) @ turn / scale) * 1e3
            for k in own:
                planes = self._hulls[k]
                deepest = np.maximum(deepest, -(back @ planes[:, :3].T + planes[:, 3]).max(axis=1) * scale * 1e-3)
        return deepest

    @cached_property
    def lip_vertices(self) -> Ints:
        """The lips and the wall right behind them."""
        lips = np.zeros(len(self.model.template), bool)
        lips[self.model.triangles[self.material("lips")]] = True
        return np.flatnonzero(lips)

    def incisor(self, vertices: Floats) -> float:
        """Metres of the upper middle incisors that are seen from the front: the tallest column of pixels."""
        picture = self.view(vertices)
        seen = np.zeros(len(self.model.triangles) + 1, bool)
        seen[:-1] = self.half(self.material("teeth"), False)
        columns = seen[picture][:, 180:221].sum(axis=0)
        return float(columns.max() * STEP)


def _similarity(source: Floats, target: Floats) -> tuple[float, Floats, Floats]:
    """(scale, rotation (3, 3), shift (3,)) with target = scale * source @ rotation.T + shift, by least squares."""
    a, b = source.mean(axis=0), target.mean(axis=0)
    u, s, vt = np.linalg.svd((target - b).T @ (source - a))
    sign = np.array([1, 1, np.linalg.det(u @ vt)])
    turn = u @ (sign[:, None] * vt)
    scale = float((s * sign).sum() / ((source - a) ** 2).sum())
    return scale, turn, b - scale * a @ turn.T


def report(mouth: Mouth, people: int) -> list[tuple[str, str]]:
    """Rows of the table: what was measured and the figures."""
    model = mouth.model
    identity = random_identities(model, people, seed=21)
    few = identity[: min(50, people)]
    rows = []
    for name, weights in LIPS_SHUT.items():
        heads = mouth.pose(weights, identity)
        seen = np.array([mouth.inside_pixels(v) for v in heads])
        level = np.array([mouth.inside_pixels(v, (0,)) for v in heads])
        rows.append(
            (f"{name}: people that show the inside, seen level", f"{(level > 0).sum()}, at most {level.max()} px")
        )
        depth = np.array([mouth.lip_overlap(v) for v in heads]) * 1e3
        rows.append(
            (f"{name}: people that show the inside", f"{(seen > 0).sum()} of {people}, at most {seen.max()} px")
        )
        rows.append((f"{name}: lips in each other, mm", f"mean {depth.mean():.2f}, most {depth.max():.2f}"))
    for name, weights in STATES.items():
        depth = np.array([mouth.depth_in_teeth(v, mouth.lip_vertices) for v in mouth.pose(weights, few)]) * 1e3
        rows.append(
            (f"{name}: lips in teeth, {len(few)} people", f"{(depth > 0).sum()} vertices, most {depth.max():.2f} mm")
        )
    for name, weights in SHOWN.items():
        tall = np.array([mouth.incisor(v) for v in mouth.pose(weights, few)]) * 1e3
        gap = np.array([-mouth.lip_overlap(v) for v in mouth.pose(weights, few)]) * 1e3
        rows.append(
            (f"{name}: upper incisors shown, mm", f"mean {tall.mean():.1f} ({tall.min():.1f} to {tall.max():.1f})")
        )
        leak = max(mouth.leaks(v) for v in mouth.pose(weights, few))
        rows.append((f"{name}: pixels through the walls", f"{leak} (lips part at least {gap.min():.1f})"))
    heads = mouth.pose(TONGUE, few)
    tongue, teeth, lips = (mouth.material(n) for n in ("tongue", "teeth", "lips"))
    for name, below, above in (
        ("lower teeth", mouth.half(teeth, True), tongue),
        ("upper teeth", tongue, mouth.half(teeth, False)),
        ("lower lip", mouth.half(lips, True), tongue),
        ("upper lip", tongue, mouth.half(lips, False)),
    ):
        depth = np.array([mouth.overlap(v, below, above) for v in heads]) * 1e3
        rows.append(
            (f"tongueOut + jawOpen .3: tongue in {name}, mm", f"most {depth.max():.2f}, {(depth > 0).sum()} people")
        )
    for name in ("teeth", "gums", "tongue"):
        code = model.material_names.index(name)
        rows.append((f"polygons of {name}", str(int((model.polygon_materials == code).sum()))))
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.head_mouth", description=__doc__)
    parser.add_argument("--head", default="open", help="'open' or a head file")
    parser.add_argument("--people", type=int, default=200, help="random identities (default 200)")
    options = parser.parse_args(arguments)
    for label, figure in report(Mouth(load_head(options.head)), options.people):
        sys.stdout.write(f"{label:60s} {figure}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
