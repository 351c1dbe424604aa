# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene around a head: rate, frame range, size of the picture, playback, and light where there is none.

The view transform stays as it is (AgX in a new file): it is a choice about the person's picture. Set it to
*Standard* to compare colours with the footage.
"""

from __future__ import annotations

import math
from typing import Any

import bpy

from smirk_core.take import TakeInfo

__all__ = ["add_light", "scene_rate", "set_rate", "set_scene"]


def scene_rate(scene: bpy.types.Scene) -> float:
    """Frames per second of the scene."""
    return scene.render.fps / scene.render.fps_base


def set_rate(scene: bpy.types.Scene, rate: float) -> None:
    """Run the scene at ``rate``: 30000/1001 is written as 30 with a base of 1.001, as Blender's own presets do."""
    whole = max(1, round(rate))
    scene.render.fps, scene.render.fps_base = whole, whole / rate


def set_scene(scene: bpy.types.Scene, info: TakeInfo, rate: float, first: int, last: int) -> None:
    """Rate (0 leaves it), frame range, and the footage's size where it is known; sound leads the playback."""
    if rate > 0:
        set_rate(scene, rate)
    scene.frame_start, scene.frame_end = max(0, first), max(0, first, last)
    scene.frame_set(scene.frame_start)
    if info.width > 0 and info.height > 0:
        scene.render.resolution_x, scene.render.resolution_y = info.width, info.height
        scene.render.resolution_percentage = 100
        scene.render.pixel_aspect_x = scene.render.pixel_aspect_y = 1.0
    scene.sync_mode = "AUDIO_SYNC"


def add_light(scene: bpy.types.Scene, collection: bpy.types.Collection, head: bpy.types.Object) -> None:
    """Three lamps round ``head`` and a quiet sky, so that a first render shows a face.

    Nothing where the scene has lamps already. The lamps stand where the head is now; they do not follow it.
    """
    if any(o.type == "LIGHT" for o in scene.objects):
        return
    # name, place (m), watts, size (m), colour: key from the subject's left above, fill, rim from behind
    lamps = (
        ("Key", (0.9, -1.2, 0.8), 22.0, 0.6, (1.0, 0.95, 0.88)),
        ("Fill", (-1.2, -1.0, 0.1), 7.0, 1.0, (0.86, 0.92, 1.0)),
        ("Rim", (-0.7, 1.0, 0.7), 14.0, 0.5, (1.0, 1.0, 1.0)),
    )
    for name, place, power, size, colour in lamps:
        data = bpy.data.lights.new(name, "AREA")
        data.energy, data.size, data.color = power, size, colour
        lamp = bpy.data.objects.new(name, data)
        lamp.location = [a + b for a, b in zip(place, head.location, strict=True)]
        lamp.rotation_euler = _facing_origin(place)
        collection.objects.link(lamp)
    if scene.world is None:
        world: Any = bpy.data.worlds.new("World")
        if world.node_tree is None:  # from 5.0 on it is there from the start
            world.use_nodes = True
        tree: Any = world.node_tree
        background = next(n for n in tree.nodes if n.type == "BACKGROUND")
        background.inputs["Color"].default_value = (0.12, 0.13, 0.15, 1.0)
        scene.world = world


def _facing_origin(place: tuple[float, float, float]) -> tuple[float, float, float]:
    """Euler angles that turn an object's -z from ``place`` to the origin."""
    x, y, z = place
    flat = math.hypot(x, y)
    return math.atan2(flat, z), 0.0, math.atan2(y, x) + math.pi / 2
