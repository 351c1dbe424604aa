# SPDX-License-Identifier: Apache-2.0
"""Takes as actions: one per take, a slot per data-block, keys where the time stamps are."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from toy import toy_head, toy_take

from blender_smirk.actions import Channel, apply_action, frames_of, key_action, write_action
from blender_smirk.camera import build_cameras
from blender_smirk.rig import build_head
from smirk_core.errors import TakeError


def curves_of(action: bpy.types.Action) -> dict[tuple[str, int], bpy.types.FCurve]:
    bags = action.layers[0].strips[0].channelbags
    return {(c.data_path, c.array_index): c for bag in bags for c in bag.fcurves}


def test_one_action_with_a_slot_per_data_block() -> None:
    model = toy_head()
    take = toy_take(model, 20)
    head = build_head(model, take.identity, "Head")
    cameras = build_cameras(take, "clip", bpy.context.scene.collection)
    camera = cameras.orthographic.data
    action = write_action(take, model, head, "clip", rate=25, cameras=cameras)
    assert [s.target_id_type for s in action.slots] == ["OBJECT", "KEY", "CAMERA"]
    apply_action(action, head.armature, head.keys, camera)
    for block in (head.armature, head.keys, camera):
        assert block.animation_data.action == action
        assert block.animation_data.action_slot.target_id_type == block.id_type
    bpy.context.scene.frame_set(7)
    wanted = 640 / take.filtered["camera"][6, 0]
    assert camera.ortho_scale == pytest.approx(wanted, rel=1e-6)


def test_a_second_take_is_a_second_action() -> None:
    model = toy_head()
    takes = [toy_take(model, 10, seed) for seed in (1, 2)]
    head = build_head(model, takes[0].identity, "Head")
    actions = [write_action(t, model, head, "clip", rate=25) for t in takes]
    assert [a.name for a in actions] == ["clip", "clip.001"]
    for take, action in zip(takes, actions, strict=True):
        apply_action(action, head.armature, head.keys)
        bpy.context.scene.frame_set(5)
        bpy.context.view_layer.update()
        assert head.keys.key_blocks["browInnerUp"].value == pytest.approx(take.filtered["expression"][4, 2], abs=1e-6)
    assert all(a.use_fake_user for a in actions)


def test_keys_sit_at_their_time_stamps_in_straight_lines() -> None:
    model = toy_head()
    times = 2.0 + np.array([0.0, 0.035, 0.081, 0.1])
    take = toy_take(model, 4, times=times, info={"start": 2.0})
    head = build_head(model, take.identity, "Head")
    action = write_action(take, model, head, "clip", rate=30, start=10)
    curve = curves_of(action)['key_blocks["browInnerUp"].value', 0]
    assert [k.co[0] for k in curve.keyframe_points] == pytest.approx([10, 11.05, 12.43, 13])
    assert {k.interpolation for k in curve.keyframe_points} == {"LINEAR"}
    assert np.allclose(frames_of(take, 30, 10), [10, 11.05, 12.43, 13])


def test_a_photo_is_one_key() -> None:
    model = toy_head()
    take = toy_take(model, 1, info={"kind": "photo", "rate": 0.0})
    head = build_head(model, take.identity, "Head")
    action = write_action(take, model, head, "photo", rate=24, start=1)
    assert {len(c.keyframe_points) for c in curves_of(action).values()} == {1}
    assert tuple(action.frame_range) == (1, 1)


def test_a_channel_that_never_changes_is_one_key() -> None:
    camera = bpy.data.cameras.new("Camera")
    frames = np.arange(1.0, 6.0)
    channels = [Channel("lens", 0, np.full(5, 35.0)), Channel("shift_x", 0, np.linspace(0, 1, 5))]
    action = key_action("still", [(camera, channels)], frames)
    assert [len(c.keyframe_points) for c in curves_of(action).values()] == [1, 5]


def test_sliders_grow_to_what_the_take_holds() -> None:
    model = toy_head()
    take = toy_take(model, 3)
    take.filtered["expression"][1] = (-0.4, 1.7, 0, 0, 30, 0)
    head = build_head(model, take.identity, "Head")
    action = write_action(take, model, head, "clip", rate=25)
    apply_action(action, head.keys)
    bpy.context.scene.frame_set(2)
    blocks = head.keys.key_blocks
    assert blocks["mouthSmileLeft"].value == pytest.approx(-0.4)
    assert blocks["mouthSmileRight"].value == pytest.approx(1.7)
    assert blocks["mouthPucker"].slider_max == 10.0  # Blender's own limit
    assert blocks["cheekPuff"].slider_max == 1.0


def test_raw_and_filtered_can_both_be_keyed() -> None:
    model = toy_head()
    take = toy_take(model, 5)
    calm = {k: np.zeros_like(v) if k == "jaw" else v for k, v in take.raw.items()}
    take = take.with_filtered(calm, ({"name": "test"},))
    head = build_head(model, take.identity, "Head")
    path = 'pose.bones["jaw"].rotation_quaternion'
    assert len(curves_of(write_action(take, model, head, "calm", rate=25))[path, 1].keyframe_points) == 1
    assert len(curves_of(write_action(take, model, head, "raw", rate=25, raw=True))[path, 1].keyframe_points) == 5


def test_a_take_of_another_head_is_refused() -> None:
    model = toy_head()
    take = toy_take(model, 3, info={"head": "flame2020"})
    head = build_head(model, take.identity, "Head")
    with pytest.raises(TakeError, match="flame2020"):
        write_action(take, model, head, "clip", rate=25)
    assert not len(bpy.data.actions)


def test_rounded_time_stamps_sit_on_whole_frames() -> None:
    """Matroska keeps milliseconds: 33 ms is frame 1 at 30 fps, 40 ms is between frames."""
    take = toy_take(toy_head(), 4, times=np.array([0.0, 0.033, 0.067, 0.107]))
    assert frames_of(take, 30, 1).tolist() == [1, 2, 3, pytest.approx(4.21)]
