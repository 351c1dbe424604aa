# SPDX-License-Identifier: Apache-2.0
"""Files written, read back into Blender, and moving as before; and files that could not be written."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import bpy
import numpy as np
import pytest
from scipy.spatial import cKDTree
from toy import toy_head, toy_take

from blender_smirk import api
from smirk_core.errors import ExportError
from smirk_core.heads.head_model import HeadModel
from smirk_core.take import Take

FRAMES = (1, 10, 33, 40)


def four_weights() -> HeadModel:
    """glTF and game engines know four bones a vertex; so do heads, unlike the plain toy."""
    weights = toy_head().skinning_weights.copy()
    weights[np.arange(len(weights)), weights.argmin(axis=1)] = 0
    return toy_head(skinning_weights=weights / weights.sum(axis=1, keepdims=True))


def some_take(model: HeadModel) -> Take:
    return toy_take(model, 40, smooth=True, info={"width": 1280, "height": 720})


def world_points(objects: list[bpy.types.Object], frame: int) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    graph = bpy.context.evaluated_depsgraph_get()
    parts = []
    for obj in objects:
        evaluated = obj.evaluated_get(graph)
        points = np.empty(3 * len(evaluated.data.vertices), np.float32)
        evaluated.data.vertices.foreach_get("co", points)
        matrix = np.array(evaluated.matrix_world)
        parts.append(points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3])
    return np.concatenate(parts)


def skinned() -> list[bpy.types.Object]:
    return [o for o in bpy.data.objects if o.type == "MESH" and any(m.type == "ARMATURE" for m in o.modifiers)]


def names_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def read_back(path: Path) -> int:
    """Import a file into an empty scene at 25 fps; returns the frame at which its animation begins."""
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.context.scene.render.fps = 25
    suffix = path.suffix
    if suffix == ".glb":
        bpy.ops.import_scene.gltf(filepath=str(path))
    elif suffix == ".fbx":
        bpy.ops.import_scene.fbx(filepath=str(path), anim_offset=0.0)
    else:
        bpy.ops.wm.usd_import(filepath=str(path))
    for obj in skinned():
        for block in obj.data.shape_keys.key_blocks[1:]:
            # Blender's importers choose a slider range of their own, which cuts negative correctives off.
            block.slider_min, block.slider_max = -10, 10
    return 0 if suffix == ".glb" else 1


@pytest.mark.parametrize("suffix", [".glb", ".fbx", ".usd", ".usda", ".usdc"])
def test_exports_move_like_the_head(tmp_path: Path, suffix: str) -> None:
    model = four_weights()
    head = api.add_take(some_take(model), head=model)
    truth = {frame: world_points([head.mesh], frame) for frame in FRAMES}
    names = {b.name for b in head.mesh.data.shape_keys.key_blocks}
    path = api.save(tmp_path / f"head{suffix}")
    assert names_in(tmp_path) == [path.name]
    first = read_back(path)
    objects = skinned()
    assert objects
    assert {b.name for b in objects[0].data.shape_keys.key_blocks} == names
    (armature,) = (o for o in bpy.data.objects if o.type == "ARMATURE")
    assert {"root", "neck", "jaw", "left_eye", "right_eye"} <= {b.name for b in armature.data.bones}
    for frame in FRAMES:
        away, _ = cKDTree(world_points(objects, frame - 1 + first)).query(truth[frame])
        assert away.max() < 1e-5
    assert np.abs(truth[FRAMES[-1]] - truth[FRAMES[0]]).max() > 0.05


def test_glb_holds_one_animation_with_rotations_and_weights(tmp_path: Path) -> None:
    import json
    import struct

    model = four_weights()
    api.add_take(some_take(model), head=model)
    data = api.save(tmp_path / "head.glb").read_bytes()
    (length,) = struct.unpack_from("<I", data, 12)
    content = json.loads(data[20 : 20 + length])
    (animation,) = content["animations"]
    targets = {(content["nodes"][c["target"]["node"]]["name"], c["target"]["path"]) for c in animation["channels"]}
    assert {("jaw", "rotation"), ("root", "rotation")} <= targets
    assert "weights" in {path for _, path in targets}
    assert content["meshes"][0]["extras"]["targetNames"][:2] == ["mouthSmileLeft", "mouthSmileRight"]


def test_a_blend_file_opens_with_everything(tmp_path: Path) -> None:
    model = toy_head()
    head = api.add_take(some_take(model), head=model)
    truth = world_points([head.mesh], 20)
    path = api.save(tmp_path / "head.blend")
    assert not bpy.data.filepath, "the file that the person works on is still theirs"
    bpy.ops.wm.open_mainfile(filepath=str(path))
    mesh = bpy.data.objects["Head"]
    assert np.abs(world_points([mesh], 20) - truth).max() < 1e-7
    assert bpy.context.scene.camera.name == "Head orthographic"


def test_exporting_leaves_the_selection(tmp_path: Path) -> None:
    model = toy_head()
    head = api.add_take(toy_take(model, 2), head=model)
    assert head.cameras is not None
    for obj in bpy.context.scene.objects:
        obj.select_set(obj == head.cameras.perspective)
    bpy.context.view_layer.objects.active = head.cameras.perspective
    api.save(tmp_path / "head.fbx")
    assert bpy.context.selected_objects == [head.cameras.perspective]
    assert bpy.context.view_layer.objects.active == head.cameras.perspective


def test_hidden_heads_are_said_not_dropped(tmp_path: Path) -> None:
    model = toy_head()
    head = api.add_take(toy_take(model, 2), head=model)
    head.mesh.hide_set(True)
    with pytest.raises(ExportError, match="hidden"):
        api.save(tmp_path / "head.glb")
    assert not names_in(tmp_path)


@pytest.mark.parametrize(("name", "message"), [("head.xyz", "must end in one of"), ("head", "must end in one of")])
def test_unknown_suffixes_are_refused(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        api.save(tmp_path / name)
    assert not names_in(tmp_path)


@pytest.mark.parametrize("suffix", [".glb", ".fbx", ".usd"])
def test_nothing_to_export_is_said(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(ExportError, match="no head"):
        api.save(tmp_path / f"none{suffix}")
    assert not names_in(tmp_path)


@pytest.mark.parametrize("suffix", [".blend", ".glb", ".fbx", ".usd"])
def test_places_that_cannot_be_written(tmp_path: Path, suffix: str) -> None:
    model = toy_head()
    api.add_take(toy_take(model, 2), head=model)
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="Cannot write"):
        api.save(tmp_path / "file" / f"head{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(ExportError, match="is a folder"):
        api.save(tmp_path / f"folder{suffix}")
    assert names_in(tmp_path) == ["file", f"folder{suffix}"]


@pytest.mark.parametrize("suffix", [".blend", ".glb", ".fbx", ".usd", ".usda"])
def test_a_full_disk_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    """A limit on the size of files stands in for the full disk: writes beyond it fail alike."""
    model = toy_head()
    api.add_take(some_take(model), head=model)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(ExportError, match="Cannot write"):
            api.save(tmp_path / f"head{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert not names_in(tmp_path)
