# SPDX-License-Identifier: GPL-3.0-or-later
"""A way back: what a build that fails half way has put into the file is taken out again."""

from __future__ import annotations

from typing import Any

import bpy

__all__ = ["SceneGuard"]

_ANIMATED = ("objects", "shape_keys", "cameras")
_SLOT = "action_slot_handle"  # from Blender 4.4 on
_SCENE = ("frame_start", "frame_end", "frame_current", "sync_mode")
_RENDER = (
    "fps",
    "fps_base",
    "resolution_x",
    "resolution_y",
    "resolution_percentage",
    "pixel_aspect_x",
    "pixel_aspect_y",
)


class SceneGuard:
    """Remembers the file as it is when made; :meth:`restore` goes back to it as far as our building may change it.

    Kept as names and numbers only: nothing here dangles when data-blocks go.
    """

    def __init__(self) -> None:
        scene = bpy.context.scene
        self._scene = scene.name
        self._names = {kind: {block.name_full for block in blocks} for kind, blocks in _collections().items()}
        self._values = [(name, getattr(scene, name)) for name in _SCENE]
        self._render = [(name, getattr(scene.render, name)) for name in _RENDER]
        self._camera = scene.camera.name if scene.camera is not None else ""
        self._world = scene.world.name if scene.world is not None else ""
        self._editor = scene.sequence_editor is not None
        self._strips = {strip.name for strip in _strips(scene)}
        active = bpy.context.view_layer.objects.active
        self._active = active.name if active is not None else ""
        self._actions = {
            (kind, block.name): (block.animation_data.action.name, getattr(block.animation_data, _SLOT, 0))
            for kind in _ANIMATED
            for block in getattr(bpy.data, kind)
            if block.animation_data is not None and block.animation_data.action is not None
        }

    def restore(self) -> None:
        """Remove what is new and put the scene's settings back."""
        active = bpy.context.view_layer.objects.active
        if active is not None and active.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        scene = bpy.data.scenes.get(self._scene)
        if scene is not None:
            for strip in [s for s in _strips(scene) if s.name not in self._strips]:
                _strips(scene).remove(strip)
            if not self._editor and scene.sequence_editor is not None:
                scene.sequence_editor_clear()
        new = [
            block
            for kind, blocks in _collections().items()
            for block in blocks
            if block.name_full not in self._names.get(kind, set())
        ]
        bpy.data.batch_remove(new)
        if scene is None:
            return
        for name, value in self._values:
            setattr(scene, name, value)
        for name, value in self._render:
            setattr(scene.render, name, value)
        scene.camera = bpy.data.objects.get(self._camera) if self._camera else None
        scene.world = bpy.data.worlds.get(self._world) if self._world else None
        bpy.context.view_layer.objects.active = bpy.data.objects.get(self._active) if self._active else None
        for (kind, name), (action, handle) in self._actions.items():
            _put_back(getattr(bpy.data, kind).get(name), bpy.data.actions.get(action), handle)


def _put_back(block: Any, action: bpy.types.Action | None, handle: int) -> None:
    """The action that a data-block had, where another one took its place."""
    if block is None or action is None or block.animation_data is None or block.animation_data.action == action:
        return
    block.animation_data.action = action
    if handle:
        setattr(block.animation_data, _SLOT, handle)


def _collections() -> dict[str, Any]:
    """All kinds of data-blocks that a build may make."""
    kinds = ("actions", "armatures", "cameras", "collections", "images", "lights", "materials", "meshes")
    kinds += ("movieclips", "node_groups", "objects", "sounds", "worlds")  # shape keys go with their mesh
    return {kind: getattr(bpy.data, kind) for kind in kinds}


def _strips(scene: bpy.types.Scene) -> Any:
    editor: Any = scene.sequence_editor
    if editor is None:
        return ()
    return editor.sequences if bpy.app.version < (4, 4) else editor.strips
