# SPDX-License-Identifier: Apache-2.0
"""The decode against a stored forward pass of FLAME's equations, against a slow one, and across libraries."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from toys import random_groups

from smirk_core.heads.decode import decode, landmark_points, project
from smirk_core.heads.head_model import HeadModel

FIXTURE = json.loads((Path(__file__).parent / "data" / "flame_forward.json").read_text())
PARENTS = (-1, 0, 1, 1, 1)


def fixture_model() -> tuple[HeadModel, dict[str, np.ndarray]]:
    """The tiny random model that the stored numbers were computed with, rebuilt from its recipe."""
    rng = np.random.RandomState(0)  # the recipe names the legacy generator
    template = rng.randn(6, 3) * 0.1
    shapes = rng.randn(6, 3, 4) * 0.01
    correctives = rng.randn(36, 18) * 0.001
    regressor = np.abs(rng.rand(5, 6))
    weights = np.abs(rng.rand(6, 5))
    betas, pose = rng.randn(2, 4), rng.randn(2, 15) * 0.3
    f = np.float32
    model = HeadModel(
        name="fixture",
        digest="",
        template=template.astype(f),
        polygons=np.array([[0, 1, 2, -1]]),
        identity_basis=shapes.transpose(2, 0, 1).astype(f),
        expression_basis=np.zeros((0, 6, 3), f),
        expression_names=(),
        eyelid_basis=np.zeros((2, 6, 3), f),
        corrective_basis=correctives.reshape(36, 6, 3).astype(f),
        corrective_features=np.arange(36),
        joint_names=("root", "neck", "jaw", "left_eye", "right_eye"),
        joint_parents=PARENTS,
        joint_regressor=(regressor / regressor.sum(axis=1, keepdims=True)).astype(f),
        skinning_weights=(weights / weights.sum(axis=1, keepdims=True)).astype(f),
        uvs=np.zeros((1, 2), f),
        polygon_uvs=np.zeros((1, 4), int),
        polygon_materials=np.zeros(1, int),
        material_names=("skin",),
        regions={},
        landmarks={},
    )
    pose = pose.astype(f)
    groups = {"identity": betas.astype(f), "rotation": pose[:, :3], "neck": pose[:, 3:6], "jaw": pose[:, 6:9]}
    return model, {**groups, "left": pose[:, 9:12], "right": pose[:, 12:15]}


def test_forward_pass_equals_the_stored_one(monkeypatch):
    """Vertices and joints of FLAME's equations (Li et al. 2017), stored to 7 digits.

    The stored eyes turn about three axes and our gaze has two, so the full rotations are put in one level below.
    """
    model, groups = fixture_model()
    left, right = groups.pop("left"), groups.pop("right")
    from smirk_core.heads import decode as module
    from smirk_core.heads.rotation import matrix_from_rotvec

    def rotations(parameters, like, count):
        vectors = [parameters["rotation"], parameters["neck"], parameters["jaw"], left, right]
        return matrix_from_rotvec(np.stack(vectors, axis=1))

    monkeypatch.setattr(module, "pose_rotations", rotations)
    result = decode(model, groups)
    stored = FIXTURE["lbs"]
    np.testing.assert_allclose(result.vertices, stored["vertices"], atol=1e-6)
    np.testing.assert_allclose(result.joints, stored["joints"], atol=1e-6)


def rodrigues(vector: np.ndarray) -> np.ndarray:
    """A rotation matrix from exp of the cross-product matrix, by its power series."""
    x, y, z = vector
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    result, term = np.eye(3), np.eye(3)
    for n in range(1, 40):
        term = term @ k / n
        result = result + term
    return result


def naive_decode(model: HeadModel, groups: dict[str, np.ndarray], frame: int) -> tuple[np.ndarray, np.ndarray]:
    """One frame, one vertex at a time, from the written definition."""
    g = {k: np.asarray(v[frame], np.float64) for k, v in groups.items()}
    eyes = g["eyes"]
    local = [
        rodrigues(v) for v in (g["rotation"], g["neck"], g["jaw"], np.array([*eyes[:2], 0]), np.array([*eyes[2:], 0]))
    ]
    count = len(model.template)
    shaped = np.array(
        [
            model.template[v] + sum(g["identity"][k] * model.identity_basis[k, v] for k in range(model.identity_size))
            for v in range(count)
        ],
        np.float64,
    )
    rest = [sum(model.joint_regressor[j, v] * shaped[v] for v in range(count)) for j in range(5)]
    feature = np.concatenate([(local[j] - np.eye(3)).ravel() for j in range(1, 5)])
    world, places = [local[0]], [rest[0]]
    for j in range(1, 5):
        parent = PARENTS[j]
        world.append(world[parent] @ local[j])
        places.append(places[parent] + world[parent] @ (rest[j] - rest[parent]))
    posed = []
    for v in range(count):
        point = shaped[v].copy()
        for e in range(model.expression_size):
            point += g["expression"][e] * model.expression_basis[e, v]
        for c, index in enumerate(model.corrective_features):
            point += feature[index] * model.corrective_basis[c, v]
        for side in range(2):
            point += g["eyelids"][side] * model.eyelid_basis[side, v]
        posed.append(sum(model.skinning_weights[v, j] * (world[j] @ (point - rest[j]) + places[j]) for j in range(5)))
    return np.array(posed), np.array(places)


def test_equals_a_vertex_at_a_time(toy_head):
    groups = random_groups(toy_head, 4, seed=3)
    result = decode(toy_head, groups)
    for frame in range(4):
        vertices, joints = naive_decode(toy_head, groups, frame)
        np.testing.assert_allclose(result.vertices[frame], vertices, atol=2e-6)
        np.testing.assert_allclose(result.joints[frame], joints, atol=2e-6)


def test_neutral_is_the_template(toy_head):
    result = decode(toy_head, {})
    np.testing.assert_allclose(result.vertices[0], toy_head.template, atol=1e-7)
    np.testing.assert_allclose(result.joints, result.rest_joints, atol=1e-7)


def test_rotation_is_about_the_root_joint(toy_head):
    groups = {"rotation": np.array([[0.3, -0.8, 0.2]])}
    result = decode(toy_head, groups)
    root = result.rest_joints[0, 0]
    np.testing.assert_allclose(result.joints[0, 0], root, atol=1e-7)
    before = np.linalg.norm(toy_head.template - root, axis=1)
    np.testing.assert_allclose(np.linalg.norm(result.vertices[0] - root, axis=1), before, atol=1e-6)


def test_short_vectors_are_padded_with_zeros(toy_head):
    full = random_groups(toy_head, 2)
    full["identity"][:, 2:] = 0
    full["expression"][:, 5:] = 0
    short = {**full, "identity": full["identity"][:, :2], "expression": full["expression"][:, :5]}
    np.testing.assert_allclose(decode(toy_head, short).vertices, decode(toy_head, full).vertices, atol=1e-7)


def test_eyelids_after_skinning_are_not_turned(toy_head):
    faithful = dataclasses.replace(toy_head, eyelids_after_skinning=True)
    turned = {"rotation": np.array([[0.0, 1.0, 0.0]])}
    closed = {**turned, "eyelids": np.array([[1.0, 0.0]])}
    moved = decode(faithful, closed).vertices - decode(faithful, turned).vertices
    np.testing.assert_allclose(moved[0], toy_head.eyelid_basis[0], atol=1e-6)
    rigged = decode(toy_head, closed).vertices - decode(toy_head, turned).vertices
    assert np.abs(rigged[0] - toy_head.eyelid_basis[0]).max() > 1e-4


def test_joints_follow_expression_only_where_the_head_says_so(toy_head):
    groups = {"expression": np.ones((1, toy_head.expression_size))}
    flame = dataclasses.replace(toy_head, joints_follow_expression=True)
    assert np.allclose(decode(toy_head, groups).rest_joints, decode(toy_head, {}).rest_joints)
    assert not np.allclose(decode(flame, groups).rest_joints, decode(flame, {}).rest_joints, atol=1e-5)


def test_one_frame_at_a_time_is_the_batch(toy_head):
    groups = random_groups(toy_head, 5)
    batch = decode(toy_head, groups).vertices
    single = [decode(toy_head, {k: v[i : i + 1] for k, v in groups.items()}).vertices[0] for i in range(5)]
    np.testing.assert_allclose(batch, single, atol=1e-6)


def test_unequal_batches_and_too_many_coefficients_are_refused(toy_head):
    with pytest.raises(ValueError, match="batch sizes differ"):
        decode(toy_head, {"jaw": np.zeros((2, 3)), "neck": np.zeros((3, 3))})
    with pytest.raises(ValueError, match="coefficients for a basis of"):
        decode(toy_head, {"identity": np.zeros((1, toy_head.identity_size + 1))})


def test_landmarks_lie_on_their_triangles(toy_head):
    vertices = decode(toy_head, random_groups(toy_head, 2)).vertices
    embedding = toy_head.landmarks["ibug_68"]
    points = landmark_points(toy_head, vertices, embedding)
    assert points.shape == (2, 68, 3)
    corners = vertices[1][toy_head.triangles[embedding.triangles[10]]]
    np.testing.assert_allclose(points[1, 10], embedding.barycentric[10] @ corners, atol=1e-7)


def test_projection_worked_number():
    result = project(np.array([[[0.1, 0.05, 0.3]]]), np.array([[1000.0, 320.0, 240.0]]))
    np.testing.assert_allclose(result[0, 0], [420.0, 190.0, -300.0])


def test_projection_equals_the_stored_crop_camera():
    """SMIRK's crop camera x = s (X + tx), pixel = 112 (1 + x), is ours with scale 112 s and shift 112 (s tx + 1)."""
    stored = FIXTURE["projection"]
    s, tx, ty = stored["cam"]
    camera = np.array([[112 * s, 112 * (s * tx + 1), 112 * (1 - s * ty)]])
    result = project(np.array([stored["points"]]), camera)
    np.testing.assert_allclose(result[0, :, :2], stored["pixel_xy"], atol=1e-4)


def test_triangles_split_quads_and_keep_triangles(toy_head):
    quads = int((toy_head.polygons[:, 3] >= 0).sum())
    assert len(toy_head.triangles) == len(toy_head.polygons) + quads
    assert quads and quads < len(toy_head.polygons)
    first_quad = int(np.argmax(toy_head.polygons[:, 3] >= 0))
    a, b, c, d = toy_head.polygons[first_quad]
    both = toy_head.triangles[toy_head.triangle_polygons == first_quad]
    np.testing.assert_array_equal(both, [[a, b, c], [a, c, d]])


def torch_head(head: HeadModel):
    torch = pytest.importorskip("torch")
    tensors = {
        f.name: torch.tensor(getattr(head, f.name), dtype=torch.float64)
        for f in dataclasses.fields(head)
        if isinstance(getattr(head, f.name), np.ndarray) and getattr(head, f.name).dtype == np.float32
    }
    return torch, dataclasses.replace(head, **tensors)


def test_torch_gives_the_same_and_gradients(toy_head):
    torch, head = torch_head(toy_head)
    groups = random_groups(toy_head, 2)
    tensors = {k: torch.tensor(v, requires_grad=True) for k, v in groups.items()}
    result = decode(head, tensors)
    np.testing.assert_allclose(result.vertices.detach().numpy(), decode(toy_head, groups).vertices, atol=2e-6)
    points = landmark_points(head, result.vertices, head.landmarks["ibug_68"])
    expected = landmark_points(toy_head, decode(toy_head, groups).vertices, toy_head.landmarks["ibug_68"])
    np.testing.assert_allclose(points.detach().numpy(), expected, atol=2e-6)

    names = ("identity", "expression", "eyelids", "rotation", "neck", "jaw", "eyes")
    inputs = tuple(tensors[n][:1].detach().requires_grad_(True) for n in names)
    assert torch.autograd.gradcheck(lambda *v: decode(head, dict(zip(names, v, strict=True))).vertices, inputs)


def test_torch_gradient_at_rest_is_finite(toy_head):
    torch, head = torch_head(toy_head)
    jaw = torch.zeros((1, 3), dtype=torch.float64, requires_grad=True)
    decode(head, {"jaw": jaw}).vertices.square().sum().backward()
    assert torch.isfinite(jaw.grad).all() and jaw.grad.abs().max() > 0
