# SPDX-License-Identifier: Apache-2.0
"""Light against what is known of it: a white sky, one lamp, mirrors, and colours there and back."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from smirk_core.rendering.lit_shading import (  # noqa: E402
    decode_srgb,
    encode,
    harmonics,
    irradiance,
    lambert,
    phong,
    project_light,
)


def sphere(count: int = 4000):
    """(count, 3) directions, even over the sphere."""
    k = torch.arange(count, dtype=torch.float64) + 0.5
    height, turn = 1 - 2 * k / count, torch.pi * (1 + 5**0.5) * k
    radius = (1 - height**2).sqrt()
    return torch.stack([radius * turn.cos(), height, radius * turn.sin()], 1)


def test_harmonics_are_orthonormal():
    values = harmonics(sphere())
    products = values.T @ values * (4 * torch.pi / len(values))
    torch.testing.assert_close(products, torch.eye(9, dtype=torch.float64), atol=2e-3, rtol=0)


def test_a_white_sky_lights_every_surface_alike():
    coefficients = torch.zeros(1, 9, 3, dtype=torch.float64)
    coefficients[:, 0] = 1 / 0.28209479
    light = irradiance(sphere(50)[None], coefficients)
    torch.testing.assert_close(light, torch.ones_like(light), atol=1e-6, rtol=0)


def test_harmonics_of_a_lamp_approach_its_cosine():
    lamp = torch.nn.functional.normalize(torch.tensor([[[0.3, 0.5, 0.8]]], dtype=torch.float64), dim=-1)
    normals = sphere(500)[None]
    light = irradiance(normals, project_light(lamp, torch.ones(1, 1, 3, dtype=torch.float64)))[..., 0]
    cosine = (normals @ lamp[0, 0]).clamp_min(0)
    assert (light - cosine).abs().max() < 0.12  # nine coefficients are known to miss by a tenth
    assert light.max() == pytest.approx(17 / 16, abs=0.01)


def test_point_lamps_fall_off_with_the_square_of_distance():
    normal = torch.tensor([[[0.0, 0.0, 1.0]]])
    lamp, colour = torch.tensor([[[0.0, 0.0, 1.0]]]), torch.tensor([[[0.8, 0.5, 0.2]]])
    near, towards = lambert(torch.zeros(1, 1, 3), normal, lamp, colour)
    torch.testing.assert_close(near[0, 0, 0], colour[0, 0])
    torch.testing.assert_close(towards[0, 0, 0], normal[0, 0])
    far, _ = lambert(torch.tensor([[[0.0, 0.0, -1.0]]]), normal, lamp, colour)
    torch.testing.assert_close(far * 4, near)
    behind, _ = lambert(torch.zeros(1, 1, 3), -normal, lamp, colour)
    assert not behind.any()
    soft, _ = lambert(torch.zeros(1, 1, 3), torch.tensor([[[1.0, 0, 0]]]), lamp, colour, torch.tensor([[0.4, 0.2, 0]]))
    assert soft[0, 0, 0, 0] > soft[0, 0, 0, 1] > soft[0, 0, 0, 2] == 0


def test_highlights_stand_at_the_mirror_direction_and_grow_at_grazing_angles():
    angle = torch.linspace(0, 1.2, 25)
    towards = torch.stack([angle.sin(), 0 * angle, angle.cos()], -1)[None, None]
    half = torch.nn.functional.normalize(towards + torch.tensor([0.0, 0, 1]), dim=-1)[:, 0]
    mirror = phong(half, towards.transpose(1, 2), 40.0)[0, :, 0]
    assert mirror[0] == pytest.approx(1, abs=1e-5) and (mirror.diff() >= -1e-5).all() and mirror[-1] > 1.004
    off = phong(torch.tensor([[[0.0, 0.0, 1.0]]]), towards, 40.0)[0, 0]
    assert off[0] == pytest.approx(1, abs=1e-5) and (off[1:8].diff() < 0).all()


def test_colours_survive_there_and_back():
    light = torch.linspace(0, 0.6, 200)
    torch.testing.assert_close(decode_srgb(encode(light)), light, atol=1e-5, rtol=0)
    bright = encode(torch.linspace(0, 50, 400))
    assert (bright.diff() >= 0).all() and bright.max() <= 1


def test_gradients_reach_normals_and_lamps():
    normals = torch.nn.functional.normalize(torch.randn(1, 4, 3, dtype=torch.float64), dim=-1).requires_grad_()
    place = torch.tensor([[[0.4, 0.5, 2.0]]], dtype=torch.float64, requires_grad=True)
    colour = torch.ones(1, 1, 3, dtype=torch.float64)

    def light(n, p):
        soft, towards = lambert(torch.zeros(1, 4, 3, dtype=torch.float64), n, p, colour)
        return soft, phong(n, towards, 8.0), irradiance(n, project_light(p / p.norm(dim=-1, keepdim=True), colour))

    assert torch.autograd.gradcheck(light, (normals, place))
