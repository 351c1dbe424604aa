# SPDX-License-Identifier: Apache-2.0
"""Visibility on the CPU as a compiled loop, one picture a thread; the same rules as the torch version, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["visible"]

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
_kernel: Any = None


def visible(
    corners: Floats,
    planes: Floats,
    picture: Ints,
    triangle: Ints,
    shape: tuple[int, int, int],
    near: float,
    perspective: bool,
) -> npt.NDArray[np.int64]:
    """(B, H, W) number of the nearest triangle, -1 where there is none.

    Args:
        corners: (M, 3, 3) float64 u, v and depth of the triangles of all pictures, picture after picture, none of
            them degenerate, not finite or wholly outside.
        planes: (M, 3) float64 depth (1/depth where ``perspective``) at pixel (0, 0), per column and per row.
        picture, triangle: (M,) int64, where each belongs and which it is.
        shape: B, H, W.
        near: nearer than this is not seen.
        perspective: planes hold 1/depth.

    Raises:
        ImportError: numba is not installed.
    """
    global _kernel
    if _kernel is None:
        _kernel = _compiled()
    begins = np.searchsorted(picture, np.arange(shape[0] + 1))
    winner = np.full(shape, -1, np.int64)
    _kernel(corners, planes, begins, triangle, winner, near, perspective)
    return winner


def _compiled() -> Any:
    import numba

    @numba.njit(parallel=True, cache=True, error_model="numpy")
    def kernel(corners, planes, begins, triangle, winner, near, perspective):  # type: ignore[no-untyped-def]
        height, width = winner.shape[1:]
        for b in numba.prange(len(winner)):
            nearest = np.full((height, width), np.inf)
            for m in range(begins[b], begins[b + 1]):
                # corners from top to bottom; a stable sort of three, as in the torch version
                i, j, k = 0, 1, 2
                if corners[m, j, 1] < corners[m, i, 1]:
                    i, j = j, i
                if corners[m, k, 1] < corners[m, j, 1]:
                    j, k = k, j
                    if corners[m, j, 1] < corners[m, i, 1]:
                        i, j = j, i
                u0, u1, u2 = corners[m, i, 0], corners[m, j, 0], corners[m, k, 0]
                v0, v1, v2 = corners[m, i, 1], corners[m, j, 1], corners[m, k, 1]
                long_left = (u2 - u0) * (v1 - v0) < (u1 - u0) * (v2 - v0)
                slope = (u2 - u0) / (v2 - v0)
                first = max(0, int(np.ceil(v0)))
                last = min(height, int(np.ceil(v2)))
                middle = int(np.ceil(v1))
                for row in range(first, last):
                    long = u0 + slope * (row - v0)
                    if row < middle:
                        short = u0 + (u1 - u0) / (v1 - v0) * (row - v0)
                    else:
                        short = u1 + (u2 - u1) / (v2 - v1) * (row - v1)
                    low, high = (long, short) if long_left else (short, long)
                    start = max(0.0, min(float(width), np.ceil(low)))
                    stop = max(0.0, min(float(width), np.ceil(high)))
                    for column in range(int(start), int(stop)):
                        depth = planes[m, 0] + planes[m, 1] * column + planes[m, 2] * row
                        if perspective:
                            depth = 1.0 / depth
                        # Triangles come in the order of their numbers, so the lowest keeps a tie.
                        if depth >= near and depth < nearest[row, column]:
                            nearest[row, column] = depth
                            winner[b, row, column] = triangle[m]

    return kernel
