# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras that see a head where the footage does.

A take's camera is scaled-orthographic: ``scale`` px/m and the pixel (tx, ty) of the head's origin. Both cameras
stand still at (0, -distance, 0) and look along +y; the head moves (:func:`blender_smirk.actions.write_action`).

* orthographic: its scale is keyed, max(width, height) / scale metres across the longer side of the picture. Every
  point overlays exactly. One per head, for the scale is the head's own.
* perspective: a lens of ``focal`` pixels. The head's depth is focal / scale, so that points in the plane of the
  head's origin overlay exactly and nearer ones look larger, as in life. All faces of a clip share it.

Worked number: 1280 x 720 at 2000 px/m gives an orthographic scale of 0.64 m; an 85 mm lens on Blender's 36 mm sensor
has 85 / 36 * 1280 = 3022 px, so the head stands 1.511 m away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt

from smirk_core.take import Take

__all__ = ["LENS", "Cameras", "build_cameras", "cameras_of", "has_camera", "remember_cameras", "shared_perspective"]

Floats = npt.NDArray[np.floating[Any]]
LENS = 85.0  # mm, a portrait lens: long enough to be close to the take's orthographic view
_SENSOR = 36.0  # mm, Blender's default width
_SOURCE = "smirk_source"  # custom property of the perspective camera: the footage that it belongs to
_ORTHOGRAPHIC, _PERSPECTIVE = "smirk_orthographic", "smirk_perspective"  # of the armature


@dataclass(frozen=True)
class Cameras:
    """The two cameras of a head.

    Attributes:
        orthographic, perspective: camera objects.
        focal: focal length of the perspective camera in pixels.
        distance: of both cameras from the origin, in metres.
    """

    orthographic: bpy.types.Object
    perspective: bpy.types.Object
    focal: float
    distance: float


def has_camera(take: Take) -> bool:
    """Whether the take says where in a picture the head is."""
    return "camera" in take.filtered and take.info.width > 0 and take.info.height > 0


def shared_perspective(scene: bpy.types.Scene, source: str) -> bpy.types.Object | None:
    """The perspective camera that an earlier take of the same footage has put into the scene."""
    if not source:
        return None
    return next((o for o in scene.objects if o.type == "CAMERA" and o.get(_SOURCE) == source), None)


def cameras_of(armature: bpy.types.Object, take: Take) -> Cameras | None:
    """The cameras that a head got with its first take, for another take of maybe another picture size.

    The cameras stay where they are; the lens is the same in mm, thus another in pixels where the size is another.
    """
    orthographic, perspective = armature.get(_ORTHOGRAPHIC), armature.get(_PERSPECTIVE)
    if orthographic is None or perspective is None:
        return None
    return Cameras(orthographic, perspective, _focal(perspective, take), -perspective.location.y)


def remember_cameras(armature: bpy.types.Object, cameras: Cameras) -> None:
    """Note on a head which cameras are its own, for :func:`cameras_of`."""
    armature[_ORTHOGRAPHIC], armature[_PERSPECTIVE] = cameras.orthographic, cameras.perspective


def build_cameras(
    take: Take,
    name: str,
    collection: bpy.types.Collection,
    *,
    lens: float = LENS,
    perspective: bpy.types.Object | None = None,
) -> Cameras:
    """Make the cameras of a take; both get their background and animation elsewhere.

    Args:
        take: with a camera group and a frame size (:func:`has_camera`).
        name: of the objects, ``NAME orthographic`` and ``NAME perspective``.
        collection: where to link them.
        lens: focal length of the perspective camera in mm.
        perspective: use this camera of another face of the same footage (:func:`shared_perspective`).
    """
    longer = max(take.info.width, take.info.height)
    shared: Any = perspective  # Any: Blender's objects have no types
    if shared is None:
        distance = lens / _SENSOR * longer / float(np.median(take.filtered["camera"][:, 0]))
        shared = _camera(f"{name} perspective", collection, distance)
        shared.data.lens = lens
        shared[_SOURCE] = take.info.source
    distance = -shared.location.y
    orthographic = _camera(f"{name} orthographic", collection, distance)
    orthographic.data.type = "ORTHO"
    orthographic.data.ortho_scale = longer / float(take.filtered["camera"][0, 0])
    return Cameras(orthographic, shared, _focal(shared, take), distance)


def _focal(camera: Any, take: Take) -> float:
    """Focal length of a camera in pixels of the take's picture."""
    return camera.data.lens / camera.data.sensor_width * max(take.info.width, take.info.height)


def _camera(name: str, collection: bpy.types.Collection, distance: float) -> bpy.types.Object:
    """A camera at (0, -distance, 0) that looks along +y with z up; its clipping holds any head in front of it."""
    data = bpy.data.cameras.new(name)
    data.sensor_fit = "AUTO"  # lens and orthographic scale belong to the longer side of the picture
    data.sensor_width = _SENSOR
    data.clip_start, data.clip_end = 0.01, max(100.0, 10 * distance)
    camera = bpy.data.objects.new(name, data)
    camera.location = (0.0, -distance, 0.0)
    camera.rotation_euler = (math.pi / 2, 0.0, 0.0)
    collection.objects.link(camera)
    return camera
