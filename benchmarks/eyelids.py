# SPDX-License-Identifier: Apache-2.0
"""Lids against eyeballs: ``python -m benchmarks.eyelids`` over 200 random people in 20 states of gaze and blink.

For every state it counts vertices of the lids inside eye or cornea, and measures the gap between the inner edge of
the lid margin and the surface below it, where the eye is open there.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smirk_core.heads.decode import decode
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.open_head import OPEN_HEAD_PATH, load_open_head

__all__ = ["STATES", "LidFit", "Lids", "find_lids", "measure"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
_UP, _DOWN, _SIDE = -0.42, 0.45, 0.55  # radians of a full look: about +x down, about +y to the subject's left
# (closure of the lids, turn about +x, turn about +y)
STATES: tuple[tuple[float, float, float], ...] = (
    (0, 0, 0), (0, _UP, 0), (0, _DOWN, 0), (0, 0, _SIDE), (0, 0, -_SIDE), (0, _UP / 2, 0), (0, _DOWN / 2, 0),
    (0, _DOWN * 0.7, _SIDE * 0.7), (0, _UP * 0.7, -_SIDE * 0.7),
    (0.25, 0, 0), (0.5, 0, 0), (0.75, 0, 0), (1, 0, 0), (0.5, _DOWN, 0), (1, _DOWN, 0), (0.5, _UP, 0), (1, _UP, 0),
    (0.5, 0, _SIDE), (0.5, 0, -_SIDE), (1, 0, _SIDE),
)  # fmt: skip
_RINGS = 5  # of vertices, from the margin outwards, that count as lid


@dataclass(frozen=True)
class Lids:
    """One eye: ``rings`` of vertices from the margin outwards, ``joint``, and its outline as a body of revolution.

    ``angles`` (n,) radians from the axis, ascending, and ``reach`` (n,) of the surface there, in ball radii.
    """

    rings: list[Ints]
    joint: int
    white: Ints
    angles: Floats
    reach: Floats


@dataclass(frozen=True)
class LidFit:
    """Per state (S,): ``through`` vertices inside the eye over all people, and gaps in metres."""

    through: Ints
    deepest: Floats
    gap_mean: Floats
    gap_99: Floats
    gap_most: Floats
    vertices: int


def _vertices_of(model: HeadModel, *materials: str) -> npt.NDArray[np.bool_]:
    wanted = [i for i, n in enumerate(model.material_names) if n in materials]
    corners = model.polygons[np.isin(model.polygon_materials, wanted)]
    mask = np.zeros(len(model.template), bool)
    mask[corners[corners >= 0]] = True
    return mask


def find_lids(model: HeadModel) -> tuple[Lids, Lids]:
    """Left and right: the lids are the rings of the region ``eyes`` around the region ``sockets``."""
    triangles = model.triangles
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    quads = model.polygons[model.polygons[:, 3] >= 0]
    sides = np.concatenate([quads[:, [0, 1]], quads[:, [1, 2]], quads[:, [2, 3]], quads[:, [3, 0]]])
    edges = np.concatenate([sides, sides[:, ::-1], edges[:0]])
    result = []
    for joint, sign in ((3, 1), (4, -1)):
        here = model.template[:, 0] * sign > 0
        seen = model.regions["sockets"] & here
        rings = []
        for _ in range(_RINGS):
            ahead = np.zeros(len(here), bool)
            ahead[edges[seen[edges[:, 0]], 1]] = True
            ahead &= ~seen & model.regions["eyes"] & here
            rings.append(np.flatnonzero(ahead))
            seen = seen | ahead
        ball = model.skinning_weights[:, joint] > 0.5
        white = np.flatnonzero(ball & _vertices_of(model, "eye_white") & ~_vertices_of(model, "iris"))
        centre = model.joint_regressor[joint] @ model.template
        radius = np.linalg.norm(model.template[white] - centre, axis=1).mean()
        grid = np.radians(np.arange(0, 181, 0.25))
        profile = np.zeros(len(grid))
        for material in ("eye_white", "cornea"):
            outside = np.flatnonzero(ball & _vertices_of(model, material))
            way = model.template[outside] - centre
            length = np.linalg.norm(way, axis=1)
            angle = np.arccos(np.clip(way[:, 2] / length, -1, 1))
            order = np.argsort(angle)
            found = np.interp(grid, angle[order], length[order] / radius, left=0, right=0)
            profile = np.maximum(profile, found)
        result.append(Lids(rings, joint, white, grid, profile))
    return result[0], result[1]


def _clearances(model: HeadModel, lids: Lids, identity: Floats, state: tuple[float, float, float]) -> list[Floats]:
    """Per ring (N, n): metres between the lids' vertices and the eye's surface, negative inside."""
    closure, x, y = state
    count = len(identity)
    eyes = np.tile([x, y], (count, 2))
    decoded = decode(model, {"identity": identity, "eyelids": np.full((count, 2), closure), "eyes": eyes})
    centre = decoded.joints[:, lids.joint][:, None]
    rest = decode(model, {"identity": identity})
    offset = rest.vertices[:, lids.white] - rest.joints[:, lids.joint][:, None]
    radius = np.linalg.norm(offset, axis=2).mean(axis=1)[:, None]
    # The gaze: where the eye's +z points.
    turn = np.hypot(x, y) or 1.0
    gaze = np.array([np.sin(turn) * y / turn, -np.sin(turn) * x / turn, np.cos(turn) if (x or y) else 1.0])
    found = []
    for ring in lids.rings:
        way = decoded.vertices[:, ring] - centre
        length = np.linalg.norm(way, axis=2)
        angle = np.arccos(np.clip(way @ gaze / length, -1, 1))
        found.append(length - radius * np.interp(angle, lids.angles, lids.reach))
    return found


def measure(model: HeadModel, identity: Floats, states: tuple[tuple[float, float, float], ...] = STATES) -> LidFit:
    """Fit of both lids of (N, K) people in ``states``."""
    rows: list[tuple[float, ...]] = []
    vertices = 0
    both = find_lids(model)
    for state in states:
        through, deepest, gaps = 0, 0.0, []
        for lids in both:
            clearances = _clearances(model, lids, identity, state)
            vertices = 2 * sum(len(r) for r in lids.rings)
            for k, clearance in enumerate(clearances):
                through += int((clearance < 0).sum())
                deepest = max(deepest, float(-clearance.min()))
                if k == 0 and state[0] < 1:
                    gaps.append(np.maximum(clearance, 0).ravel())
        gap = np.concatenate(gaps) if gaps else np.zeros(1)
        rows.append((through, deepest, float(gap.mean()), float(np.percentile(gap, 99)), float(gap.max())))
    columns = np.array(rows).T
    return LidFit(columns[0].astype(int), columns[1], columns[2], columns[3], columns[4], vertices)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.eyelids", description=__doc__)
    parser.add_argument("--head", type=Path, default=OPEN_HEAD_PATH)
    parser.add_argument("--people", type=int, default=200)
    options = parser.parse_args(arguments)
    model = load_open_head(options.head)
    identity = np.random.default_rng(20).normal(size=(options.people, model.identity_size)).astype(np.float32)
    fit = measure(model, identity)
    out = sys.stdout.write
    out("| blink | down | left | inside of | deepest mm | gap mean | gap 99 % | gap most mm |\n")
    out("|---|---|---|---|---|---|---|---|\n")
    for k, (closure, x, y) in enumerate(STATES):
        out(f"| {closure:g} | {np.degrees(x):.0f} | {np.degrees(y):.0f} | {fit.through[k]} of ")
        out(f"{fit.vertices * options.people} | {fit.deepest[k] * 1e3:.2f} | ")
        out(f"{fit.gap_mean[k] * 1e3:.2f} | {fit.gap_99[k] * 1e3:.2f} | {fit.gap_most[k] * 1e3:.2f} |\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
