# SPDX-License-Identifier: Apache-2.0
"""A portrait studio in Blender: one long lens, three soft lamps, a grey wall, a fixed view transform."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

import bpy
import numpy as np
import numpy.typing as npt
from mathutils import Vector

__all__ = ["ENGINES", "Engine", "Studio"]

Engine = Literal["cycles", "solid", "preview"]
ENGINES: dict[str, str] = {"cycles": "CYCLES", "solid": "BLENDER_WORKBENCH", "preview": "BLENDER_EEVEE_NEXT"}
if bpy.app.version >= (5, 0):  # the old name is back since the old engine is gone
    ENGINES["preview"] = "BLENDER_EEVEE"
FOCAL = 85.0  # mm, on a sensor 24 mm high (a portrait lens on full frame, the picture square)
SENSOR = 24.0
DISTANCE = 1.1  # metres from camera to subject for every picture: close-ups are crops, their perspective is the same
WALL = (0.105, 0.115, 0.125)  # linear, at its middle
EXPOSURE = 0.0
# name, place in metres (x to the picture's right, y away from the camera, z up), watts, width and height (m), colour
LAMPS = (
    ("Key", (-0.95, -1.05, 0.85), 34.0, 0.6, 0.8, (1.0, 0.965, 0.92)),
    ("Fill", (1.35, -1.0, 0.05), 8.0, 1.3, 1.3, (0.93, 0.965, 1.0)),
    ("Rim", (0.75, 0.95, 0.75), 26.0, 0.35, 0.9, (1.0, 1.0, 1.0)),
    ("Hair", (-0.75, 0.9, 0.8), 10.0, 0.35, 0.7, (1.0, 1.0, 1.0)),
)
AMBIENT = 0.22


class Studio:
    """The scene around the subject; makes square pictures.

    Everything is written into a new empty scene. The wall is added after rendering, so that all engines have the same.
    """

    def __init__(self, size: int, samples: int, threads: int = 0) -> None:
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        self.size, self.samples, self.threads = size, samples, threads
        scene: Any = bpy.context.scene
        self.scene = scene
        render = scene.render
        render.resolution_x = render.resolution_y = size
        render.resolution_percentage = 100
        render.film_transparent = True
        render.use_persistent_data = True
        render.image_settings.file_format = "PNG"
        render.image_settings.color_mode = "RGBA"
        if threads:
            render.threads_mode, render.threads = "FIXED", threads
        scene.display_settings.display_device = "sRGB"
        scene.view_settings.exposure, scene.view_settings.gamma = EXPOSURE, 1.0
        self._camera()
        self._lamps()
        self._cycles()
        self._viewport()

    def _camera(self) -> None:
        data = bpy.data.cameras.new("Camera")
        data.sensor_fit, data.sensor_width = "HORIZONTAL", SENSOR
        data.clip_start, data.clip_end = 0.05, 10.0
        camera = bpy.data.objects.new("Camera", data)
        camera.rotation_euler = (math.pi / 2, 0.0, 0.0)
        self.scene.collection.objects.link(camera)
        self.scene.camera = camera

    def _lamps(self) -> None:
        for name, place, power, width, height, colour in LAMPS:
            data: Any = bpy.data.lights.new(name, "AREA")
            data.shape, data.size, data.size_y = "RECTANGLE", width, height
            data.energy, data.color = power, colour
            lamp = bpy.data.objects.new(name, data)
            lamp.location = place
            lamp.visible_glossy = name != "Fill"  # a wall of light is no catch-light: it would veil half the iris
            lamp.rotation_euler = Vector(place).to_track_quat("Z", "Y").to_euler()
            self.scene.collection.objects.link(lamp)
        world: Any = bpy.data.worlds.new("World")
        if world.node_tree is None:
            world.use_nodes = True
        tree: Any = world.node_tree
        background = tree.nodes["Background"]
        background.inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
        background.inputs["Strength"].default_value = AMBIENT
        self.scene.world = world

    def _cycles(self) -> None:
        cycles = self.scene.cycles
        cycles.samples, cycles.seed = self.samples, 0
        cycles.use_adaptive_sampling = True
        cycles.adaptive_threshold = 0.02
        cycles.use_denoising = True
        cycles.denoiser = "OPENIMAGEDENOISE"
        cycles.denoising_prefilter = "FAST"
        cycles.max_bounces, cycles.transparent_max_bounces = 6, 64
        cycles.sample_clamp_indirect = 3.0

    def _viewport(self) -> None:
        shading = self.scene.display.shading
        shading.light, shading.color_type = "STUDIO", "MATERIAL"
        shading.show_cavity, shading.cavity_type = True, "BOTH"
        self.scene.eevee.taa_render_samples = 8

    def aim(self, target: npt.NDArray[np.floating[Any]], extent: float) -> None:
        """Show a square of ``extent`` metres around ``target`` (3,), in Blender's axes, from straight ahead."""
        camera: Any = self.scene.camera
        camera.location = (float(target[0]), float(target[1]) - DISTANCE, float(target[2]))
        camera.data.lens = SENSOR * DISTANCE / extent  # 85 mm for a whole head; longer is the same picture, cropped

    def render(self, path: Path, engine: Engine = "cycles") -> None:
        """Write one picture; the file appears whole or not at all.

        Raises:
            RuntimeError: Blender cannot render, for instance because there is no OpenGL for the viewport's engines.
        """
        self.scene.render.engine = ENGINES[engine]
        view: Any = self.scene.view_settings
        view.view_transform = "Standard" if engine == "solid" else "AgX"  # as the solid view does
        view.look = "None" if engine == "solid" else "AgX - Medium High Contrast"
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.stem}.part.png")
        self.scene.render.filepath = str(part)
        bpy.ops.render.render(write_still=True)
        _on_wall(part)
        part.replace(path)


def _on_wall(path: Path) -> None:
    """Put the grey wall, brighter in the middle as a lit one, behind the picture in ``path``."""
    from PIL import Image

    picture = np.asarray(Image.open(path).convert("RGBA"), np.float32) / 255
    size = len(picture)
    y, x = np.mgrid[0:size, 0:size] / (size - 1) - 0.5
    glow = np.exp(-2.2 * (x**2 + (y + 0.05) ** 2))
    linear = np.asarray(WALL)[None, None] * (0.55 + 0.75 * glow[..., None])
    wall = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    alpha = picture[..., 3:]
    out = picture[..., :3] * alpha + wall * (1 - alpha)
    Image.fromarray((out * 255).round().clip(0, 255).astype(np.uint8)).save(path, "PNG")
