# SPDX-License-Identifier: Apache-2.0
"""SMIRK's render: projection, sub-mesh, normals and shading by the specification's figures, and gradients."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from smirk_core.heads.decode import decode  # noqa: E402
from smirk_core.heads.library import load_head  # noqa: E402
from smirk_core.neural.mesh_render import MeshRenderer, project_crop, shade, sub_mesh, vertex_normals  # noqa: E402
from smirk_core.neural.torch_head import torch_head  # noqa: E402


def test_projection():
    points = torch.tensor([[[0.01, -0.02, 0.05], [-0.03, 0.04, 0.02]]])
    expected = torch.tensor([[[0.21, 0.21, -0.35], [-0.07, -0.21, -0.14]]])
    torch.testing.assert_close(project_crop(points, torch.tensor([[7.0, 0.02, -0.01]])), expected)


def test_sub_mesh_keeps_whole_triangles():
    assert sub_mesh([[0, 1, 2], [2, 3, 4], [1, 2, 4]], [1, 2, 4]).tolist() == [[0, 1, 2]]
    assert sub_mesh([[0, 1, 2]], [0, 1]).shape == (0, 3)


def test_normals_are_weighted_by_area():
    vertices = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]]])
    normals = vertex_normals(vertices, torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]]))
    expected = [[0.8571428656578064, 0.4285714328289032, 0.2857142984867096], [-1, 0, 0], [0, -1, 0], [0, 0, -1]]
    torch.testing.assert_close(normals[0], torch.tensor(expected))


def test_shading():
    normals = torch.tensor([[0.0, 0, 1], [0, 0, -1], [0.6, 0, 0.8], [0, 0.6, 0.8], [0, 0, 0.5]])
    expected = [0.7942562103271484, 0.0, 0.6354050040245056, 0.6354050040245056, 0.3971281051635742]
    torch.testing.assert_close(shade(normals), torch.tensor(expected), atol=1e-6, rtol=0)


@pytest.fixture(scope="module")
def head():
    return load_head()


def pose(head, **groups):
    return decode(torch_head(head), {k: torch.tensor(v, dtype=torch.float32) for k, v in groups.items()}).vertices


def test_a_face_looks_at_the_camera(head):
    """The face fills the middle, is lit from the front, and turns when the head turns."""
    renderer = MeshRenderer(head, 112)
    vertices = pose(head, rotation=[[0.0, 0, 0], [0, 0.7, 0]])
    centre = vertices[0, renderer.vertices].mean(0)
    camera = torch.tensor([[7.0, -float(centre[0]), -float(centre[1])]]).expand(2, -1)
    out = renderer(vertices, camera)
    assert out.image.shape == (2, 3, 112, 112) and torch.equal(out.image[:, 0], out.image[:, 2])
    drawn = out.mask[:, 0].float().mean((1, 2))
    assert 0.2 < drawn[0] < 0.7
    assert float(out.image.max()) <= 0.7943 and float(out.image.min()) == 0
    front, turned = out.image[:, 0]
    assert (front - front.flip(-1)).abs().mean() < 0.02 < (turned - turned.flip(-1)).abs().mean()
    # A head turned to the subject's left (+x) shows its face further right in the picture.
    column = torch.arange(112.0)
    middle = [(picture.sum(0) * column).sum() / picture.sum() for picture in (front, turned)]
    assert middle[1] > middle[0]


def test_expressions_get_gradients_through_the_shading(head):
    renderer = MeshRenderer(head, 64)
    weights = torch.zeros(1, head.expression_size, requires_grad=True)
    vertices = decode(torch_head(head), {"expression": weights}).vertices
    centre = vertices[0, renderer.vertices].mean(0).detach()
    camera = torch.tensor([[7.0, -float(centre[0]), -float(centre[1])]])
    renderer(vertices, camera).image.square().mean().backward()
    moves = np.array([not n.startswith("tongue") for n in head.expression_names])
    assert (weights.grad[0].abs().numpy() > 0)[moves].all()


def test_full_head_draws_more(head):
    vertices = pose(head, rotation=[[0.0, 0, 0]])
    camera = torch.tensor([[5.0, 0.0, 0.0]])
    face, whole = (MeshRenderer(head, 64, full_head=full)(vertices, camera).mask.sum() for full in (False, True))
    assert whole > face > 50
