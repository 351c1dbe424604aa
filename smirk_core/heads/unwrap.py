# SPDX-License-Identifier: Apache-2.0
"""Flattens a disc of triangles with little distortion and without a fold.

A start without folds comes from an embedding with its border on a convex curve (Tutte 1963); then the symmetric
Dirichlet energy (Smith and Schaefer 2015, https://doi.org/10.1145/2766947) is brought down by scalable locally
injective mappings (Rabinovich et al. 2017, https://doi.org/10.1145/2983621). The energy is infinite where a triangle
turns over, and the line search stops short of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError

__all__ = ["border_loops", "convex_start", "flatten", "reference_frames", "stretch"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
_TINY = 1e-12


def border_loops(triangles: Ints) -> list[Ints]:
    """Closed loops of border vertices in the triangles' own sense, longest first.

    Raises:
        AssetError: two loops touch in one vertex, so the surface has no clear border.
    """
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    _, first, count = np.unique(np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True)
    border = edges[first[count == 1]]
    if len(np.unique(border[:, 0])) != len(border):
        raise AssetError("The border of a surface to unwrap runs twice through one vertex.")
    following = dict(border.tolist())
    loops = []
    while following:
        start, here = following.popitem()
        loop = [start]
        while here != start:
            loop.append(here)
            here = following.pop(here)
        loops.append(np.array(loop))
    return sorted(loops, key=lambda loop: (-len(loop), int(loop.min())))


def convex_start(count: int, triangles: Ints, fixed: Ints, places: Floats) -> Floats:
    """(count, 2) every free vertex in the mean of its neighbours; ``fixed`` ones (the convex border) at ``places``."""
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    rows, columns = np.concatenate([edges, edges[:, ::-1]]).T
    near = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), (count, count))
    laplace = sparse.diags(np.asarray(near.sum(axis=1)).ravel()) - near
    result = np.zeros((count, 2))
    result[fixed] = places
    free = np.setdiff1d(np.unique(triangles), fixed)
    laplace = laplace.tocsr()[free]
    result[free] = spsolve(laplace[:, free].tocsc(), -(laplace[:, fixed] @ np.asarray(places)))
    return result


def stretch(flat: Floats, triangles: Ints, reference: Floats) -> Floats:
    """(F, 2) singular values of the maps from ``reference`` triangles (F, 2, 2), largest first.

    The second one is negative where a triangle is turned over.
    """
    j = _jacobians(flat, triangles, np.linalg.inv(reference))
    return np.stack(_singular(j), axis=1)


def reference_frames(points: Floats, triangles: Ints) -> Floats:
    """(F, 2, 2) edges b - a and c - a of every triangle in its own plane, as columns."""
    ab = points[triangles[:, 1]] - points[triangles[:, 0]]
    ac = points[triangles[:, 2]] - points[triangles[:, 0]]
    length = np.maximum(np.linalg.norm(ab, axis=1), _TINY)
    x = (ab * ac).sum(axis=1) / length
    y = np.maximum(np.linalg.norm(np.cross(ab, ac), axis=1) / length, 1e-9)
    return np.stack([np.stack([length, x], axis=1), np.stack([np.zeros_like(x), y], axis=1)], axis=1)


def _jacobians(flat: Floats, triangles: Ints, inverse: Floats) -> Floats:
    a, b, c = (flat[triangles[:, k]] for k in range(3))
    return np.stack([b - a, c - a], axis=2) @ inverse


def _singular(j: Floats) -> tuple[Floats, Floats]:
    """Signed singular values of (F, 2, 2), from sums and differences of the matrix's entries."""
    e, f = (j[:, 0, 0] + j[:, 1, 1]) / 2, (j[:, 0, 0] - j[:, 1, 1]) / 2
    g, h = (j[:, 1, 0] + j[:, 0, 1]) / 2, (j[:, 1, 0] - j[:, 0, 1]) / 2
    turn, shear = np.hypot(e, h), np.hypot(f, g)
    return np.asarray(turn + shear, np.float64), np.asarray(turn - shear, np.float64)


def flatten(
    start: Floats,
    triangles: Ints,
    frames: Floats,
    weights: Floats,
    *,
    middle: Ints | None = None,
    steps: int = 120,
    tolerance: float = 1e-6,
) -> Floats:
    """Bring the symmetric Dirichlet energy down.

    Args:
        start: (V, 2) a map without folds; every triangle counter-clockwise.
        triangles: (F, 3); vertices in none of them stay.
        frames: (F, 2, 2) as from :func:`reference_frames`, scaled to the size that each triangle should have.
        weights: (F,) how much a triangle counts.
        middle: vertices that stay on the line x = 0.
        steps: most iterations. tolerance: relative change of the energy that ends them.

    Returns:
        (V, 2).

    Raises:
        AssetError: the start has folds.
    """
    from scipy import sparse
    from scipy.sparse.linalg import splu

    flat = np.array(start, np.float64)
    inverse = np.linalg.inv(frames)
    count, faces = len(flat), len(triangles)
    used = np.zeros((count, 2), bool)
    used[np.unique(triangles)] = True
    if middle is not None:
        used[middle, 0] = False
    free = np.flatnonzero(used.T.ravel())  # x of all vertices, then y
    # (2F, V) from one coordinate of the vertices to its derivatives along both axes of every triangle
    coefficients = np.einsum("ek,fkd->fde", np.array([[-1.0, -1], [1, 0], [0, 1]]), inverse)
    rows = np.broadcast_to(np.arange(2 * faces).reshape(faces, 2, 1), (faces, 2, 3))
    columns = np.broadcast_to(triangles[:, None], (faces, 2, 3))
    gradient = sparse.csr_matrix((coefficients.ravel(), (rows.ravel(), columns.ravel())), (2 * faces, count))

    def energy(points: Floats) -> float:
        large, small = _singular(_jacobians(points, triangles, inverse))
        if small.min() <= 0:
            return np.inf
        return float((weights * (large**2 + small**2 + large**-2.0 + small**-2.0)).sum())

    before = energy(flat)
    if not np.isfinite(before):
        raise AssetError("The start of an unwrap has folds: its border is not convex or the surface is no disc.")
    for _ in range(steps):
        j = _jacobians(flat, triangles, inverse)
        u, s, vt = np.linalg.svd(j)
        ratio = np.sqrt(np.abs((s - s**-3.0) / np.where(np.abs(s - 1) < 1e-5, 1, s - 1)))
        ratio = np.where(np.abs(s - 1) < 1e-5, 2.0, ratio)
        w = np.einsum("fik,fk,fjk->fij", u, ratio, u) * np.sqrt(weights)[:, None, None]
        target = w @ (u @ vt)
        # rows (f, d, i): sum over j of w[i, j] * gradient of coordinate j along d
        blocks = [[sparse.diags(np.repeat(w[:, i, k], 2)) @ gradient for k in range(2)] for i in range(2)]
        matrix = sparse.csc_matrix(sparse.bmat(blocks))[:, free]
        right = np.concatenate([target[:, i].ravel() for i in range(2)])
        now = flat.T.ravel()[free]
        normal = sparse.csc_matrix(matrix.T @ matrix)
        damping = 1e-8 * normal.diagonal().mean()
        normal = normal + damping * sparse.identity(len(free), format="csc")
        wanted = splu(normal.tocsc()).solve(matrix.T @ right + damping * now)
        step = np.zeros(2 * count)
        step[free] = wanted - now
        step = step.reshape(2, count).T
        reach = min(1.0, 0.9 * _until_fold(flat, step, triangles))
        after = energy(flat + reach * step)
        while after > before and reach > 1e-8:
            reach /= 2
            after = energy(flat + reach * step)
        if after >= before:
            break
        flat = flat + reach * step
        done = before - after < tolerance * before
        before = after
        if done:
            break
    return flat


def _until_fold(flat: Floats, step: Floats, triangles: Ints) -> float:
    """The smallest positive t at which a triangle of ``flat + t * step`` has no area; infinite if none."""
    a, b, c = (flat[triangles[:, k]] for k in range(3))
    da, db, dc = (step[triangles[:, k]] for k in range(3))

    def cross(p: Floats, q: Floats) -> Floats:
        return p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]

    p, q, dp, dq = b - a, c - a, db - da, dc - da
    two, one, none = cross(dp, dq), cross(p, dq) + cross(dp, q), cross(p, q)
    root = np.sqrt(np.maximum(one**2 - 4 * two * none, 0))
    real = one**2 - 4 * two * none >= 0
    with np.errstate(divide="ignore", invalid="ignore"):
        # both roots in the form that does not cancel
        half = -(one + np.where(one >= 0, root, -root)) / 2
        roots = np.stack([half / two, none / half])
    roots = np.where(real & np.isfinite(roots) & (roots > 0), roots, np.inf)
    return float(roots.min(initial=np.inf))
