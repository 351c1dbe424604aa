# SPDX-License-Identifier: Apache-2.0
"""What Blender shows of a head, as arrays."""

from __future__ import annotations

import bpy
import numpy as np

from blender_smirk.rig import HeadObjects

__all__ = ["TOLERANCE", "evaluated", "shown"]

TOLERANCE = 1e-5  # metres


def shown(head: HeadObjects) -> np.ndarray:
    """(V, 3) vertices of the evaluated mesh as it is now, in the armature's space."""
    mesh = head.mesh.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    points = np.empty(3 * len(mesh.vertices), dtype=np.float32)
    mesh.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)


def evaluated(head: HeadObjects, frame: float) -> np.ndarray:
    """(V, 3) vertices of the evaluated mesh at a scene frame, in the armature's space."""
    whole = int(np.floor(frame))
    bpy.context.scene.frame_set(whole, subframe=frame - whole)
    return shown(head)
