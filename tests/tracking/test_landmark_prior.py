# SPDX-License-Identifier: Apache-2.0
"""The learned model of the detector: invariances, mirror, bad input, and real faces."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smirk_core.errors import AssetError
from smirk_core.heads.arkit import ARKIT_INDEX
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.tracking.landmark_prior import LANDMARK_PRIOR_PATH, align, load_landmark_prior

SHARED = Path(__file__).resolve().parents[3] / "shared"


@pytest.fixture(scope="module")
def prior():
    return load_landmark_prior()


@pytest.fixture(scope="module")
def face(prior):
    """The reference face as a detector would give it in a picture."""
    return (prior.reference * [300.0, -300.0, -300.0] + [320.0, 240.0, 0.0])[None]


def test_names_are_arkits(prior):
    assert prior.names == ARKIT_NAMES


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.2, 8.0), u=st.floats(-2000, 2000), v=st.floats(-2000, 2000), depth=st.floats(-500, 500))
def test_place_and_size_do_not_matter(scale, u, v, depth):
    prior = load_landmark_prior()
    rng = np.random.default_rng(0)
    points = prior.reference * [300.0, -300.0, -300.0] + rng.normal(0, 2, (3, 478, 3))
    moved = points * scale + [u, v, depth]
    np.testing.assert_allclose(prior.predict(moved).weights, prior.predict(points).weights, atol=2e-3)


def test_align_undoes_a_known_turn(prior):
    turn = np.array([0.1, 0.5, -0.2])
    from smirk_core.heads.rotation import matrix_from_rotvec

    world = prior.reference @ matrix_from_rotvec(turn).T * 250.0 + [3.0, 4.0, 5.0]
    found = align((world * [1, -1, -1])[None], prior.reference, prior.stable)
    np.testing.assert_allclose(found.rotation[0], turn, atol=1e-7)
    np.testing.assert_allclose(found.scale[0], 250.0, rtol=1e-7)
    np.testing.assert_allclose(found.points[0], prior.reference, atol=1e-7)


def test_sigma_is_positive_and_weights_stay_in_range(prior):
    rng = np.random.default_rng(1)
    wild = rng.normal(0, 500, (20, 478, 3))
    found = prior.predict(wild, neutral=wild[:2])
    assert np.isfinite(found.weights).all() and (found.weights >= 0).all() and (found.weights <= 1).all()
    assert np.isfinite(found.sigma).all() and (found.sigma > 0).all()


def test_one_frame_or_many_give_the_same(prior, face):
    rng = np.random.default_rng(2)
    frames = face + rng.normal(0, 1.5, (7, 478, 3))
    whole = prior.predict(frames, neutral=face[0])
    single = np.concatenate([prior.predict(f[None], neutral=face).weights for f in frames])
    np.testing.assert_allclose(whole.weights, single, atol=1e-5)


def test_no_frames_give_no_estimates(prior):
    assert prior.predict(np.zeros((0, 478, 3))).weights.shape == (0, 52)


@pytest.mark.parametrize("shape", [(478, 3), (2, 468, 3), (2, 478, 2)])
def test_wrong_shapes_are_named(prior, shape):
    with pytest.raises(ValueError, match="expected"):
        prior.predict(np.zeros(shape))


def test_wrong_neutral_is_named(prior, face):
    with pytest.raises(ValueError, match="neutral"):
        prior.predict(face, neutral=np.zeros((2, 5, 3)))


def test_damaged_and_missing_files_say_so(tmp_path):
    broken = tmp_path / "broken.npz"
    broken.write_bytes(LANDMARK_PRIOR_PATH.read_bytes()[:5000])
    with pytest.raises(AssetError, match="damaged"):
        load_landmark_prior(broken)
    with pytest.raises(AssetError, match="no landmark model"):
        load_landmark_prior(tmp_path / "none.npz")
    other = tmp_path / "other.npz"
    np.savez(other, header=np.array('{"kind": "something else"}'))
    with pytest.raises(AssetError, match="not a landmark model"):
        load_landmark_prior(other)


def test_under_a_million_numbers():
    with np.load(LANDMARK_PRIOR_PATH, allow_pickle=False) as file:
        assert sum(file[k].size for k in file.files) < 1_000_000


def _eval_files(kind):
    import csv

    index = SHARED / "faces" / "index.csv"
    if not index.exists():
        pytest.skip("no shared faces here")
    with index.open(newline="") as file:
        rows = [r["file"] for r in csv.DictReader(file) if r["split"] == "eval" and f"/{kind}/" in r["source_path"]]
    return [SHARED / "faces" / f for f in rows[::12]]


def test_people_who_smile_smile_and_people_at_rest_rest(prior):
    from PIL import Image

    detection = pytest.importorskip("training.data.detection")
    pytest.importorskip("mediapipe.python.solutions.face_mesh")
    found = {}
    with detection.PictureDetector("facemesh") as detector:
        for kind in ("neutral_front", "smiling_front"):
            points = [detector(np.asarray(Image.open(f).convert("RGB"))) for f in _eval_files(kind)]
            found[kind] = np.array([p for p in points if p is not None])
    smile = [ARKIT_INDEX["mouthSmileLeft"], ARKIT_INDEX["mouthSmileRight"]]
    brows = [ARKIT_INDEX["browDownLeft"], ARKIT_INDEX["browDownRight"], ARKIT_INDEX["browInnerUp"]]
    calm, merry = (prior.predict(found[k]).weights for k in ("neutral_front", "smiling_front"))
    assert merry[:, smile].mean() > calm[:, smile].mean() + 0.2
    assert calm[:, brows].mean() < 0.15
    told = prior.predict(found["smiling_front"][:1], neutral=found["neutral_front"][0]).weights
    assert told[:, smile].mean() > 0.2
