# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene as a file: ``.blend``, or its heads with their animation as ``.glb``, ``.fbx`` or ``.usd``.

A file is written beside its place under another name and renamed, so that it appears whole or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import addon_utils  # pyright: ignore[reportMissingModuleSource]
import bpy

from smirk_core.errors import ExportError
from smirk_core.export.atomic import atomic

from .eyelids import lids_before_skinning
from .rig import HeadObjects
from .wear import worn_objects

__all__ = ["SUFFIXES", "save"]

Heads = Sequence[HeadObjects] | None
_ZSTD, _ZSTD_TABLE = b"\x28\xb5\x2f\xfd", b"\xb1\xea\x92\x8f"


def save(path: str | os.PathLike[str], *, heads: Sequence[HeadObjects] | None = None) -> Path:
    """Write the current scene; the suffix says how.

    ``.blend`` holds the whole file. ``.glb``, ``.fbx``, ``.usd``, ``.usda`` and ``.usdc`` hold all heads of the scene:
    mesh, bones, shape keys and the animation that they play now, correctives included.

    Args:
        path: of the file.
        heads: only these, where the file holds heads and not the whole scene.

    Raises:
        ExportError: unknown suffix, no head to export, a place that cannot be written, or a full disk.
    """
    path = Path(bpy.path.abspath(os.fspath(path))).absolute()
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise ExportError(f"Cannot write '{path.name}': the name must end in one of {', '.join(SUFFIXES)}.")
    if path.is_dir():
        raise ExportError(f"Cannot write {path}: it is a folder.")
    _leave_edit_mode()
    with atomic(path) as temporary:
        try:
            finished = "FINISHED" in write(temporary, heads)
        except RuntimeError as error:  # Blender's operators report every failure so
            raise ExportError(f"Cannot write {path}: {_reason(error)}.") from error
        if not finished or not _complete(temporary):
            raise ExportError(f"Cannot write {path}: the disk may be full.")
    return path


def _write_blend(path: Path, heads: Heads) -> set[str]:
    path.unlink()  # else Blender keeps the empty file as a backup, NAME.blend1
    return bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=True, check_existing=False)


def _write_glb(path: Path, heads: Heads) -> set[str]:
    _enable("io_scene_gltf2")
    with _heads_selected(heads):
        return bpy.ops.export_scene.gltf(
            filepath=str(path),
            export_format="GLB",
            use_selection=True,
            export_apply=False,  # applying modifiers would drop the shape keys
            export_skins=True,
            export_morph=True,
            export_morph_normal=False,
            export_animations=True,
            export_animation_mode="ACTIVE_ACTIONS",
            export_anim_slide_to_zero=True,  # the take begins at 0 s, as the footage does
            export_force_sampling=True,  # driven correctives only exist frame by frame
            export_optimize_animation_size=False,  # would drop motion of less than 0.1 mm, as of joints
        )


def _write_fbx(path: Path, heads: Heads) -> set[str]:
    _enable("io_scene_fbx")
    with _heads_selected(heads):
        return bpy.ops.export_scene.fbx(
            filepath=str(path),
            use_selection=True,
            object_types={"ARMATURE", "MESH"},
            use_mesh_modifiers=False,
            add_leaf_bones=False,
            bake_anim=True,
            bake_anim_use_all_bones=True,
            bake_anim_use_nla_strips=False,
            bake_anim_use_all_actions=False,
            bake_anim_simplify_factor=0.0,
        )


def _write_usd(path: Path, heads: Heads) -> set[str]:
    with _heads_selected(heads):
        return bpy.ops.wm.usd_export(
            filepath=str(path),
            selected_objects_only=True,
            export_animation=True,
            export_armatures=True,
            export_shapekeys=True,
            export_custom_properties=False,  # our notes are of no use outside Blender
            export_materials=True,
            convert_world_material=False,  # would put a folder of textures beside the file
            check_existing=False,
        )


_WRITERS: dict[str, Callable[[Path, Heads], set[str]]] = {
    ".blend": _write_blend,
    ".glb": _write_glb,
    ".fbx": _write_fbx,
    ".usd": _write_usd,
    ".usda": _write_usd,
    ".usdc": _write_usd,
}
SUFFIXES: tuple[str, ...] = tuple(_WRITERS)


def _complete(path: Path) -> bool:
    """Whether the end of a file is there: Blender's own writers do not notice a disk that is full."""
    data = path.read_bytes() if path.exists() else b""
    if data.startswith(b"BLENDER"):
        return b"ENDB" in data[-64:]
    if data.startswith(_ZSTD):  # a compressed .blend ends with the table of its frames
        return data.endswith(_ZSTD_TABLE)
    if data.startswith(b"PXR-USDC"):  # the header says where the table of contents at the end begins
        return int.from_bytes(data[16:24], "little") < len(data)
    if data.startswith(b"#usda"):
        return data.rstrip().endswith(b"}")
    return len(data) > 0  # glTF and FBX are written in Python, which raises


@contextmanager
def _heads_selected(chosen: Heads) -> Iterator[None]:
    """Select every head of the scene, or the chosen ones, and nothing else, for as long as an exporter runs."""
    layer = bpy.context.view_layer
    selected, active = list(bpy.context.selected_objects), layer.objects.active
    heads = [h for h in map(HeadObjects.of, bpy.context.scene.objects) if h is not None] if chosen is None else chosen
    if not heads:
        raise ExportError("There is no head in the scene to export.")
    for obj in selected:
        obj.select_set(False)
    for head in heads:
        head.armature.select_set(True)
        head.mesh.select_set(True)
        for obj in worn_objects(head):  # hidden hair stays at home
            obj.select_set(True)
        if not (head.armature.select_get() and head.mesh.select_get()):
            raise ExportError(f"'{head.mesh.name}' is hidden and cannot be exported: show it, or delete it.")
    layer.objects.active = heads[0].armature
    try:
        with _plain_colours(head.mesh for head in heads), lids_before_skinning([head.mesh for head in heads]):
            yield
    finally:
        for obj in list(bpy.context.selected_objects):
            obj.select_set(False)
        for obj in selected:
            obj.select_set(True)
        layer.objects.active = active


@contextmanager
def _plain_colours(meshes: Iterable[bpy.types.Object]) -> Iterator[None]:
    """Cut the node colours off the shaders: no format can hold them, and exporters then write white.

    Without links they write the plain colour of the socket, which the materials have set.
    """
    cut = []
    trees = {s.material.node_tree for mesh in meshes for s in mesh.material_slots if s.material is not None}
    for tree in trees:
        for link in list(tree.links):
            if link.to_node.type == "BSDF_PRINCIPLED" and link.from_node.type != "TEX_IMAGE":
                cut.append((tree, link.from_socket, link.to_socket))
                tree.links.remove(link)
    try:
        yield
    finally:
        for tree, source, target in cut:
            tree.links.new(source, target)


def _leave_edit_mode() -> None:
    active = bpy.context.view_layer.objects.active
    if active is not None and active.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")


def _enable(name: str) -> None:
    """Blender's own exporters are add-ons; in the plain Python module they may be off."""
    if not addon_utils.check(name)[1] and addon_utils.enable(name) is None:
        raise ExportError(f"Blender's exporter '{name}' cannot be enabled: switch it on in Preferences > Add-ons.")


def _reason(error: RuntimeError) -> str:
    """The telling line of an operator's report, which may hold a whole traceback."""
    lines = [line.strip() for line in str(error).splitlines()]
    lines = [line for line in lines if line and not line.startswith("Location:")]
    return lines[-1].removeprefix("Error:").strip().rstrip(".") if lines else "unknown reason"
