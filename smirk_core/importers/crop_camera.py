# SPDX-License-Identifier: Apache-2.0
"""The crop camera of SMIRK, DECA and EMOCA in pixels of the full frame, many frames at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["camera_to_frame"]

Floats = npt.NDArray[np.floating[Any]]
_HALF = 112.0  # of the 224-pixel crop


def camera_to_frame(camera: Floats, tform: Floats) -> Floats | None:
    """Crop cameras as cameras of a take.

    Convention: the crop camera puts the point (X, Y) at u = 112 (1 + s (X + tx)), v = 112 (1 - s (Y + ty)) of the
    crop; ``tform`` takes a frame pixel to a crop pixel. The result puts it at (scale X + tx, -scale Y + ty) of the
    frame. With the identity, (7, 0.02, -0.01) becomes (784, 127.68, 119.84).

    Args:
        camera: (N, 3) as (s, tx, ty).
        tform: (N, 3, 3), upright similarities.

    Returns:
        (N, 3) as (scale in px/m, tx, ty in px); None where some ``tform`` turns, stretches or is upside down, which
        no camera of a take can say.
    """
    scale = tform[:, 0, 0]
    upright = np.zeros_like(tform)
    upright[:, 0, 0] = upright[:, 1, 1] = scale
    upright[:, :2, 2] = tform[:, :2, 2]
    upright[:, 2, 2] = 1
    if not ((scale > 1e-6) & (camera[:, 0] > 0)).all():
        return None
    if not np.allclose(tform[:, :, :2], upright[:, :, :2], atol=1e-4 * float(scale.min())):
        return None
    if not np.allclose(tform[:, 2, 2], 1):
        return None
    s, tx, ty = camera.T
    u, v = _HALF * (1 + s * tx), _HALF * (1 - s * ty)  # where the origin of head space lands in the crop
    return np.stack([_HALF * s / scale, (u - tform[:, 0, 2]) / scale, (v - tform[:, 1, 2]) / scale], axis=1)
