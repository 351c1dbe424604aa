# SPDX-License-Identifier: Apache-2.0
"""Portraits for icons: the face fills the picture, upright, and shows its expression; any head will do."""

from __future__ import annotations

import numpy as np

from smirk_core.heads.library import load_head
from smirk_core.rendering.portrait import portrait


def test_the_face_fills_the_picture_upright():
    picture = portrait(load_head("open"), {}, 64)
    assert picture.shape == (64, 64, 4) and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 1
    covered = picture[..., 3] > 0.5
    assert 0.3 < covered.mean() < 0.9
    assert covered[32, 8:56].sum() > 20 and covered[-1].sum() > 10  # the neck reaches the lower edge
    np.testing.assert_allclose(picture[..., 3], picture[:, ::-1, 3], atol=0.05)  # a symmetric head, centred


def test_an_open_jaw_is_seen_in_the_lower_half():
    head = load_head("open")
    closed, wide = (portrait(head, {"jaw": np.array([[x, 0.0, 0.0]])}, 64) for x in (0.0, 0.35))
    changed = np.abs(wide - closed).max(axis=2) > 0.1
    assert changed[36:].sum() > 5 * max(1, changed[:28].sum())


def test_a_head_without_regions_or_known_materials(toy_head):
    picture = portrait(toy_head, {"rotation": np.array([[0.0, 0.4, 0.0]])}, 32)
    assert np.isfinite(picture).all() and picture[..., 3].max() == 1
