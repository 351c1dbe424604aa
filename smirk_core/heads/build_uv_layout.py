# SPDX-License-Identifier: Apache-2.0
"""Computes the texture layout of the open head's skin once: ``python -m smirk_core.heads.build_uv_layout``.

The result is the committed file ``open_head_uvs.npz``. It is not computed again when the head's geometry changes,
so that textures painted on one version fit the next one; see :mod:`.build_uvs`.

One half of the head is flattened with its midline held upright, and the other half is its mirror image: the layout
is exactly symmetric under u -> 1 - u. The seam runs from behind the crown down the back of the head and the neck.
Everything is asked to become as large as it is on the head, but the face larger, the back of the head and the
inside of ears and nostrils smaller.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .build_open_head import write_asset
from .build_uvs import UVS_PATH
from .head_model import HeadModel
from .open_head import load_open_head
from .unwrap import border_loops, convex_start, flatten, reference_frames

__all__ = ["Charts", "skin_charts", "skin_layout"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]
SEAM_TOP = -0.085  # z in metres behind which the midline of the crown is cut
FILL_WEIGHT = 5e-4  # how much the membranes over eye and mouth count, whose only task is not to fold
# left, bottom, right, top in the square
HEAD_BOX = (0.004, 0.118, 0.996, 0.996)
MOUTH_BOX = (0.004, 0.004, 0.118, 0.112)
SOCKET_BOXES = ((0.122, 0.060, 0.170, 0.112), (0.122, 0.004, 0.170, 0.056))


@dataclass(frozen=True)
class Charts:
    """(P,) masks of the skin's polygons: the outside, the mouth's cavity and both sockets."""

    outer: Mask
    mouth: Mask
    sockets: tuple[Mask, Mask]


def skin_charts(template: Floats, polygons: Ints, in_mouth: Mask, socket: Mask) -> Charts:
    """Sort skin polygons into islands.

    Args:
        template: (V, 3). polygons: (P, 4) of the skin.
        in_mouth: (P,) polygons of the mouth's inside. socket: (V,) vertices behind the lids.
    """
    sockets = socket[polygons].any(axis=1)
    left = template[polygons, 0].mean(axis=1) > 0
    return Charts(~in_mouth & ~sockets, in_mouth, (sockets & left, sockets & ~left))


def _triangles(polygons: Ints) -> Ints:
    return np.concatenate([polygons[:, [0, 1, 2]], polygons[:, [0, 2, 3]]])


def _size(template: Floats, eyes: Floats) -> Floats:
    """(V,) size that the layout should have, of that on the head."""
    behind = eyes[2] - template[:, 2]
    up = template[:, 1] - eyes[1]
    side = np.abs(template[:, 0])
    size = 1.0 - 0.5 * _step(0.045, 0.14, behind)
    size *= 1.0 - 0.35 * _step(0.09, 0.125, -up) * _step(0.0, 0.03, behind)  # under the chin and down the neck
    size *= 1.0 - 0.2 * _step(0.06, 0.11, up)
    return size * (1.0 + 0.12 * (1 - _step(0.03, 0.06, side)) * (1 - _step(0.03, 0.06, behind)))


def _importance(template: Floats, eyes: Floats) -> Floats:
    """(V,) how much distortion counts per area: most in the face, little where hair and clothes are."""
    behind = eyes[2] - template[:, 2]
    up = template[:, 1] - eyes[1]
    face = (1 - _step(0.035, 0.1, behind)) * (1 - _step(0.085, 0.13, np.abs(up + 0.02)))
    ear = _step(0.062, 0.07, np.abs(template[:, 0])) * (1 - _step(0.035, 0.05, np.abs(behind - 0.09)))
    ear *= 1 - _step(0.035, 0.05, np.abs(up + 0.02))
    return 0.1 + face + 0.2 * ear


def _near(count: int, triangles: Ints, start: Ints, edges: int) -> Floats:
    """(V,) 1 on ``start``, falling to 0 over so many edges."""
    reach = np.zeros(count)
    reach[start] = edges
    for _ in range(edges):
        largest = reach[triangles].max(axis=1) - 1
        for k in range(3):
            np.maximum.at(reach, triangles[:, k], largest)
    return reach / edges


def _step(low: float, high: float, value: Floats) -> Floats:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _on_convex_curve(template: Floats, straight: Ints, round_: Ints, extra: dict[int, Floats]) -> tuple[Ints, Floats]:
    """Border vertices and (n, 2) places: ``straight`` down the line x = 0, ``round_`` back up on a half circle.

    ``straight`` runs from the top to the bottom, ``round_`` between them; ``extra`` holds places of added vertices.
    """

    def places(vertices: Ints) -> Floats:
        points = np.array([extra.get(int(v), template[v] if v < len(template) else None) for v in vertices])
        length = np.linalg.norm(np.diff(points, axis=0), axis=1)
        return np.concatenate([[0], np.cumsum(np.maximum(length, 1e-4))]) / np.maximum(length, 1e-4).sum()

    down = 1 - 2 * places(straight)
    turn = np.pi * (places(np.concatenate([straight[-1:], round_, straight[:1]])) - 0.5)[1:-1]
    border = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return np.concatenate([straight, round_]), np.concatenate([np.stack([0 * down, down], axis=1), border])


def _from(loop: Ints, start: int, end: int) -> Ints:
    """The part of a closed loop from vertex ``start`` to ``end``, both included."""
    loop = np.roll(loop, -int(np.flatnonzero(loop == start)[0]))
    return loop[: int(np.flatnonzero(loop == end)[0]) + 1]


def _solve(
    points: Floats, triangles: Ints, fill: Ints, start: Floats, size: Floats, importance: Floats, middle: Ints | None
) -> Floats:
    """(n, 2) flat places in metres; ``points`` of vertices that only ``fill`` triangles use do not matter."""
    frames = reference_frames(points, triangles) * size[triangles].mean(axis=1)[:, None, None]
    area = np.linalg.det(frames)
    if start[triangles[0]].size and _signed(start, triangles).sum() < 0:
        start = start * [1, -1]
    flat = start * np.sqrt(area.sum() / np.abs(_signed(start, triangles)).sum())
    counts = area * importance[triangles].mean(axis=1)
    weights = np.concatenate([counts / counts.sum(), np.full(len(fill), FILL_WEIGHT / max(1, len(fill)))])
    everything = np.concatenate([triangles, fill])
    for steps in (15, 15, 30, 120):
        lifted = np.concatenate([flat, np.zeros((len(flat), 1))], axis=1)
        both = np.concatenate([frames, reference_frames(lifted, fill)]) if len(fill) else frames
        flat = flatten(flat, everything, both, weights, middle=middle, steps=steps)
    return flat


def _signed(flat: Floats, triangles: Ints) -> Floats:
    a, b, c = (flat[triangles[:, k]] for k in range(3))
    return ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2


def _fan(loop: Ints, centre: int) -> Ints:
    """Triangles that close a hole around whose border ``loop`` the surface's triangles run."""
    return np.stack([np.roll(loop, -1), loop, np.full(len(loop), centre)], axis=1)


def _outer_half(template: Floats, polygons: Ints, mouth_loop: Ints, eyes: Floats) -> tuple[Floats, Ints]:
    """(V, 2) places of the left half of the outside, and the vertices of the seam."""
    count = len(template)
    half = _triangles(polygons[template[polygons, 0].mean(axis=1) > 0])
    around, eye = border_loops(half)
    on_middle = np.abs(template[:, 0]) < 1e-7
    lip = mouth_loop[on_middle[mouth_loop]]
    lip = lip[np.argsort(-template[lip, 1])]  # upper, lower
    # On the left half the border runs, counter-clockwise, down the nose, round the mouth, to the neck and up behind.
    back = around[on_middle[around] & (template[around, 2] < SEAM_TOP) & (template[around, 1] > -0.2)]
    top = back[np.argmax(template[back, 1])]
    chin_end = _from(around, int(lip[1]), int(top))
    front = _from(around, int(top), int(lip[0]))
    throat = chin_end[on_middle[chin_end] & (np.cumsum(~on_middle[chin_end]) == 0)]
    rest = chin_end[len(throat) : -1]
    centre_eye, centre_mouth = count, count + 1
    lips = _from(around, int(lip[0]), int(lip[1]))
    membrane = np.concatenate(
        [_fan(eye, centre_eye), np.stack([lips[1:], lips[:-1], np.full(len(lips) - 1, centre_mouth)], axis=1)]
    )
    straight = np.concatenate([front, [centre_mouth], throat])
    middle_of_mouth = template[lip].mean(axis=0)
    fixed, places = _on_convex_curve(template, straight, rest, {centre_mouth: middle_of_mouth})
    start = convex_start(count + 2, np.concatenate([half, membrane]), fixed, places)
    # What is rolled in behind the red of the lips and the lids' edges may shrink, so that their fronts need not.
    rolled = np.maximum(_near(count, half, lips, 6), _near(count, half, eye, 3))
    size = np.concatenate([_size(template, eyes) * (1 - 0.4 * rolled), [1, 1]])
    points = np.concatenate([template, [template[eye].mean(axis=0), middle_of_mouth]])
    importance = np.concatenate([_importance(template, eyes) * (1 - 0.97 * _step(0, 0.7, rolled)), [1, 1]])
    flat = _solve(points, half, membrane, start, size, importance, straight)
    seam = chin_end[on_middle[chin_end] & ~np.isin(chin_end, throat) & (chin_end != top)]
    return flat[:count], seam


def _mouth_half(template: Floats, polygons: Ints) -> Floats:
    """(V, 2) places of the left half of the mouth's cavity, upper lip on top."""
    half = _triangles(polygons[template[polygons, 0].mean(axis=1) > 0])
    (loop,) = border_loops(half)
    on_middle = np.abs(template[:, 0]) < 1e-7
    rim = loop[~on_middle[loop]]
    n = len(loop)
    loop = np.roll(loop, -int(np.flatnonzero(loop == rim[0])[0]))
    while not on_middle[loop[-1]]:  # start where the rim starts
        loop = np.roll(loop, 1)
    edge = int((~on_middle[loop]).sum())
    fixed, places = _on_convex_curve(template, loop[edge:n], loop[:edge], {})
    start = convex_start(len(template), half, fixed, places)
    even = np.ones(len(template))
    return _solve(template, half, np.zeros((0, 3), int), start, even, even, loop[edge:n])


def _socket(template: Floats, polygons: Ints) -> Floats:
    """(V, 2) places of the left socket."""
    triangles = _triangles(polygons)
    (loop,) = border_loops(triangles)
    turn = 2 * np.pi * np.arange(len(loop)) / len(loop)
    start = convex_start(len(template), triangles, loop, np.stack([np.cos(turn), np.sin(turn)], axis=1))
    even = np.ones(len(template))
    return _solve(template, triangles, np.zeros((0, 3), int), start, even, even, None)


def fit(points: Floats, box: tuple[float, float, float, float]) -> Floats:
    """Move and scale (n, 2) points into the middle of a box, keeping their proportions."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = min((box[2] - box[0]) / (high[0] - low[0]), (box[3] - box[1]) / (high[1] - low[1]))
    return (points - (low + high) / 2) * scale + [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]


def skin_layout(template: Floats, polygons: Ints, charts: Charts, mirror: Ints, eyes: Floats) -> tuple[Floats, Ints]:
    """(T, 2) texture points and (P, 4) indices of the skin's polygons.

    Args:
        template: (V, 3) metres, symmetric. polygons: (P, 4) quads of the skin.
        mirror: (V,) the vertex on the other side. eyes: (3,) the point between both eyes.
    """
    mouth_loop = border_loops(_triangles(polygons[charts.mouth]))[0]
    outer, seam = _outer_half(template, polygons[charts.outer], mouth_loop, eyes)
    pieces: list[Floats] = []
    indices = np.full(polygons.shape, -1)
    cut = np.zeros(len(template), bool)
    cut[seam] = True
    total = 0

    def add(mask: Mask, flat: Floats, both: bool, box: tuple[float, float, float, float]) -> None:
        nonlocal total
        corners = polygons[mask]
        right = template[corners, 0].mean(axis=1) < 0 if both else np.zeros(len(corners), bool)
        keys = corners * 2 + (cut[corners] & right[:, None])
        used = np.unique(keys)
        vertex = used // 2
        other = (template[vertex, 0] < -1e-7) | (used % 2 == 1) if both else np.zeros(len(used), bool)
        places = np.where(other[:, None], flat[mirror[vertex]] * [-1, 1], flat[vertex])
        pieces.append(fit(places, box))
        indices[mask] = total + np.searchsorted(used, keys)
        total += len(used)

    add(charts.outer, outer, True, HEAD_BOX)
    add(charts.mouth, _mouth_half(template, polygons[charts.mouth]), True, MOUTH_BOX)
    left = _socket(template, polygons[charts.sockets[0]])
    add(charts.sockets[0], left, False, SOCKET_BOXES[0])
    add(charts.sockets[1], left[mirror] * [-1, 1], False, SOCKET_BOXES[1])
    return np.concatenate(pieces), indices


def of_model(model: HeadModel) -> tuple[Floats, Ints]:
    """The layout of a loaded open head's skin; its skin polygons come first."""
    polygons = model.polygons[model.regions["skin"][model.polygons[:, 0]]]
    in_mouth = model.polygon_materials[: len(polygons)] == model.material_names.index("mouth")
    template = np.asarray(model.template[: int(model.regions["skin"].sum())], np.float64)
    socket = model.regions["sockets"][: len(template)]
    joints = [model.joint_regressor[model.joint_names.index(n)] @ model.template for n in ("left_eye", "right_eye")]
    mirror = mirror_vertices(template)
    template = (template + template[mirror] * [-1, 1, 1]) / 2
    charts = skin_charts(template, polygons, in_mouth, socket)
    return skin_layout(template, polygons, charts, mirror, np.mean(joints, axis=0))


def mirror_vertices(template: Floats) -> Ints:
    """(V,) the vertex nearest to the mirror image of each.

    Raises:
        ValueError: the points are not symmetric.
    """
    from scipy.spatial import KDTree

    distance, mirror = map(np.asarray, KDTree(template).query(template * [-1, 1, 1]))
    if distance.max() > 1e-4 or not np.array_equal(mirror[mirror], np.arange(len(template))):
        raise ValueError("the template is not symmetric")
    return mirror


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m smirk_core.heads.build_uv_layout", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=UVS_PATH)
    options = parser.parse_args(arguments)
    model = load_open_head()
    uvs, indices = of_model(model)
    polygons = model.polygons[: len(indices)]
    write_asset(
        options.output,
        {"uvs": uvs.astype(np.float32), "polygon_uvs": indices.astype(np.int16), "polygons": polygons.astype(np.int16)},
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
