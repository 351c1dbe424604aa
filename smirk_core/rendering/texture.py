# SPDX-License-Identifier: Apache-2.0
"""Where a head is lips, brow, beard, hair or eye socket, and the noise that breaks up flat colour.

Everything here depends on the head model alone and is computed once per model: fields per vertex in a face frame
that is the same for every head (origin between the eye joints, one unit = the distance between them), and occlusion
measured by rasterising the neutral head from many directions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, identity

from ..heads.head_model import HeadModel
from .raster import rasterize

__all__ = ["HeadPaint", "head_paint", "light_basis", "noise_tile", "vertex_normals", "visible_from"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]

TILE = 512  # px of the noise tile
_CARDS = ("lash", "brow", "hair")  # drawn over the rest, see-through; they throw no shadow
_INSIDE = ("teeth", "gum", "tongue", "mouth")


@dataclass(frozen=True)
class HeadPaint:
    """What the painter knows about a head model; V vertices, F triangles.

    Attributes:
        gather: (V, F) sparse, 1 where a triangle touches a vertex; sums face normals into vertex normals.
        smooth: (V, V) sparse, replaces a vertex by the mean of itself and its neighbours.
        materials: (F,) int, per triangle, into the model's ``material_names``.
        card: (F,) bool, thin see-through strips (lashes, brows).
        solid: triangle numbers that are neither cards nor clear, as the cornea is.
        position: (V, 3) float32, the template in the face frame.
        noise: (F * 3, 2) float32, noise coordinates per triangle corner, in tiles around the head and in height.
        occlusion: (V,) float32, 1 open to the sky, 0 hidden, in neutral.
        hairline: (V,) float32, height above the hairline in the face frame, within +-0.5.
        lips, brows, beard, sockets, flush, ears: (V,) float32 densities 0..1 of that paint.
        cavity: (V,) float32, light inside the mouth: 1 at the lips, 0 in the throat; 1 outside.
        iris: (V,) float32, distance from the iris centre in iris radii for eyeball vertices, 9 elsewhere.
        iris_angle: (V,) float32, angle around the iris centre in turns.
        film: (V,) int, the vertex whose normal mirrors the lamps: the cornea's in front of iris and pupil, else itself.
    """

    gather: csr_matrix
    smooth: csr_matrix
    materials: Ints
    card: npt.NDArray[np.bool_]
    solid: Ints
    position: Floats
    noise: Floats
    occlusion: Floats
    lips: Floats
    brows: Floats
    beard: Floats
    hairline: Floats
    sockets: Floats
    flush: Floats
    ears: Floats
    cavity: Floats
    iris: Floats
    iris_angle: Floats
    film: Ints


_cache: dict[tuple[str, int], HeadPaint] = {}


def head_paint(model: HeadModel) -> HeadPaint:
    """The paint of a head model, computed on first use (about half a second) and kept."""
    key = (model.digest, len(model.template))
    if key not in _cache:
        while len(_cache) >= 4:
            _cache.pop(next(iter(_cache)))
        _cache[key] = _paint(model)
    return _cache[key]


def _gather(triangles: Ints, vertices: int) -> csr_matrix:
    count = len(triangles)
    columns = np.repeat(np.arange(count), 3)
    return csr_matrix((np.ones(3 * count, np.float32), (triangles.ravel(), columns)), shape=(vertices, count))


def vertex_normals(vertices: Floats, triangles: Ints, gather: csr_matrix | None = None) -> Floats:
    """(V, 3) unit normals, averaged over the touching triangles by area; (0, 0, 1) where there is none.

    Args:
        vertices: (V, 3) float, any unit.
        triangles: (F, 3) int, counter-clockwise from outside.
        gather: :attr:`HeadPaint.gather` of the same triangles, to save building it.
    """
    if gather is None:
        gather = _gather(triangles, len(vertices))
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    normals = np.asarray(gather @ np.cross(b - a, c - a).astype(np.float32))
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 0, normals / np.maximum(length, 1e-30), np.array([0, 0, 1], np.float32)).astype(np.float32)


def light_basis(direction: Floats) -> Floats:
    """(3, 3) rows right, up and towards a light that shines from ``direction``."""
    forward = np.asarray(direction, np.float64) / np.linalg.norm(direction)
    right = np.cross([0.0, 1.0, 0.0] if abs(forward[1]) < 0.95 else [0.0, 0.0, -1.0], forward)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


def visible_from(vertices: Floats, triangles: Ints, direction: Floats, size: int = 160, bias: float = 1.5) -> Floats:
    """(V,) float32, how much of a distant light each vertex sees: 1 lit, 0 in shadow, soft over 3 x 3 map pixels.

    Args:
        vertices: (V, 3) metres.
        triangles: (F, 3) int, those that throw shadows.
        direction: (3,) towards the light.
        size: pixels of the shadow map.
        bias: how far (map pixels) a vertex may lie behind the map and still count as lit.
    """
    turned = vertices @ light_basis(direction).T
    low, high = turned.min(axis=0), turned.max(axis=0)
    scale = (size - 3) / max(high[0] - low[0], high[1] - low[1], 1e-9)
    points = np.stack(
        [1 + (turned[:, 0] - low[0]) * scale, 1 + (high[1] - turned[:, 1]) * scale, -turned[:, 2] * scale], axis=1
    )
    depth = rasterize(points, triangles, size, size).depth
    column = np.clip(np.rint(points[:, 0]).astype(np.int64), 1, size - 2)
    row = np.clip(np.rint(points[:, 1]).astype(np.int64), 1, size - 2)
    lit = np.zeros(len(vertices), np.float32)
    for dv in (-1, 0, 1):
        for du in (-1, 0, 1):
            lit += depth[row + dv, column + du] > points[:, 2] - bias
    return lit / 9


def _occlusion(vertices: Floats, triangles: Ints, normals: Floats, directions: int = 48) -> Floats:
    """(V,) cosine-weighted share of directions from which a vertex is seen, on a Fibonacci sphere."""
    k = np.arange(directions) + 0.5
    height, turn = 1 - 2 * k / directions, np.pi * (1 + 5**0.5) * k
    radius = np.sqrt(1 - height**2)
    sphere = np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], axis=1)
    seen, total = np.zeros(len(vertices)), np.full(len(vertices), 1e-6)
    for direction in sphere:
        cosine = np.maximum(normals @ direction, 0)
        seen += cosine * visible_from(vertices, triangles, direction, 128)
        total += cosine
    return seen / total


def _step(low: float, high: float, value: Floats) -> Floats:
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _blob(position: Floats, centre: tuple[float, float, float], size: tuple[float, float, float]) -> Floats:
    """Gaussians at ``centre`` and at its mirror image, in the face frame."""
    mirrored = np.abs(position[:, 0]) - abs(centre[0])
    d = np.stack([mirrored, position[:, 1] - centre[1], position[:, 2] - centre[2]], axis=1) / size
    return np.exp(-0.5 * (d**2).sum(axis=1))


def _material_vertices(model: HeadModel, materials: Ints, *words: str) -> npt.NDArray[np.bool_]:
    """(V,) vertices of triangles whose material name holds one of ``words``."""
    codes = [i for i, n in enumerate(model.material_names) if any(w in n for w in words)]
    hit = np.zeros(len(model.template), bool)
    hit[model.triangles[np.isin(materials, codes)]] = True
    return hit


def _iris(model: HeadModel, materials: Ints, rest: Floats, unit: float) -> tuple[Floats, Floats]:
    """Distance from the iris centre in iris radii, and the angle around it in turns, for eyeball vertices."""
    radius = np.full(len(rest), 9.0, np.float32)
    angle = np.zeros(len(rest), np.float32)
    eyeball = _material_vertices(model, materials, "eye", "iris", "pupil", "cornea", "sclera")
    for joint in ("left_eye", "right_eye"):
        if joint not in model.joint_names:
            continue
        number = model.joint_names.index(joint)
        centre = model.joint_regressor[number] @ rest
        own = eyeball & (np.linalg.norm(rest - centre, axis=1) < 0.35 * unit)
        if not own.any():
            continue
        d = rest - centre
        across = np.hypot(d[:, 0], d[:, 1])
        tilt = np.arctan2(across, d[:, 2])
        coloured = own & _material_vertices(model, materials, "iris") & (d[:, 2] > 0)
        limit = tilt[coloured].max() if coloured.any() else 0.48
        radius[own] = (tilt / limit)[own]
        angle[own] = (np.arctan2(d[:, 1], d[:, 0]) / (2 * np.pi))[own]
    return radius, angle


def _film(model: HeadModel, materials: Ints, rest: Floats) -> Ints:
    """(V,) the vertex of the cornea in front of each vertex of iris and pupil, by direction from the eye's joint."""
    film = np.arange(len(rest))
    shell, under = _material_vertices(model, materials, "cornea"), _material_vertices(model, materials, "iris", "pupil")
    for joint in ("left_eye", "right_eye"):
        if joint not in model.joint_names:
            continue
        number = model.joint_names.index(joint)
        own = model.skinning_weights[:, number] > 0.5
        centre = model.joint_regressor[number] @ rest
        shells, unders = np.flatnonzero(shell & own), np.flatnonzero(under & own)
        if len(shells) == 0 or len(unders) == 0:
            continue
        ways = [(rest[i] - centre) / np.linalg.norm(rest[i] - centre, axis=1, keepdims=True) for i in (unders, shells)]
        film[unders] = shells[np.argmax(ways[0] @ ways[1].T, axis=1)]
    return film


def _hairline(around: Floats) -> Floats:
    """Height of the hairline (face frame) at an angle around the head in degrees, 0 in front."""
    degrees = [0, 22, 38, 50, 60, 66, 71, 75, 80, 84, 104, 112, 122, 180]
    heights = [1.42, 1.38, 1.18, 0.9, 0.72, 0.5, 0.0, -0.25, -0.2, 0.3, 0.35, -0.2, -0.95, -1.35]
    return np.interp(around, degrees, heights)


def _paint(model: HeadModel) -> HeadPaint:
    rest = model.template.astype(np.float64)
    triangles, vertices = model.triangles, len(model.template)
    gather = _gather(triangles, vertices)
    materials = model.polygon_materials[model.triangle_polygons]
    names = np.array(model.material_names)
    card = np.array([any(w in n for w in _CARDS) for n in names], bool)[materials]
    eyes = [model.joint_names.index(n) for n in ("left_eye", "right_eye") if n in model.joint_names]
    left, right = (model.joint_regressor[eyes] @ rest) if len(eyes) == 2 else (rest[0], rest[0])
    unit = float(np.linalg.norm(left - right)) or 0.0625
    position = (rest - (left + right) / 2) / unit

    touching = (gather @ gather.T).sign()
    smooth = touching + identity(vertices, format="csr")
    smooth = csr_matrix(smooth.multiply(1.0 / np.maximum(np.asarray(smooth.sum(axis=1)), 1)))

    def soft(mask: Floats, steps: int) -> Floats:
        field = mask.astype(np.float64)
        for _ in range(steps):
            field = smooth @ field
        return field

    def region(name: str) -> Floats:
        return model.regions.get(name, np.zeros(vertices, bool)).astype(np.float64)

    inside = _material_vertices(model, materials, *_INSIDE)
    skin = _material_vertices(model, materials, "skin", "lip")
    if not skin.any():
        skin = ~inside
    x, y, z = position.T
    around = np.degrees(np.arctan2(np.abs(x), z + 1.35))
    ears = soft(region("ears"), 1)
    # Signed heights above the hairline, not a mask: the line stays crisp however large the polygons are.
    ear = soft(region("ears"), 2) > 0.99  # the ear without the skin that it grows from
    hairline = np.where(ear, -0.5, y - _hairline(around))
    hairline = np.where(skin, np.clip(hairline, -0.5, 0.5), -0.5)
    lips = soft((_material_vertices(model, materials, "lip") | (region("lips") > 0.5)).astype(np.float64), 1) * skin
    beard = _step(-0.62, -0.95, y) * _step(-1.2, -0.7, z - 0.25 * y) * _step(-2.35, -1.95, y) * skin
    beard *= 1 - np.clip(1.5 * lips, 0, 1)
    sockets = 0.8 * _blob(position, (0.5, -0.22, 0.35), (0.3, 0.13, 0.5))
    sockets += 0.7 * _blob(position, (0.3, 0.1, 0.35), (0.13, 0.16, 0.4))
    flush = _blob(position, (0.62, -0.65, 0.4), (0.28, 0.25, 0.5)) + 0.9 * _blob(
        position, (0.0, -0.6, 0.8), (0.22, 0.18, 0.3)
    )
    flush += 0.5 * _blob(position, (0.0, -1.75, 0.5), (0.3, 0.2, 0.4)) + 0.7 * ears
    normals = vertex_normals(rest, triangles, gather)
    throwing = triangles[~card & ~model.clear_triangles]
    occlusion = _occlusion(rest, throwing, normals)
    occlusion = np.where(skin, soft(occlusion, 1), occlusion)
    mouth_z = z[lips > 0.3].max() if (lips > 0.3).any() else z.max()
    cavity = np.where(inside, np.clip(1 - (mouth_z - z - 0.18) / 0.75, 0.0, 1) ** 1.4, 1.0)
    # Neutral lips hide the mouth, so its occlusion says nothing once they part; depth stands in for it.
    occlusion = np.where(inside, cavity, occlusion)
    iris, iris_angle = _iris(model, materials, rest, unit)

    def single(field: Floats) -> Floats:
        return np.clip(field, 0, 1).astype(np.float32)

    return HeadPaint(
        gather=gather,
        smooth=smooth,
        materials=materials,
        card=card,
        solid=np.flatnonzero(~card & ~model.clear_triangles),
        position=position.astype(np.float32),
        noise=_noise_coordinates(position, triangles),
        occlusion=single(occlusion),
        lips=single(lips),
        brows=single(soft(region("brows"), 1) * skin),
        beard=single(beard),
        hairline=hairline.astype(np.float32),
        sockets=single(sockets * skin),
        flush=single(flush * skin),
        ears=single(ears),
        cavity=single(cavity),
        iris=iris,
        iris_angle=iris_angle,
        film=_film(model, materials, rest),
    )


def _noise_coordinates(position: Floats, triangles: Ints) -> Floats:
    """(F * 3, 2) cylinder coordinates in tiles; corners beyond the seam at the back are moved by a whole turn."""
    turn = np.arctan2(position[:, 0], position[:, 2] + 1.35) / (2 * np.pi)
    corner = turn[triangles]
    corner = corner + ((corner.max(axis=1, keepdims=True) - corner) > 0.5)
    # Four tiles around a head of about 9 eye distances' circumference, so a tile is about 2.25 high.
    return np.stack([4 * corner.ravel(), position[:, 1][triangles].ravel() / 2.25], axis=1).astype(np.float32)


def _band(rng: np.random.Generator, low: float, high: float, stretch: float = 1.0) -> Floats:
    """(TILE, TILE) tileable noise, ``low`` to ``high`` waves a tile, ``stretch`` times longer downwards; variance 1."""
    f = np.fft.fftfreq(TILE) * TILE
    radius = np.hypot(f[:, None] * stretch, f[None])
    gain = np.exp(-0.5 * (np.log(np.maximum(radius, 0.5) / np.sqrt(low * high)) / (0.5 * np.log(high / low))) ** 2)
    gain[0, 0] = 0
    wave = np.fft.ifft2(np.fft.fft2(rng.standard_normal((TILE, TILE))) * gain).real
    return (wave / wave.std()).astype(np.float32)


_tiles: dict[int, Floats] = {}


def noise_tile(seed: int) -> Floats:
    """(4, TILE, TILE) float32 tileable noise of unit variance: blotches, spots (freckles, stubble), pores, strands."""
    seed = seed % 8  # eight tiles shifted at random are plenty; making one takes 0.1 s
    if seed not in _tiles:
        rng = np.random.default_rng(seed)
        bands = [_band(rng, 3, 12), _band(rng, 60, 150), _band(rng, 60, 220), _band(rng, 40, 160, 7.0)]
        _tiles[seed] = np.stack(bands)
    return _tiles[seed]
