# SPDX-License-Identifier: Apache-2.0
"""What painting needs of a head's skin: where its texels lie, who neighbours whom, and which part is which.

Works through ``model.uvs`` alone: any unwrapping, any number of islands. Smooth fields are solved on the mesh, not in
the texture, so they have no seams where the unwrapping has.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import TakeError
from ...heads.head_model import HeadModel
from ...heads.likeness import mirror_order
from ..raster import rasterize

__all__ = ["SkinSurface", "carry", "face_frame", "normals_of", "skin_surface", "step"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Mask = npt.NDArray[np.bool_]
SKIN = ("skin", "lips")
_THIN = ("lash", "brow", "hair", "cornea", "tear")  # cards and strips that hide nothing
_KEPT = 3  # surfaces in memory
_kept: OrderedDict[tuple[str, int, int], SkinSurface] = OrderedDict()


def step(low: float, high: float, value: Floats) -> Floats:
    """0 below ``low``, 1 above ``high``, smooth between; ``low`` > ``high`` turns it round."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def carry(values: Floats, corners: Ints, shares: Floats) -> Floats:
    """(N,) or (N, C) float32: values (V,) or (V, C) of vertices at places given by corners and their shares (N, 3)."""
    values = np.asarray(values, np.float32)
    wide = (slice(None), None) if values.ndim == 2 else slice(None)
    total = values[corners[:, 0]] * shares[:, 0][wide]
    for k in (1, 2):
        total += values[corners[:, k]] * shares[:, k][wide]
    return total


def normals_of(vertices: Floats, triangles: Ints) -> Floats:
    """(V, 3) unit normals, weighted by area; 0 where no triangle is."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    across = np.repeat(np.cross(b - a, c - a), 3, axis=0)
    corners = triangles.ravel()
    sums = np.stack([np.bincount(corners, across[:, k], len(vertices)) for k in range(3)], axis=1)
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


def face_frame(model: HeadModel) -> Floats:
    """(V, 3) the template with its origin between the eyes, one unit the distance between them."""
    rest = model.template.astype(np.float64)
    left, right = (model.joint_regressor[model.joint_names.index(n)] @ rest for n in ("left_eye", "right_eye"))
    return (rest - (left + right) / 2) / max(float(np.linalg.norm(left - right)), 1e-6)


@dataclass(frozen=True)
class SkinSurface:
    """The skin of a head in a texture of S x S; T texels, V vertices.

    Attributes:
        model: the head.
        size: S.
        texels: (T,) flat numbers of the texels that carry skin, top row first.
        owner: (T,) row of ``triangles`` under each.
        corners: (T, 3) the vertices of that triangle; shares: (T, 3) float32 their weights.
        skin: (V,) bool, vertices of skin and lips.
        triangles: (F', 3) of skin and lips; polygons: (F',) of the model, one each.
        solid: (F'', 3) everything that hides what is behind it, skin first.
        density: texels per metre of skin in the middle of the face.
    """

    model: HeadModel
    size: int
    texels: Ints
    owner: Ints
    corners: Ints
    shares: Floats
    skin: Mask
    triangles: Ints
    polygons: Ints
    solid: Ints
    density: float

    @cached_property
    def mirror(self) -> Ints | None:
        """(V,) the vertex on the other side; None where the mesh is not the same on both."""
        try:
            return mirror_order(self.model)
        except TakeError:
            return None

    @cached_property
    def frame(self) -> Floats:
        """(V, 3) :func:`face_frame`."""
        return face_frame(self.model)

    @cached_property
    def edges(self) -> tuple[Ints, Ints]:
        """(E,), (E,) both ends of the edges of the skin."""
        t = self.triangles
        pairs = np.sort(np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]]), axis=1)
        pairs = np.unique(pairs, axis=0)
        return pairs[:, 0], pairs[:, 1]

    @cached_property
    def _degree(self) -> Floats:
        a, b = self.edges
        return np.bincount(np.concatenate([a, b]), minlength=len(self.skin)).astype(np.float64)

    def around(self, values: Floats) -> Floats:
        """(V, C) sum of the neighbours' values (V, C)."""
        a, b = self.edges
        count = len(self.skin)
        columns = [
            np.bincount(a, v[b], count) + np.bincount(b, v[a], count) for v in np.ascontiguousarray(values.T)
        ]  # fmt: skip
        return np.stack(columns, axis=1).astype(np.float64, copy=False)

    def smoothed(self, values: Floats, steps: int) -> Floats:
        """(V, C) means of each vertex and its neighbours, repeated."""
        divide = 1.0 / (1.0 + self._degree)[:, None]
        for _ in range(steps):
            values = (values + self.around(values)) * divide
        return values

    def grown(self, mask: Floats, steps: int) -> Floats:
        """(V,) the largest value within some rings of neighbours, a little less each ring."""
        a, b = self.edges
        for _ in range(steps):
            wide = mask.copy()
            np.maximum.at(wide, a, 0.8 * mask[b])
            np.maximum.at(wide, b, 0.8 * mask[a])
            mask = wide
        return mask

    def spread(self, values: Floats, weight: Floats, *, stiff: float = 0.3, home: float = 1e-4) -> Floats:
        """The smoothest field near known values: harmonic where nothing is known.

        Method: minimises sum w (x - value)^2 + stiff sum over edges (x_a - x_b)^2 + home sum x^2 by preconditioned
        conjugate gradients. ``home`` draws towards 0 what is far from anything known.

        Args:
            values: (V, C); weight: (V,) trust in them.
        """
        weight = np.where(self.skin, weight, 0.0).astype(np.float64)[:, None]
        diagonal = weight + stiff * self._degree[:, None] + home + np.where(self.skin, 0.0, 1.0)[:, None]

        def apply(x: Floats) -> Floats:
            return diagonal * x - stiff * self.around(x)

        right = weight * np.where(weight > 0, values, 0.0)
        x = right / diagonal
        r = right - apply(x)
        z = r / diagonal
        p, rz = z, (r * z).sum(axis=0)
        begin = np.maximum(rz, 1e-30)
        for _ in range(250):
            if (rz <= 1e-7 * begin).all():
                break
            ap = apply(p)
            alpha = rz / np.maximum((p * ap).sum(axis=0), 1e-30)
            x = x + alpha * p
            r = r - alpha * ap
            z = r / diagonal
            new = (r * z).sum(axis=0)
            p, rz = z + new / np.maximum(rz, 1e-30) * p, new
        return x

    def means(self, values: Floats, weight: Floats) -> tuple[Floats, Floats]:
        """Per-vertex means (V, C) of values (T, C) at the texels, and the share (V,) of the texels that is trusted."""
        corners = self.corners.ravel()
        heavy = (self.shares * weight[:, None]).ravel()
        count = len(self.skin)
        total = np.bincount(corners, heavy, count)
        sums = [
            np.bincount(corners, heavy * np.repeat(values[:, c], 3), count) for c in range(values.shape[1])
        ]  # fmt: skip
        return np.stack(sums, axis=1) / np.maximum(total, 1e-9)[:, None], total / np.maximum(self._mass, 1e-3)

    @cached_property
    def _mass(self) -> Floats:
        return np.bincount(self.corners.ravel(), self.shares.ravel(), len(self.skin)).astype(np.float64)

    def region(self, *names: str) -> Floats:
        """(V,) 1 in any of the named regions, of the skin."""
        mask = np.zeros(len(self.skin), bool)
        for name in names:
            if name in self.model.regions:
                mask |= self.model.regions[name]
        return (mask & self.skin).astype(np.float64)

    @cached_property
    def face(self) -> Floats:
        """(V,) 1 on face, ears and upper neck, fading to 0 towards scalp, back and the neck's edge."""
        mask = self.region("face", "lips", "nose", "cheeks", "forehead", "ears", "brows")
        if not mask.any():
            return self.skin.astype(np.float64)
        place = self.frame
        neck = self.region("neck") * step(-0.9, -0.4, place[:, 2] + 0.3 * place[:, 1] + 0.9)
        mask = np.maximum(mask, neck)
        around = mask
        for _ in range(4):  # inwards only: what lies beyond the hairline is never skin
            around = np.minimum(mask, self.smoothed(around[:, None], 1)[:, 0])
        return step(0.3, 0.9, around)

    @cached_property
    def rim(self) -> Floats:
        """(V,) 1 around the face, where hair, hats and collars may be, 0 within."""
        beside, above, below = np.abs(self.frame[:, 0]), self.frame[:, 1], -self.frame[:, 1]
        # Beside the eyes the brows reach far out; below them nothing dark does.
        side = np.where(below > 0.25, step(0.9, 1.1, beside), step(0.95, 1.15, beside))
        return np.maximum(np.maximum(side, step(0.55, 0.75, above)), step(1.75, 1.95, below))

    @cached_property
    def brows(self) -> Floats:
        """(V,) 1 where brows are."""
        return self.grown(self.region("brows"), 2)

    @cached_property
    def plain(self) -> Floats:
        """(V,) 1 where skin is just skin: forehead, cheeks, the sides of the nose; 0 at brows, lids, lips, beard."""
        x, y = np.abs(self.frame[:, 0]), self.frame[:, 1]
        eye = np.exp(-0.5 * (((x - 0.5) / 0.3) ** 2 + ((y + 0.0) / 0.2) ** 2))
        mouth = step(-0.75, -1.0, y)
        nostril = np.exp(-0.5 * ((x / 0.3) ** 2 + ((y + 0.72) / 0.12) ** 2))
        odd = np.maximum.reduce(
            [step(0.05, 0.3, self.grown(self.brows, 1)), step(0.3, 0.7, eye), mouth, step(0.3, 0.7, nostril)]
        )
        return (1 - odd) * self.skin

    @cached_property
    def typical(self) -> Floats:
        """(V,) 0..1 how much a place says of light and tone: most where it is plain, little where hair may be."""
        loose = np.maximum(self.rim, self.region("ears", "neck"))
        return (0.3 + 0.7 * self.plain) * (1 - 0.9 * loose) * self.skin


def skin_surface(model: HeadModel, size: int) -> SkinSurface:
    """The skin of a head at one texture size, kept for the next call.

    Raises:
        TakeError: the head has no UVs or no skin.
    """
    key = (model.digest, size, hash(model.uvs.tobytes()))
    if key in _kept:
        _kept.move_to_end(key)
        return _kept[key]
    if not len(model.uvs):
        raise TakeError(f"The head '{model.name}' has no UVs, so it can carry no texture.")
    names = np.array(model.material_names)[model.polygon_materials[model.triangle_polygons]]
    chosen = np.isin(names, SKIN)
    if not chosen.any():
        raise TakeError(f"The head '{model.name}' has no part that is skin, so it can carry no texture.")
    triangles, uv_triangles = model.triangles[chosen], model.triangle_uvs[chosen]
    places = np.stack(
        [model.uvs[:, 0] * size - 0.5, (1 - model.uvs[:, 1]) * size - 0.5, np.zeros(len(model.uvs))], axis=1
    )
    raster = rasterize(places, uv_triangles, size, size, cull=False)
    texels = np.flatnonzero(raster.covered.ravel())
    owner = raster.triangle.ravel()[texels]
    skin = np.zeros(len(model.template), bool)
    skin[triangles] = True
    thin = np.array([any(word in n for word in _THIN) for n in names])
    solid = np.concatenate([triangles, model.triangles[~chosen & ~thin]])
    surface = SkinSurface(
        model, size, texels, owner, triangles[owner].astype(np.int32), raster.barycentric.reshape(-1, 3)[texels],
        skin, triangles, model.triangle_polygons[chosen], solid, _density(model, triangles, places[uv_triangles]),
    )  # fmt: skip
    _kept[key] = surface
    while len(_kept) > _KEPT:
        _kept.popitem(last=False)
    return surface


def _density(model: HeadModel, triangles: Ints, corners: Floats) -> float:
    a, b, c = (model.template[triangles[:, k]].astype(np.float64) for k in range(3))
    metres = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    u, v = corners[:, :, 0], corners[:, :, 1]
    texels = np.abs((u[:, 1] - u[:, 0]) * (v[:, 2] - v[:, 0]) - (v[:, 1] - v[:, 0]) * (u[:, 2] - u[:, 0]))
    face = model.regions.get("face", np.ones(len(model.template), bool))[triangles].all(axis=1) & (metres > 0)
    face = face if face.any() else metres > 0
    return float(np.sqrt(np.median(texels[face] / metres[face])))
