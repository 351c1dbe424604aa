# SPDX-License-Identifier: Apache-2.0
"""Camera match, footage, sound and frame rate of a head in the scene."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from media import write_clip
from toy import toy_head, toy_take

from blender_smirk import api, registration
from blender_smirk.key_notes import curves_of, edited_curves, note_of
from blender_smirk.refine import EditedError
from blender_smirk.scene import scene_rate
from smirk_core.errors import TakeError

PLACE = "OBJECT location 1"


@pytest.fixture
def add_on():
    before = bool(registration._registered)
    if not before:
        registration.register()
    yield
    if not before:
        registration.unregister()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("media") / "talk.mp4", sound=True)  # 30 frames at 30 per second


def animated(seed: int = 1, **info: Any) -> api.AnimatedHead:
    model = toy_head()
    return api.add_take(toy_take(model, 20, seed, smooth=True, info=info), head=model)


def filmed(clip: Path, seed: int = 1) -> api.AnimatedHead:
    return animated(seed, source=str(clip), rate=30.0, width=160, height=96)


def seen_at(head: api.AnimatedHead, frame: int) -> np.ndarray:
    """Pixel of the head's origin through the scene's camera."""
    scene: Any = bpy.context.scene
    scene.frame_set(frame)
    x, y, _ = world_to_camera_view(scene, scene.camera, head.armature.matrix_world.translation)
    width, height = scene.render.resolution_x, scene.render.resolution_y
    return np.array([x * width - 0.5, (1 - y) * height - 0.5])


def size_at(head: api.AnimatedHead, frame: int) -> float:
    """Pixels per metre in the plane of the head's origin, through the scene's camera."""
    scene: Any = bpy.context.scene
    scene.frame_set(frame)
    here = head.armature.matrix_world.translation
    ends = [world_to_camera_view(scene, scene.camera, here + here.__class__((s * 0.01, 0, 0))) for s in (-1, 1)]
    return (ends[1][0] - ends[0][0]) * scene.render.resolution_x / 0.02


@pytest.mark.parametrize("lens", [35.0, 85.0, 200.0])
def test_both_cameras_see_the_head_where_the_footage_does(lens: float) -> None:
    head = animated()
    scene: Any = bpy.context.scene
    scene.render.resolution_x = 99
    for view in ("PERSPECTIVE", "ORTHOGRAPHIC"):
        camera = api.match_camera(scene, head.mesh, view, lens=lens)
        assert scene.camera == camera and scene.render.resolution_x == 640
        for number in (0, 7, 19):
            scale, tx, ty = head.take.filtered["camera"][number]
            np.testing.assert_allclose(seen_at(head, number + 1), (tx, ty), atol=0.02)
            assert size_at(head, number + 1) == pytest.approx(scale, rel=1e-4)
    assert head.cameras.perspective.data.lens == lens


def test_a_new_lens_moves_all_heads_of_the_camera_and_only_their_place() -> None:
    first, second = animated(1, source="two.mp4"), animated(2, source="two.mp4", face=1)
    assert first.cameras.perspective == second.cameras.perspective
    before = [{n: [tuple(p.co) for p in c.keyframe_points] for n, c in curves_of(h.action)} for h in (first, second)]
    api.match_camera(bpy.context.scene, first.mesh, "PERSPECTIVE", lens=40.0)
    for head, old in zip((first, second), before, strict=True):
        now = {n: [tuple(p.co) for p in c.keyframe_points] for n, c in curves_of(head.action)}
        assert {n for n in now if now[n] != old[n]} == {PLACE}
        scale, tx, ty = head.take.filtered["camera"][3]
        np.testing.assert_allclose(seen_at(head, 4), (tx, ty), atol=0.02)
        assert size_at(head, 4) == pytest.approx(scale, rel=1e-4)
        assert edited_curves(head.action) == []


def test_a_take_that_was_away_while_the_lens_changed_fits_when_it_comes_back() -> None:
    head = animated()
    second = toy_take(toy_head(), 20, 2, smooth=True)
    api.apply_take(head.armature, second, head=toy_head())
    api.match_camera(bpy.context.scene, head.mesh, "PERSPECTIVE", lens=35.0)
    api.make_current(head.action, head.mesh)
    scale, tx, ty = head.take.filtered["camera"][9]
    np.testing.assert_allclose(seen_at(head, 10), (tx, ty), atol=0.02)
    assert size_at(head, 10) == pytest.approx(scale, rel=1e-4)


def test_refining_keeps_the_lens() -> None:
    head = animated()
    api.match_camera(bpy.context.scene, head.mesh, "PERSPECTIVE", lens=35.0)
    api.refine_take(head.action, [{"kind": "gain", "gain": 0.5}])
    assert size_at(head, 10) == pytest.approx(head.take.filtered["camera"][9, 0], rel=1e-4)


def test_a_place_that_was_edited_is_not_moved_without_a_word() -> None:
    head = animated()
    dict(curves_of(head.action))[PLACE].keyframe_points[3].co[1] = 5.0
    with pytest.raises(EditedError, match="place of the head"):
        api.match_camera(bpy.context.scene, head.mesh, "PERSPECTIVE", lens=35.0)
    assert head.cameras.perspective.data.lens == 85.0
    smile = dict(curves_of(head.action))['KEY key_blocks["mouthSmileLeft"].value 0']
    smile.keyframe_points[2].co[1] = 0.111
    api.match_camera(bpy.context.scene, head.mesh, "PERSPECTIVE", lens=35.0, overwrite=True)
    assert dict(curves_of(head.action))[PLACE].keyframe_points[3].co[1] != 5.0
    kept = dict(curves_of(head.action))['KEY key_blocks["mouthSmileLeft"].value 0'].keyframe_points[2].co[1]
    assert kept == pytest.approx(0.111)  # another curve's edit is none of the camera's business


def test_footage_is_shown_hidden_and_faded(clip: Path) -> None:
    head = filmed(clip)
    cameras: list[Any] = [head.cameras.orthographic.data, head.cameras.perspective.data]
    assert all(c.show_background_images for c in cameras)
    api.show_footage(head.mesh, False)
    assert not any(c.show_background_images for c in cameras)
    api.show_footage(head.mesh, opacity=0.25)
    assert all(c.show_background_images and c.background_images[0].alpha == 0.25 for c in cameras)
    for camera in cameras:
        camera.background_images.clear()
    api.show_footage(head.mesh)
    assert [c.background_images[0].clip.name for c in cameras] == ["talk.mp4"] * 2 or all(
        c.background_images[0].clip is not None for c in cameras
    )


def test_footage_is_mirrored_with_its_take(clip: Path) -> None:
    head = filmed(clip)
    backgrounds: list[Any] = [c.data.background_images for c in (head.cameras.orthographic, head.cameras.perspective)]
    api.refine_take(head.action, [{"kind": "mirror"}])
    assert all(b[0].use_flip_x for b in backgrounds)
    scene: Any = bpy.context.scene
    api.match_camera(scene, head.mesh, "ORTHOGRAPHIC")
    _, tx, ty = head.take.raw["camera"][5]
    np.testing.assert_allclose(seen_at(head, 6), (159 - tx, ty), atol=0.02)
    api.make_current(head.action, head.mesh)
    assert all(b[0].use_flip_x for b in backgrounds)
    api.reset_take(head.action)
    assert not any(b[0].use_flip_x for b in backgrounds)


def test_footage_that_is_gone_is_named(tmp_path: Path) -> None:
    head = animated(source=str(tmp_path / "gone.mp4"))
    with pytest.raises(TakeError, match=r"gone\.mp4"):
        api.show_footage(head.mesh)
    assert api.set_sound(bpy.context.scene, head.action, True) == 0


def test_sound_goes_off_and_on_and_comes_back(clip: Path) -> None:
    head = filmed(clip)
    scene: Any = bpy.context.scene
    (strip,) = scene.sequence_editor.strips
    assert api.set_sound(scene, head.action, False) == 1 and strip.mute
    assert api.set_sound(scene, head.action) == 1 and not strip.mute
    scene.sequence_editor.strips.remove(strip)
    assert api.set_sound(scene, head.action) == 1 and len(scene.sequence_editor.strips) == 1


def test_a_current_take_is_heard_and_seen_alone(clip: Path, tmp_path: Path) -> None:
    head = filmed(clip)
    other = write_clip(tmp_path / "other.mp4", sound=True)
    take = toy_take(toy_head(), 20, 2, info={"source": str(other), "rate": 30.0, "width": 160, "height": 96})
    api.apply_take(head.armature, take, head=toy_head())
    api.make_current(head.action, head.armature)
    scene: Any = bpy.context.scene
    heard = {Path(s.sound.filepath).name for s in scene.sequence_editor.strips if not s.mute}
    assert heard == {"talk.mp4"}
    clips = {
        Path(c.data.background_images[0].clip.filepath).name
        for c in (head.cameras.orthographic, head.cameras.perspective)
    }
    assert clips == {"talk.mp4"}
    api.make_current(head.action, head.armature)
    assert len(bpy.data.movieclips) <= 2  # clips are used again


def test_keys_go_by_time_at_the_scenes_rate_and_back(clip: Path) -> None:
    head = filmed(clip)
    scene: Any = bpy.context.scene
    assert scene_rate(scene) == pytest.approx(30)
    times = [p.co[0] for p in dict(curves_of(head.action))[PLACE].keyframe_points]
    assert api.set_rate_policy(scene, head.mesh, "SCENE", rate=24.0) == 24.0
    moved = [p.co[0] for p in dict(curves_of(head.action))[PLACE].keyframe_points]
    assert scene_rate(scene) == pytest.approx(24)
    np.testing.assert_allclose(moved, 1 + (np.array(times) - 1) * 24 / 30, atol=1e-4)
    assert scene.frame_end == int(np.ceil(moved[-1])) and note_of(head.action).rate == 24.0
    assert api.set_rate_policy(scene, head.mesh, "FOOTAGE") == pytest.approx(30)
    back = [p.co[0] for p in dict(curves_of(head.action))[PLACE].keyframe_points]
    np.testing.assert_allclose(back, times, atol=1e-4)


def test_sound_of_a_cut_take_stays_in_step(clip: Path) -> None:
    model = toy_head()
    info = {"source": str(clip), "rate": 30.0, "width": 160, "height": 96, "start": 0.5}
    take = toy_take(model, 10, times=0.5 + np.arange(10) / 30, info=info)
    head = api.add_take(take, head=model, frame_start=1)
    scene: Any = bpy.context.scene
    (strip,) = scene.sequence_editor.strips
    name = "content_start" if hasattr(strip, "content_start") else "frame_start"
    assert getattr(strip, name) == 1 - 15
    api.set_rate_policy(scene, head.mesh, "SCENE", rate=60.0)
    assert getattr(strip, name) == 1 - 30
    assert head.cameras.orthographic.data.background_images[0].clip.frame_start == 1 - 30
    api.set_rate_policy(scene, head.mesh, "FOOTAGE")
    assert getattr(strip, name) == 1 - 15


def test_edits_stop_a_change_of_rate(clip: Path) -> None:
    head = filmed(clip)
    dict(curves_of(head.action))[PLACE].keyframe_points[3].co[1] = 5.0
    with pytest.raises(EditedError):
        api.set_rate_policy(bpy.context.scene, head.mesh, "SCENE", rate=24.0)
    assert scene_rate(bpy.context.scene) == pytest.approx(30)
    api.set_rate_policy(bpy.context.scene, head.mesh, "SCENE", rate=24.0, overwrite=True)
    assert edited_curves(head.action) == []


def test_unknown_choices_are_named() -> None:
    head = animated()
    with pytest.raises(TakeError, match="FOOTAGE, SCENE"):
        api.set_rate_policy(bpy.context.scene, head.mesh, "MINE")
    with pytest.raises(TakeError, match="no fisheye camera"):
        api.match_camera(bpy.context.scene, head.mesh, "FISHEYE")
    for work in (api.show_footage, api.push_to_nla):
        with pytest.raises(TakeError, match="not a head"):
            work(bpy.data.objects.new("Cube", None))


def test_a_photo_has_no_rate() -> None:
    model = toy_head()
    head = api.add_take(toy_take(model, 1, info={"kind": "photo", "rate": 0.0}), head=model)
    with pytest.raises(TakeError, match="photo has no frame rate"):
        api.set_rate_policy(bpy.context.scene, head.mesh, "FOOTAGE")


def test_buttons(add_on, clip: Path) -> None:
    head = filmed(clip)
    scene: Any = bpy.context.scene
    bpy.context.view_layer.objects.active = head.mesh
    assert bpy.ops.smirk.match_camera(view="PERSPECTIVE", lens=50.0) == {"FINISHED"}
    assert scene.camera == head.cameras.perspective and scene.camera.data.lens == 50.0
    assert bpy.ops.smirk.match_camera(view="PERSPECTIVE") == {"FINISHED"} and scene.camera.data.lens == 50.0
    assert bpy.ops.smirk.match_camera(view="ORTHOGRAPHIC") == {"FINISHED"}
    assert scene.camera == head.cameras.orthographic
    assert bpy.ops.smirk.show_footage(opacity=0.5) == {"FINISHED"}
    assert scene.camera.data.background_images[0].alpha == 0.5
    assert bpy.ops.smirk.show_footage(show=False) == {"FINISHED"} and not scene.camera.data.show_background_images
    assert bpy.ops.smirk.set_sound(on=False) == {"FINISHED"} and scene.sequence_editor.strips[0].mute
    assert bpy.ops.smirk.set_frame_rate(policy="SCENE", fps=25.0) == {"FINISHED"} and scene_rate(scene) == 25
    assert bpy.ops.smirk.set_frame_rate(policy="FOOTAGE") == {"FINISHED"} and scene_rate(scene) == 30
    bpy.data.objects.remove(head.cameras.perspective)
    with pytest.raises(RuntimeError, match="no perspective camera"):
        bpy.ops.smirk.match_camera(view="PERSPECTIVE")
    bpy.data.objects.remove(head.armature)
    assert not bpy.ops.smirk.match_camera.poll()
