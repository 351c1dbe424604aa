# SPDX-License-Identifier: Apache-2.0
"""Mirroring: twice is nothing, and the mirrored performance is the mirror image of the mesh and of the picture."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree
from toys import make_take, random_groups

from smirk_core.errors import TakeError
from smirk_core.heads.decode import decode, project
from smirk_core.heads.library import load_head
from smirk_core.refine.layers import apply_filters
from smirk_core.refine.mirror import mirror_order

MIRROR = {"kind": "mirror"}


def test_twice_is_the_identity(toy_head, toy_take):
    result = apply_filters(toy_take, [MIRROR, MIRROR], expression_names=toy_head.expression_names)
    for name, values in toy_take.raw.items():
        np.testing.assert_allclose(result.filtered[name], values, rtol=0, atol=1e-12, err_msg=name)
    once = apply_filters(toy_take, [MIRROR], expression_names=toy_head.expression_names)
    assert not np.array_equal(once.filtered["rotation"], toy_take.raw["rotation"])


def test_the_mesh_and_the_picture_are_mirrored():
    """On the bundled head, which is symmetric: decoding the mirrored take is mirroring the decoded one."""
    head = load_head("open")
    take = make_take(head, 4, seed=3)
    raw = random_groups(head, 4, seed=5)
    raw.pop("identity")
    take = type(take)(take.info, take.times, 0 * take.identity, raw, raw)
    mirrored = apply_filters(take, [MIRROR])
    distance, other = cKDTree(head.template).query(head.template * [-1, 1, 1])
    assert distance.max() < 1e-7
    before, after = (np.asarray(decode(head, dict(t.filtered)).vertices) for t in (take, mirrored))
    np.testing.assert_allclose(after, before[:, other] * [-1, 1, 1], atol=2e-6)
    assert np.abs(after - before).max() > 0.01
    seen, shown = (project(v, t.filtered["camera"]) for v, t in ((before, take), (after, mirrored)))
    np.testing.assert_allclose(shown[..., 0], take.info.width - 1 - seen[:, other][..., 0], atol=5e-3)
    np.testing.assert_allclose(shown[..., 1], seen[:, other][..., 1], atol=5e-3)


def test_without_a_picture_the_camera_stays(toy_head):
    take = make_take(toy_head, 3)
    info = type(take.info)(width=0, height=0)
    take = type(take)(info, take.times, take.identity, take.raw, take.raw)
    result = apply_filters(take, [MIRROR], expression_names=toy_head.expression_names)
    assert np.array_equal(result.filtered["camera"], take.raw["camera"])


def test_heads_without_left_and_right_are_refused(toy_take):
    size = toy_take.raw["expression"].shape[1]
    for names in (("",) * size, tuple(f"exp_{i}" for i in range(size))):
        with pytest.raises(TakeError, match="no left and right"):
            apply_filters(toy_take, [MIRROR], expression_names=names)


def test_a_missing_counterpart_is_named():
    with pytest.raises(TakeError, match="'mouthSmileLeft', but not 'mouthSmileRight'"):
        mirror_order(("mouthSmileLeft", "jawForward"))
    assert mirror_order(("browDownRight", "jawForward", "browDownLeft")).tolist() == [2, 1, 0]
