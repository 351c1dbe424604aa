# SPDX-License-Identifier: Apache-2.0
"""Footage, sound and scene settings around an animated head."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from media import write_clip
from PIL import Image
from toy import toy_head, toy_take

from blender_smirk import api
from blender_smirk.actions import frames_of
from blender_smirk.footage import load_footage, snap_rate
from blender_smirk.scene import scene_rate
from smirk_core.take import TakeInfo


def extent(strip: bpy.types.Strip) -> tuple[int, int]:
    """First frame of a strip and the one after its last; renamed in 5.2."""
    if hasattr(strip, "left_handle"):
        return strip.left_handle, strip.right_handle
    return strip.frame_final_start, strip.frame_final_end


def test_a_clip_brings_picture_sound_rate_and_range(tmp_path: Path) -> None:
    model = toy_head()
    clip = write_clip(tmp_path / "clip.mp4", (160, 96), 30, sound=True)
    take = toy_take(model, 30, info={"source": str(clip), "width": 160, "height": 96, "rate": 30.0})
    head = api.add_take(take, head=model, frame_start=11)
    scene = bpy.context.scene
    assert head.cameras is not None
    for camera in (head.cameras.orthographic, head.cameras.perspective):
        (background,) = camera.data.background_images
        assert camera.data.show_background_images
        assert (background.source, background.display_depth, background.alpha) == ("MOVIE_CLIP", "BACK", 1.0)
        assert background.clip.frame_start == 11 and tuple(background.clip.size) == (160, 96)
    (strip,) = scene.sequence_editor.strips
    begin, end = extent(strip)
    assert (strip.type, begin) == ("SOUND", 11)
    assert 29 <= end - begin <= 32
    assert (scene.frame_start, scene.frame_end) == (11, 40)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (160, 96)
    assert scene.sync_mode == "AUDIO_SYNC"
    assert scene.camera == head.cameras.orthographic


def test_a_part_of_a_clip_keeps_keys_picture_and_sound_in_step(tmp_path: Path) -> None:
    """The take begins half a second into the clip: frame 1 shows that moment."""
    model = toy_head()
    clip = write_clip(tmp_path / "clip.mp4", sound=True)
    times = 0.51 + np.arange(10) / 30
    take = toy_take(model, 10, times=times, info={"source": str(clip), "start": 0.51, "rate": 30.0})
    head = api.add_take(take, head=model)
    assert head.cameras is not None
    first = head.cameras.orthographic.data.background_images[0].clip.frame_start
    assert first == 1 - 15
    (strip,) = bpy.context.scene.sequence_editor.strips
    assert extent(strip)[0] == first
    # Frame f shows the moment (f - first) / 30, and so do the keys.
    assert np.allclose((frames_of(take, 30, 1) - first) / 30, times)


def test_variable_rates_run_at_the_rate_that_blender_plays(tmp_path: Path) -> None:
    model = toy_head()
    times = np.concatenate([np.arange(20) / 30, 20 / 30 + np.arange(20) / 15])
    clip = write_clip(tmp_path / "phone.mp4", times=times.tolist(), sound=False)
    average = 39 / times[-1]
    take = toy_take(model, 40, times=times, info={"source": str(clip), "rate": average})
    head = api.add_take(take, head=model)
    rate = scene_rate(bpy.context.scene)
    assert rate == pytest.approx(bpy.data.movieclips[0].fps, abs=1e-3)
    curve = next(
        c for b in head.action.layers[0].strips[0].channelbags for c in b.fcurves if "browInnerUp" in c.data_path
    )
    assert np.allclose([k.co[0] for k in curve.keyframe_points], 1 + times * rate, atol=1e-3)


def test_a_silent_clip_gets_no_sound_strip(tmp_path: Path) -> None:
    model = toy_head()
    clip = write_clip(tmp_path / "clip.mp4", sound=False)
    api.add_take(toy_take(model, 5, info={"source": str(clip)}), head=model)
    editor = bpy.context.scene.sequence_editor
    assert editor is None or not len(editor.strips)
    assert not len(bpy.data.sounds)


def test_two_faces_of_a_clip_share_one_sound_strip(tmp_path: Path) -> None:
    model = toy_head()
    clip = write_clip(tmp_path / "clip.mp4", sound=True)
    for face in (0, 1):
        api.add_take(toy_take(model, 5, info={"source": str(clip), "face": face}), head=model)
    assert len(bpy.context.scene.sequence_editor.strips) == 1
    assert {o.name for o in bpy.data.objects if o.type == "MESH"} == {"clip", "clip 2"}


@pytest.mark.parametrize(("turn", "orientation"), [(0, 1), (90, 6), (180, 3), (270, 8)])
def test_a_photo_lies_upright_behind_the_head(tmp_path: Path, turn: int, orientation: int) -> None:
    model = toy_head()
    upright = np.zeros((48, 80, 3), np.uint8)
    upright[:24, :40] = (255, 0, 0)  # red: above and left
    upright[24:, 40:] = (0, 0, 255)  # blue: below and right
    stored = Image.fromarray(np.rot90(upright, turn // 90))
    exif = stored.getexif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.png"
    stored.save(path, exif=exif)
    info = {"source": str(path), "kind": "photo", "rate": 0.0, "width": 80, "height": 48, "rotation": turn}
    head = api.add_take(toy_take(model, 1, info=info), head=model)
    assert head.cameras is not None
    (background,) = head.cameras.orthographic.data.background_images
    assert background.source == "IMAGE" and tuple(background.image.size) == (80, 48)
    pixels = np.array(background.image.pixels[:]).reshape(48, 80, 4)[::-1]
    assert np.allclose(pixels[..., :3], upright / 255, atol=0.01)
    scene = bpy.context.scene
    assert (scene.frame_start, scene.frame_end) == (1, 1)


def test_numbered_pictures_play_as_footage(tmp_path: Path) -> None:
    model = toy_head()
    for number in range(7, 12):
        Image.fromarray(np.full((48, 80, 3), number * 20, np.uint8)).save(tmp_path / f"shot_{number:04d}.png")
    info = {"source": str(tmp_path / "shot_0007.png"), "kind": "sequence", "rate": 24.0, "width": 80, "height": 48}
    times = np.arange(5) / 24
    head = api.add_take(toy_take(model, 5, times=times, info=info), head=model, frame_start=3)
    assert head.cameras is not None
    clip = head.cameras.orthographic.data.background_images[0].clip
    assert (clip.source, clip.frame_duration, clip.frame_start) == ("SEQUENCE", 5, 3)
    scene = bpy.context.scene
    assert (scene.render.fps, scene.frame_start, scene.frame_end) == (24, 3, 7)


def test_footage_that_moved_since_it_was_tracked(tmp_path: Path) -> None:
    model = toy_head()
    clip = write_clip(tmp_path / "here.mp4", sound=False)
    take = toy_take(model, 5, info={"source": str(tmp_path / "there.mp4")})
    head = api.animate(clip, take=take, head=model)
    assert head.cameras is not None
    assert len(head.cameras.orthographic.data.background_images) == 1
    assert head.mesh.name == "here"


def test_footage_that_is_gone_is_no_obstacle(tmp_path: Path) -> None:
    model = toy_head()
    head = api.add_take(toy_take(model, 5, info={"source": str(tmp_path / "gone.mp4")}), head=model)
    assert head.cameras is not None
    assert not len(head.cameras.orthographic.data.background_images)
    text = tmp_path / "text.mp4"
    text.write_text("not a film")
    assert load_footage(TakeInfo(source=str(text))) is None
    assert not len(bpy.data.movieclips)


@pytest.mark.parametrize(
    ("stated", "exact", "fps", "base"),
    [
        (23.976, 24000 / 1001, 24, 1.001),
        (29.97, 30000 / 1001, 30, 1.001),
        (25.0, 25.0, 25, 1.0),
        (59.94, 60000 / 1001, 60, 1.001),
        (21.05, 21.05, 21, 21 / 21.05),
    ],
)
def test_rates_are_written_as_blender_does(stated: float, exact: float, fps: int, base: float) -> None:
    model = toy_head()
    assert snap_rate(stated) == exact
    api.add_take(toy_take(model, 5, info={"rate": exact}), head=model)
    render = bpy.context.scene.render
    assert render.fps == fps and render.fps_base == pytest.approx(base, abs=1e-6)
