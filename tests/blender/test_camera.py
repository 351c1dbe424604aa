# SPDX-License-Identifier: Apache-2.0
"""What the cameras see is what the take says: pixels through Blender's own projection against the engine's."""

from __future__ import annotations

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from toy import toy_head, toy_take

from blender_smirk import api
from smirk_core.heads.decode import decode, project


def pixels(camera: bpy.types.Object, points: np.ndarray) -> np.ndarray:
    """(L, 2) pixels, origin at the centre of the top-left one, of (L, 3) world points through a camera."""
    scene = bpy.context.scene
    seen = np.array([world_to_camera_view(scene, camera, Vector(p)) for p in points.tolist()])
    width, height = scene.render.resolution_x, scene.render.resolution_y
    return np.stack([seen[:, 0] * width - 0.5, (1 - seen[:, 1]) * height - 0.5], axis=1)


def world_vertices(obj: bpy.types.Object) -> np.ndarray:
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(3 * len(evaluated.data.vertices), np.float32)
    evaluated.data.vertices.foreach_get("co", points)
    matrix = np.array(evaluated.matrix_world)
    return points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (500, 500)], ids=str)
def test_the_orthographic_camera_overlays_every_vertex(size: tuple[int, int]) -> None:
    model = toy_head()
    take = toy_take(model, 20, info={"width": size[0], "height": size[1]})
    head = api.add_take(take, head=model)
    assert head.cameras is not None
    truth = project(decode(model, take.parameters()).vertices, take.filtered["camera"])
    for i in range(20):
        bpy.context.scene.frame_set(1 + i)
        seen = pixels(head.cameras.orthographic, world_vertices(head.mesh))
        assert np.abs(seen - truth[i, :, :2]).max() < 0.01


def test_the_perspective_camera_overlays_the_plane_of_the_origin() -> None:
    model = toy_head()
    take = toy_take(model, 20, info={"width": 720, "height": 1280})
    head = api.add_take(take, head=model)
    assert head.cameras is not None
    plane = np.array([[[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [-0.07, -0.12, 0]]])
    truth = project(np.repeat(plane, 20, axis=0), take.filtered["camera"])
    for i in range(20):
        bpy.context.scene.frame_set(1 + i)
        place = np.array(head.armature.matrix_world.translation)
        world = place + plane[0] @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])
        assert np.abs(pixels(head.cameras.perspective, world) - truth[i, :, :2]).max() < 0.01
    # A nearer point looks larger than in the orthographic picture: it is a perspective.
    span = np.array([[-0.1, 0, 0], [0.1, 0, 0]])
    near, far = (pixels(head.cameras.perspective, place + span + [0, y, 0])[:, 0] for y in (-0.1, 0.1))
    assert np.ptp(near) > 1.05 * np.ptp(far)


def test_size_changes_move_the_head_and_never_scale_it() -> None:
    model = toy_head()
    take = toy_take(model, 5)
    head = api.add_take(take, head=model)
    for i in range(5):
        bpy.context.scene.frame_set(1 + i)
        assert tuple(head.armature.scale) == tuple(head.mesh.scale) == (1, 1, 1)
    scales = take.filtered["camera"][:, 0]
    assert head.cameras is not None
    depth = head.armature.location.y + head.cameras.distance
    assert depth == pytest.approx(head.cameras.focal / scales[4], rel=1e-5)


def test_faces_of_one_clip_share_the_perspective_camera() -> None:
    model = toy_head()
    takes = [toy_take(model, 5, seed, info={"source": "clip.mp4", "face": seed}) for seed in (0, 1)]
    first, second = (api.add_take(t, head=model) for t in takes)
    assert first.cameras is not None and second.cameras is not None
    assert first.cameras.perspective == second.cameras.perspective
    assert first.cameras.orthographic != second.cameras.orthographic
    for take, head in zip(takes, (first, second), strict=True):
        bpy.context.scene.frame_set(3)
        origin = np.array([head.armature.matrix_world.translation])
        assert np.abs(pixels(first.cameras.perspective, origin)[0] - take.filtered["camera"][2, 1:]).max() < 0.01


def test_a_take_without_a_picture_size_has_no_cameras() -> None:
    model = toy_head()
    take = toy_take(model, 5, info={"width": 0, "height": 0})
    head = api.add_take(take, head=model)
    assert head.cameras is None
    bpy.context.scene.frame_set(3)
    assert tuple(head.armature.location) == (0, 0, 0)
