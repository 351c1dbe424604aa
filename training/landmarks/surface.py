# SPDX-License-Identifier: Apache-2.0
"""Which place of a surface explains where a detector put its points, over many views.

Every view gives the picture of the whole mesh (true or fitted pose, identity and expression) and the detected points.
A place of the surface has one projection per view, and the place sought is the one with the smallest robust distance
to the detections. Views with open mouths and closed eyes tell upper lip from lower and lid from lid; no rays, so
silhouettes and closed lips need no special case.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Places", "Views", "find_places"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Views:
    """The same mesh seen N times.

    Attributes:
        mesh: (N, V, 2) pixels, projected vertices.
        points: (N, L, 2) pixels, detected.
        scale: (N,) pixels per metre.
    """

    mesh: Floats
    points: Floats
    scale: Floats

    def mirrored(self, vertex_partner: Ints, point_partner: Ints) -> Views:
        """The views as a mirror shows them: u turned over, left and right exchanged."""
        flip = np.array([-1.0, 1.0], self.mesh.dtype)
        return Views(self.mesh[:, vertex_partner] * flip, self.points[:, point_partner] * flip, self.scale)

    def joined(self, other: Views) -> Views:
        """Both sets of views."""
        return Views(
            np.concatenate([self.mesh, other.mesh]),
            np.concatenate([self.points, other.points]),
            np.concatenate([self.scale, other.scale]),
        )


@dataclass(frozen=True)
class Places:
    """Result for L points.

    Attributes:
        triangles: (L,) int.
        barycentric: (L, 3).
        spread: (L,) metres, robust standard deviation (per axis) of detections around the place.
    """

    triangles: Ints
    barycentric: Floats
    spread: Floats


def _robust(square: Floats, width: float) -> Floats:
    """Geman and McClure's cost of squared distances in metres."""
    return square / (square + width * width)


def _best_vertices(views: Views, vertices: Ints, width: float, keep: int) -> Ints:
    """(L, keep) the vertices with the smallest mean robust distance to each point."""
    cost = np.zeros((views.points.shape[1], len(vertices)), np.float32)
    for mesh, points, scale in zip(views.mesh[:, vertices], views.points, views.scale, strict=True):
        m, p = (mesh / scale).astype(np.float32), (points / scale).astype(np.float32)
        square = (p[:, None, 0] - m[None, :, 0]) ** 2 + (p[:, None, 1] - m[None, :, 1]) ** 2
        cost += _robust(square, width)
    return vertices[np.argsort(cost, axis=1)[:, :keep]]


def _inside(corners: Floats, target: Floats, weight: Floats) -> Floats:
    """Barycentric weights (F, 3) in the triangle, least squares over N views.

    corners (N, F, 3, 2), target (N, 2), weight (N, F). Coordinates that fall outside are clipped to the nearest edge
    by solving on each edge and taking the best.
    """
    a, b = corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]
    d = target[:, None] - corners[:, :, 0]

    def dot(p: Floats, q: Floats) -> Floats:
        return (weight * (p * q).sum(-1)).sum(0)

    aa, ab, bb, ad, bd, dd = dot(a, a), dot(a, b), dot(b, b), dot(a, d), dot(b, d), dot(d, d)
    determinant = aa * bb - ab * ab
    with np.errstate(divide="ignore", invalid="ignore"):
        free = np.stack([(ad * bb - bd * ab) / determinant, (bd * aa - ad * ab) / determinant], -1)
        along_a = np.clip(ad / aa, 0, 1)
        along_b = np.clip(bd / bb, 0, 1)
        # From corner 1 to corner 2: d - a = t (b - a).
        cc, cd = aa - 2 * ab + bb, bd - ad - ab + aa
        along_c = np.clip(cd / cc, 0, 1)
    zero = np.zeros_like(along_a)
    options = np.stack(
        [
            free,
            np.stack([along_a, zero], -1),
            np.stack([zero, along_b], -1),
            np.stack([1 - along_c, along_c], -1),
        ]
    )  # fmt: skip  (4, F, 2)
    s, t = options[..., 0], options[..., 1]
    value = s * s * aa + 2 * s * t * ab + t * t * bb - 2 * s * ad - 2 * t * bd + dd
    bad = ~np.isfinite(value) | (s < -1e-9) | (t < -1e-9) | (s + t > 1 + 1e-9)
    best = np.where(bad, np.inf, value).argmin(0)
    chosen = np.take_along_axis(options, best[None, :, None], 0)[0]
    return np.nan_to_num(np.stack([1 - chosen.sum(-1), chosen[:, 0], chosen[:, 1]], -1))


def find_places(
    views: Views, triangles: Ints, allowed: npt.NDArray[np.bool_], width: float = 0.004, candidates: int = 6
) -> Places:
    """Place every point on the surface.

    Args:
        views: what was seen.
        triangles: (F, 3) of the mesh.
        allowed: (F,) or (L, F) triangles where (each) point may sit.
        width: metres; detections further away than this count less and less.
        candidates: how many of the nearest vertices' surroundings are searched.
    """
    count = views.points.shape[1]
    per_point = np.broadcast_to(allowed, (count, len(triangles)))
    groups, member = np.unique(per_point, axis=0, return_inverse=True)
    member = member.ravel()
    out_triangle, out_weights = np.zeros(count, np.int64), np.zeros((count, 3))
    spread = np.zeros(count)
    for g, mask in enumerate(groups):
        usable = np.flatnonzero(mask)
        vertices = np.unique(triangles[usable])
        own = np.flatnonzero(member == g)
        part = Views(views.mesh, views.points[:, own], views.scale)
        nearest = _best_vertices(part, vertices, width, candidates)
        for row, point in enumerate(own):
            around = usable[np.isin(triangles[usable], nearest[row]).any(1)]
            corners = views.mesh[:, triangles[around]] / views.scale[:, None, None, None]
            target = views.points[:, point] / views.scale[:, None]
            weight = np.ones((len(target), len(around)))
            bary = np.zeros((len(around), 3))
            square = np.zeros_like(weight)
            for _ in range(5):  # iteratively reweighted least squares for Geman-McClure
                bary = _inside(corners, target, weight)
                square = (((corners * bary[None, :, :, None]).sum(2) - target[:, None]) ** 2).sum(-1)
                weight = (width * width / (square + width * width)) ** 2
            best = _robust(square, width).mean(0).argmin()
            out_triangle[point], out_weights[point] = around[best], bary[best]
            spread[point] = np.sqrt(np.median(square[:, best]) / (2 * np.log(2)))  # Rayleigh median to sigma
    return Places(out_triangle, out_weights, spread)
