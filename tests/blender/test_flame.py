# SPDX-License-Identifier: Apache-2.0
"""FLAME in Blender, from a file in the official format: the evaluated mesh is the decoder's, live."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from checks import TOLERANCE, evaluated, shown
from mathutils import Vector
from scipy.spatial import cKDTree  # pyright: ignore[reportAttributeAccessIssue]
from test_save import read_back, skinned, world_points

from blender_smirk import api, head_source
from blender_smirk.actions import apply_action, write_action
from blender_smirk.eyelids import lids_before_skinning
from blender_smirk.head_source import load_remembered
from blender_smirk.headless import write_scene
from blender_smirk.key_names import names_of
from blender_smirk.materials import add_materials
from blender_smirk.rig import HeadObjects, add_identity_keys, bake_identity, build_head, identity_of, model_of
from blender_smirk.shape_keys import to_blender
from smirk_core.errors import AssetError
from smirk_core.heads.decode import decode
from smirk_core.heads.flame import load_flame
from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.rotation import quaternion_from_rotvec
from smirk_core.take import Take, TakeInfo

SETS = 50
FACE = Path(__file__).parent.parent / "data" / "face.png"


@pytest.fixture(scope="module", params=["faithful", "rig"])
def flame(request: pytest.FixtureRequest, flame_file: Path) -> HeadModel:
    return load_flame(flame_file, eyelids=request.param)


def random_sets(model: HeadModel, count: int = SETS, seed: int = 7) -> dict[str, np.ndarray]:
    """Head turned up to 60 degrees, neck, jaw open, gaze, lids about half closed, expressions to 3, any identity."""
    rng = np.random.default_rng(seed)
    axis = rng.standard_normal((count, 3))
    turn = np.radians(rng.uniform(-60, 60, (count, 1)))
    return {
        "identity": rng.standard_normal((count, model.identity_size)),
        "expression": rng.uniform(-3, 3, (count, model.expression_size)),
        "eyelids": rng.uniform(0.3, 0.7, (count, 2)),
        "rotation": turn * axis / np.linalg.norm(axis, axis=1, keepdims=True),
        "neck": rng.uniform(-0.5, 0.5, (count, 3)),
        "jaw": np.stack([rng.uniform(0.1, 0.6, count), *rng.uniform(-0.2, 0.2, (2, count))], axis=1),
        "eyes": rng.uniform(-0.5, 0.5, (count, 4)),
    }


def exact(model: HeadModel, sets: dict[str, np.ndarray]) -> np.ndarray:
    """(N, V, 3) the decoder in double precision, Blender axes."""
    fields = {k: v.astype(np.float64) for k, v in vars(model).items() if getattr(v, "dtype", None) == np.float32}
    return to_blender(decode(replace(model, **fields), sets).vertices)


def take_of(model: HeadModel, sets: dict[str, np.ndarray]) -> Take:
    groups = {name: values for name, values in sets.items() if name != "identity"}
    info = TakeInfo(width=640, height=480, rate=25.0, head=model.name, head_digest=model.digest)
    return Take(info, np.arange(len(groups["jaw"])) / 25.0, sets["identity"][0], groups, groups)


def pose_by_hand(head: HeadObjects, model: HeadModel, sets: dict[str, np.ndarray], i: int) -> None:
    """Set every slider and bone to set ``i``, as an animator would."""
    names, blocks = names_of(head.mesh, model), head.keys.key_blocks
    for keys, group in ((names.identity, "identity"), (names.expression, "expression"), (names.eyelids, "eyelids")):
        for key, value in zip(keys, sets[group][i].tolist(), strict=True):
            if key in blocks:
                blocks[key].value = value
    gaze = np.zeros((2, 3))
    gaze[:, :2] = sets["eyes"][i].reshape(2, 2)
    turns = [sets["rotation"][i], sets["neck"][i], sets["jaw"][i], *gaze]
    for bone, turn in zip(model.joint_names, turns, strict=True):
        head.armature.pose.bones[bone].rotation_quaternion = quaternion_from_rotvec(turn[None])[0].tolist()
    bpy.context.view_layer.update()


def test_live_identity_posed_by_hand_is_the_decode(
    flame: HeadModel, record_property: Callable[[str, object], None]
) -> None:
    sets = random_sets(flame)
    truth = exact(flame, sets)
    head = build_head(flame, np.zeros(0), "Head", identity_keys="all")
    errors = []
    for i in range(SETS):
        pose_by_hand(head, flame, sets, i)
        errors.append(np.abs(shown(head) - truth[i]).max())
    record_property("worst_m", float(max(errors)))
    assert max(errors) <= TOLERANCE
    assert np.abs(truth[1:] - truth[:-1]).max(axis=(1, 2)).min() > 1000 * TOLERANCE


def test_baked_identity_played_by_an_action_is_the_decode(
    flame: HeadModel, record_property: Callable[[str, object], None]
) -> None:
    errors = []
    for seed in range(5):
        sets = random_sets(flame, SETS // 5, seed)
        sets["identity"][:] = sets["identity"][0]
        truth = exact(flame, sets)
        take = take_of(flame, sets)
        head = build_head(flame, take.identity, "Head")
        apply_action(write_action(take, flame, head, "Take", rate=25.0), head.armature, head.keys)
        errors += [np.abs(evaluated(head, 1 + i) - truth[i]).max() for i in range(len(take))]
    record_property("worst_m", float(max(errors)))
    assert len(errors) == SETS
    assert max(errors) <= TOLERANCE


def test_lids_and_joints_are_what_make_it_exact(flame: HeadModel) -> None:
    """The comparison sees lids of the other kind, and joints that do not follow the expression."""
    sets = random_sets(flame, 1)
    head = build_head(flame, sets["identity"][0], "Head")
    pose_by_hand(head, flame, sets, 0)
    other = replace(flame, eyelids_after_skinning=not flame.eyelids_after_skinning)
    stiff = replace(flame, joints_follow_expression=False)
    for wrong in (other, stiff):
        assert np.abs(shown(head) - exact(wrong, sets)[0]).max() > 10 * TOLERANCE


def test_survives_a_file(flame: HeadModel, tmp_path: Path) -> None:
    sets = random_sets(flame, 2)
    build_head(flame, sets["identity"][0], "Head", identity_keys=10, names="flame")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "head.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "head.blend"))
    head = HeadObjects.of(bpy.data.objects["Head"])
    assert head is not None
    sets["identity"][1, 10:] = sets["identity"][0, 10:]  # only ten are live
    truth = exact(flame, sets)
    for i in range(2):
        pose_by_hand(head, flame, sets, i)
        assert np.abs(shown(head) - truth[i]).max() <= TOLERANCE
    bake_identity(head, flame)
    assert np.abs(shown(head) - truth[1]).max() <= TOLERANCE
    assert "Shape1" not in head.keys.key_blocks
    add_identity_keys(head, flame, 3)
    assert np.abs(shown(head) - truth[1]).max() <= TOLERANCE


def test_a_copy_follows_its_own_sliders(flame: HeadModel) -> None:
    sets = random_sets(flame, 2)
    sets["identity"][1, 5:] = sets["identity"][0, 5:]
    truth = exact(flame, sets)
    head = build_head(flame, sets["identity"][0], "Head", identity_keys=5)
    pose_by_hand(head, flame, sets, 0)
    for obj in (head.armature, head.mesh):
        obj.select_set(True)
    bpy.ops.object.duplicate()
    copy = HeadObjects.of(bpy.data.objects["Head.001"])
    assert copy is not None
    pose_by_hand(copy, flame, sets, 1)
    assert np.abs(shown(head) - truth[0]).max() <= TOLERANCE
    assert np.abs(shown(copy) - truth[1]).max() <= TOLERANCE


def test_all_drivers_are_simple(flame: HeadModel) -> None:
    head = build_head(flame, np.zeros(0), "Head", identity_keys="all", names="flame")
    blocks: list[bpy.types.ID] = [head.armature, head.keys]
    if flame.eyelids_after_skinning:
        blocks.append(head.mesh)
    drivers = [curve.driver for block in blocks for curve in block.animation_data.drivers]
    assert all(driver.is_simple_expression and driver.is_valid for driver in drivers)
    assert all(len(driver.expression) <= 255 for driver in drivers)
    keys = [key.name for key in head.keys.key_blocks]
    assert keys[1:301] == [f"Shape{k}" for k in range(1, 301)]
    assert keys[301:351] == [f"Exp{k}" for k in range(1, 51)]
    assert keys[353:] == [f"Pose{k}" for k in range(1, 37)]
    assert (head.keys.key_blocks["Exp1"].slider_min, head.keys.key_blocks["Exp1"].slider_max) == (-10.0, 10.0)
    assert [bone.name for bone in head.armature.data.bones] == ["root", "neck", "jaw", "left_eye", "right_eye"]


def test_exporters_get_lids_as_keys(flame: HeadModel) -> None:
    sets = random_sets(flame, 1)
    head = build_head(flame, sets["identity"][0], "Head")
    pose_by_hand(head, flame, sets, 0)
    turning = exact(replace(flame, eyelids_after_skinning=False), sets)[0]
    with lids_before_skinning([head.mesh]):
        bpy.context.view_layer.update()
        assert np.abs(shown(head) - turning).max() <= TOLERANCE
        assert not any(key.mute for key in head.keys.key_blocks)
    bpy.context.view_layer.update()
    assert np.abs(shown(head) - exact(flame, sets)[0]).max() <= TOLERANCE


def test_the_rig_finds_its_model_in_another_session(
    flame: HeadModel, flame_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = take_of(flame, random_sets(flame, 3))
    load_remembered(flame_file)
    api.add_take(take, head=flame, name="Head")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "head.blend"))
    monkeypatch.setattr(head_source, "_models", {})
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "head.blend"))
    mesh = bpy.data.objects["Head"]
    head = HeadObjects.of(mesh)
    assert head is not None
    found = model_of(head)
    assert found is not flame
    assert (found.digest, found.eyelids_after_skinning) == (flame.digest, flame.eyelids_after_skinning)
    assert api.apply_take(mesh, take)["smirk_names"] == "smirk"
    monkeypatch.setattr(head_source, "_models", {})
    head.armature[head_source.SOURCE_PROPERTY] = str(tmp_path / "gone.pkl")
    with pytest.raises(AssetError, match="flame-custom"):
        model_of(head)


def test_a_slider_that_ends_too_soon_is_reported(flame: HeadModel, tmp_path: Path) -> None:
    sets = random_sets(flame, 2)
    sets["expression"][1, 4] = -12.5
    take = take_of(flame, sets)
    made = api.add_take(take, head=flame)
    assert made.warning == "Blender's sliders end at 10: exp_005 -12.5 is cut off there."
    with pytest.warns(UserWarning, match="exp_005 -12.5"):
        write_scene([take], tmp_path / "head.blend", head=flame)
    assert api.add_take(take_of(flame, random_sets(flame, 2)), head=flame).warning == ""


def test_materials_do_without_masks(flame: HeadModel) -> None:
    bare = replace(flame, regions={}, uvs=np.zeros((0, 2), np.float32), polygon_uvs=np.zeros((0, 4), np.int32))
    head = build_head(bare, np.zeros(0), "Head")
    add_materials(head.mesh, bare)
    assert [slot.material is not None for slot in head.mesh.material_slots] == [True] * len(flame.material_names)


def test_a_photo_becomes_a_flame_head(flame_file: Path) -> None:
    made = api.animate(FACE, head=flame_file, identity_keys=5)
    head = HeadObjects(made.armature, made.mesh)
    model = model_of(head)
    assert made.take.info.head_digest == model.digest
    assert np.allclose(identity_of(head, model), made.take.identity, atol=1e-6)
    assert made.cameras is not None
    bpy.context.scene.frame_set(1)
    assert np.abs(shown(head) - exact(model, made.take.parameters())[0]).max() <= TOLERANCE
    # It looks at the camera, and its nose is where it is in the picture.
    points = shown(head) @ np.array(made.armature.matrix_world)[:3, :3].T + np.array(made.armature.location)
    nose = points[points[:, 1].argmin()]
    seen = world_to_camera_view(bpy.context.scene, made.cameras.orthographic, Vector(nose.tolist()))
    assert 0.3 < seen.x < 0.7
    assert 0.3 < seen.y < 0.7


@pytest.mark.parametrize("suffix", [".glb", ".fbx", ".usd"])
def test_exports_move_like_the_head(flame_file: Path, tmp_path: Path, suffix: str) -> None:
    """Joints that follow the expression and live identity come along; lids turn with the head."""
    model = load_flame(flame_file, eyelids="faithful")
    weights = np.where(model.skinning_weights < 2e-4, 0, model.skinning_weights)  # glTF's exporter drops those,
    weights[np.arange(len(weights)), weights.argmin(axis=1)] = 0  # and glTF knows four bones a vertex
    model = replace(model, skinning_weights=weights / weights.sum(axis=1, keepdims=True))
    sets = random_sets(model, 12)
    walk = np.linspace(0, 1, 12)[:, None]
    sets = {name: values[:1] * (1 - walk) + values[1:2] * walk for name, values in sets.items()}
    sets["identity"][:] = sets["identity"][0]
    take = take_of(model, sets)
    truth = exact(replace(model, eyelids_after_skinning=False), sets)
    head = build_head(model, take.identity, "Head", identity_keys=20)
    apply_action(write_action(take, model, head, "Take", rate=25.0), head.armature, head.keys)
    bpy.context.scene.frame_end = 12
    bpy.context.scene.render.fps = 25
    path = api.save(tmp_path / f"head{suffix}")
    first = read_back(path)
    for frame in (0, 5, 11):
        away, _ = cKDTree(world_points(skinned(), frame + first)).query(truth[frame])
        assert away.max() <= TOLERANCE
