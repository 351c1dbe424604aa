# SPDX-License-Identifier: Apache-2.0
"""The texture layout of the open head.

The skin's comes from a committed file that was computed once (:mod:`.build_uv_layout`): it depends on nothing but the
skin's topology, so that textures of one version fit the next one. Every other part has a fixed box in the strip below
it, and parts that are not known here take spare boxes in their order:

* eyes: a disc around the pupil, seen from the front; the cornea in front of it is an island of its own;
* teeth, gums, tongue and unknown parts: charts by the six directions that a polygon can face, side by side;
* cards of hair (lashes, brows): their own layout over the whole square, as their textures are files of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from .build_assembly import MATERIALS, Assembly

__all__ = ["BOXES", "UVS_PATH", "build_uvs", "face_charts"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Box = tuple[float, float, float, float]
UVS_PATH = Path(__file__).parent / "open_head_uvs.npz"
_TOP, _HALF, _LOW = 0.112, (0.056, 0.060), 0.004
BOXES: dict[str, Box] = {  # left, bottom, right, top
    "left_eye": (0.176, _LOW, 0.284, _TOP),
    "right_eye": (0.288, _LOW, 0.396, _TOP),
    "left_cornea": (0.400, _HALF[1], 0.452, _TOP),
    "right_cornea": (0.400, _LOW, 0.452, _HALF[0]),
    "upper_teeth": (0.458, _HALF[1], 0.620, _TOP),
    "lower_teeth": (0.458, _LOW, 0.620, _HALF[0]),
    "tongue": (0.624, _LOW, 0.700, _TOP),
}
_SPARE = (0.704, _LOW, 0.996, _TOP)  # 8 x 3 boxes for parts that are not named above
_SPARE_GRID = (8, 3)
_GAP = 0.0015  # between charts


def build_uvs(assembly: Assembly, template: Floats) -> tuple[Floats, Ints]:
    """(T, 2) texture points in [0, 1], v up, and (P, 4) indices, -1 where the polygon has no such corner.

    Raises:
        AssetError: the skin's topology is not the one that its layout was made for, or there is no box left.
    """
    part, polygons = assembly.polygon_part, assembly.polygons
    skin = np.flatnonzero(part == "skin")
    with np.load(UVS_PATH, allow_pickle=False) as file:
        uvs, skin_indices, corners = (file[k] for k in ("uvs", "polygon_uvs", "polygons"))
    if not np.array_equal(skin, np.arange(len(skin))) or not np.array_equal(corners, polygons[skin]):
        raise AssetError(
            "The skin's polygons changed, so the texture layout fits no more: "
            "run python -m smirk_core.heads.build_uv_layout. Textures made before will not fit."
        )
    points: list[Floats] = [uvs.astype(np.float64)]
    indices = np.full(polygons.shape, -1)
    indices[skin] = skin_indices
    spare = _spare_boxes()
    for name in dict.fromkeys(part[len(skin) :].tolist()):
        own = np.flatnonzero(part == name)
        cards = {"lashes": assembly.lashes, "brow": assembly.brow}.get(name.partition("_")[2])
        if cards is not None:
            flat, index = np.asarray(cards.uvs, np.float64), polygons[own] - assembly.slices[name].start
            islands = [(own, flat, np.where(polygons[own] >= 0, index, -1))]
        elif name in ("left_eye", "right_eye"):
            islands = _eye(assembly, name, own)
        else:
            box = BOXES.get(name) or _next(spare, name)
            flat, index = face_charts(template, polygons[own], (box[2] - box[0]) / (box[3] - box[1]))
            islands = [(own, _fit(flat, box), index)]
        for mask, flat, index in islands:
            indices[mask] = np.where(index >= 0, index + sum(map(len, points)), -1)
            points.append(flat)
    return np.concatenate(points), indices


def _spare_boxes() -> list[Box]:
    columns, rows = _SPARE_GRID
    wide, high = (_SPARE[2] - _SPARE[0]) / columns, (_SPARE[3] - _SPARE[1]) / rows
    corners = [(_SPARE[0] + i * wide, _SPARE[1] + j * high) for j in range(rows) for i in range(columns)]
    return [(x, y, x + wide - 2 * _GAP, y + high - 2 * _GAP) for x, y in corners]


def _next(spare: list[Box], name: str) -> Box:
    if not spare:
        raise AssetError(f"No room in the texture layout for the part '{name}': give it a box in build_uvs.BOXES.")
    return spare.pop(0)


def _fit(points: Floats, box: Box) -> Floats:
    """Scale (n, 2) points into a box, keeping their proportions."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = min((box[2] - box[0]) / (high[0] - low[0]), (box[3] - box[1]) / (high[1] - low[1]))
    return (points - low) * scale + [box[0], box[1]]


def _eye(assembly: Assembly, name: str, own: Ints) -> list[tuple[Ints, Floats, Ints]]:
    """Ball and cornea as discs around the pupil, the back folded outwards; the iris larger than it is."""
    ball = assembly.ball / np.linalg.norm(assembly.ball, axis=1, keepdims=True)
    reach = np.arccos(np.clip(ball[:, 2], -1, 1)) / np.pi
    length = np.maximum(np.hypot(ball[:, 0], ball[:, 1]), 1e-9)
    mirror = [1.0 if name == "left_eye" else -1.0, 1.0]
    start = assembly.slices[name].start
    clear = np.isin(assembly.materials[own], [MATERIALS.index(m) for m in ("cornea",) if m in MATERIALS])
    islands = []
    for rows, box, power in ((~clear, name, 0.75), (clear, name.replace("eye", "cornea"), 1.0)):
        if rows.any():
            disc = ball[:, :2] * (reach**power / length)[:, None] * mirror
            used, index = _used(assembly.polygons[own[rows]])
            flat = disc[used - start]
            # The pole at the back is the disc's whole rim: every polygon that meets it has a point of its own there.
            pole = ball[used - start, 2] < -1 + 1e-9
            row, corner = np.nonzero((index >= 0) & pole[index])
            beside = np.where(np.arange(4) == corner[:, None], -1, index[row])
            rim = np.where((beside >= 0)[..., None], flat[beside], 0.0).sum(axis=1)
            index[row, corner] = len(flat) + np.arange(len(row))
            flat = np.concatenate([flat, rim / np.maximum(np.linalg.norm(rim, axis=1, keepdims=True), 1e-9)])
            islands.append((own[rows], _fit(flat, BOXES[box]), index))
    return islands


def _used(polygons: Ints) -> tuple[Ints, Ints]:
    """Sorted vertices of polygons, and the polygons as indices into them (-1 stays)."""
    used = np.unique(polygons[polygons >= 0])
    return used, np.where(polygons >= 0, np.searchsorted(used, polygons), -1)


def face_charts(template: Floats, polygons: Ints, aspect: float = 1.0) -> tuple[Floats, Ints]:
    """Charts of any surface: connected polygons that face the same of six directions are one, seen from there.

    Args:
        template: (V, 3). polygons: (n, 4), -1 as fourth corner of triangles.
        aspect: width of the layout wanted, in heights.

    Returns:
        (T, 2) points with the charts side by side, in the units of ``template``, and (n, 4) indices into them.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    corners = np.where(polygons >= 0, polygons, polygons[:, :1])
    a, b, c, d = (template[corners[:, k]] for k in range(4))
    normal = np.cross(c - a, d - b)
    normal = np.where((polygons[:, 3] < 0)[:, None], np.cross(b - a, c - a), normal)
    axis = np.abs(normal).argmax(axis=1)
    side = 2 * axis + (np.take_along_axis(normal, axis[:, None], 1)[:, 0] < 0)
    owner = np.repeat(np.arange(len(polygons)), 4)
    following = np.roll(corners, -1, axis=1)
    edges = np.sort(np.stack([corners.ravel(), following.ravel()], axis=1), axis=1)
    real = edges[:, 0] != edges[:, 1]
    _, edge = np.unique(edges[real], axis=0, return_inverse=True)
    order = np.argsort(edge.ravel(), kind="stable")
    sorted_edge, sorted_owner = edge.ravel()[order], owner[real][order]
    both = (sorted_edge[1:] == sorted_edge[:-1]) & (side[sorted_owner[1:]] == side[sorted_owner[:-1]])
    pairs = sorted_owner[:-1][both], sorted_owner[1:][both]
    graph = sparse.csr_matrix((np.ones(len(pairs[0])), pairs), (len(polygons), len(polygons)))
    _, label = connected_components(graph, directed=False)

    flats, indices, total = [], np.full(polygons.shape, -1), 0
    for k in range(int(label.max()) + 1):
        mask = label == k
        used, index = _used(polygons[mask])
        which = int(side[np.flatnonzero(mask)[0]])
        # The plane seen from outside: x to the right and y up as far as there is an up.
        right, up = ((2, 1), (0, 2), (0, 1))[which // 2]
        sign = (-1, 1, 1)[which // 2] * (1 - 2 * (which % 2))
        if which // 2 == 1:
            sign = -sign
        flats.append(template[used][:, [right, up]] * [sign, 1])
        indices[mask] = np.where(index >= 0, index + total, -1)
        total += len(used)
    return _shelves(flats, aspect), indices


def _shelves(charts: list[Floats], aspect: float) -> Floats:
    """All charts on shelves, highest first; of several widths that whose outline comes next to ``aspect``."""
    charts = [c - c.min(axis=0) for c in charts]
    size = np.array([c.max(axis=0) for c in charts])
    gap = 0.015 * float(np.sqrt(size.prod(axis=1).sum()))
    area = float((size + gap).prod(axis=1).sum())
    order = np.lexsort((np.arange(len(charts)), -size[:, 1])).tolist()
    best, least = np.zeros((len(charts), 2)), np.inf
    for factor in np.linspace(0.9, 1.6, 29):
        width = max(float(factor * np.sqrt(aspect * area)), float(size[:, 0].max()))
        x = y = shelf = wide = 0.0
        place = np.zeros((len(charts), 2))
        for k in order:
            if x > 0 and x + size[k, 0] > width:
                x, y, shelf = 0.0, y + shelf + gap, 0.0
            place[k] = x, y
            wide = max(wide, x + float(size[k, 0]))
            x, shelf = x + float(size[k, 0]) + gap, max(shelf, float(size[k, 1]))
        needed = max(wide / aspect, y + shelf)
        if needed < least:
            best, least = place, needed
    return np.concatenate([chart + corner for chart, corner in zip(charts, best, strict=True)])
