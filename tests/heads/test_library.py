# SPDX-License-Identifier: Apache-2.0
"""Heads by name, file, and by what a take says it was made with."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from flame_stand_in import StandIn, write_flame
from toys import make_take

from smirk_core.errors import AssetError
from smirk_core.heads.library import find_head, head_of_take, is_head_name, load_head
from smirk_core.take import Take


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's data folder with nothing in it."""
    monkeypatch.setenv("SMIRK_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def bring(data_folder: Path, kind: str, file: Path) -> Path:
    target = data_folder / "assets" / kind / file.name
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(file, target))


@pytest.fixture
def second_file(tmp_path: Path) -> Path:
    """Another model of the same kind."""
    source = StandIn()
    source.v_template[:, 1] *= 1.01
    return write_flame(tmp_path / "female_model.pkl", source)


def test_names_and_files(flame_file, toy_head_file, toy_head):
    assert load_head().name.startswith("open") and load_head() is load_head("open")
    assert load_head(toy_head_file).digest == toy_head.digest
    rig = load_head(flame_file)
    assert not rig.eyelids_after_skinning and rig.expression_size == 50
    assert load_head(str(flame_file)) is rig
    faithful = load_head(flame_file, eyelids="faithful", expressions=60)
    assert faithful.eyelids_after_skinning and faithful.expression_size == 60 and faithful.digest == rig.digest


def test_imported_models_by_name(data_folder, flame_file, second_file):
    for name in ("flame", "flame-2020-generic"):
        with pytest.raises(AssetError, match="smirk assets import"):
            load_head(name)
    bring(data_folder, "flame-2020-female", second_file)
    assert load_head("flame").name == "flame-2020-female"
    bring(data_folder, "flame-2020-generic", flame_file)
    assert load_head("flame").digest == load_head(flame_file).digest  # the one that SMIRK was trained with comes first
    assert load_head("flame-2020-female").digest != load_head("flame").digest


def test_a_file_that_comes_later_is_seen(data_folder, flame_file, flame_assets):
    path = bring(data_folder, "flame-2020-generic", flame_file)
    assert len(load_head("flame").notes) == 5 and load_head("flame") is load_head(path)
    bring(data_folder, "head_template", flame_assets / "head_template.obj")
    assert len(load_head("flame").notes) == 4


@pytest.mark.parametrize("head", ["head.obj", "nobody", "flame-2099", ""])
def test_what_is_no_head(head):
    assert not is_head_name(head)
    with pytest.raises(AssetError, match="Cannot use"):
        load_head(head)


@pytest.mark.parametrize("head", ["open", "flame", "flame-2023-open", "a/generic_model.pkl", "b.NPZ"])
def test_what_may_be_a_head(head):
    assert is_head_name(head)


def test_finding_by_fingerprint(data_folder, flame_file, second_file):
    bundled, generic, female = load_head(), load_head(flame_file), load_head(second_file)
    assert find_head(bundled.name, bundled.digest) is bundled and find_head("", "") is bundled
    with pytest.raises(AssetError, match=rf"made with flame-custom \({generic.digest[:8]}\), a head that is not here"):
        find_head(generic.name, generic.digest)
    assert find_head(generic.name, generic.digest, flame_file) is generic
    with pytest.raises(AssetError, match="not with flame-2020-female"):
        find_head(generic.name, generic.digest, second_file)
    # The fingerprint decides, whatever kind the file was imported as.
    bring(data_folder, "flame-2020-male", flame_file)
    bring(data_folder, "flame-2020-female", second_file)
    assert find_head(generic.name, generic.digest).digest == generic.digest
    assert find_head(female.name, female.digest).digest == female.digest
    assert find_head(female.name, "").digest == female.digest  # an old take without one
    with pytest.raises(AssetError, match="another version"):
        find_head(female.name, "0" * 64)
    with pytest.raises(AssetError, match="another version"):
        find_head(bundled.name, "0" * 64)


def flame_take(flame_file: Path, **info: object) -> Take:
    take = make_take(load_head(flame_file, expressions=info.pop("expressions", 50)), 3)
    return dataclasses.replace(take, info=dataclasses.replace(take.info, **info))


def test_the_head_of_a_take(flame_file):
    """Straight from the encoder: lids as it was trained; solved or by landmarks: lids that turn with the head."""
    assert not head_of_take(flame_take(flame_file), flame_file).eyelids_after_skinning
    encoder = {"encoder": "SMIRK_em1.pt", "encoder_digest": "ab"}
    assert head_of_take(flame_take(flame_file, **encoder), flame_file).eyelids_after_skinning
    assert not head_of_take(
        flame_take(flame_file, **encoder, solve={"smoothing": 1.0}), flame_file
    ).eyelids_after_skinning
    assert head_of_take(flame_take(flame_file, expressions=80), flame_file).expression_size == 80


@pytest.mark.parametrize("suffix", [".csv", ".json", ".npz", ".obj"])
def test_takes_on_flame_are_exported(suffix, flame_file, flame_assets, data_folder, tmp_path, capfd):
    from smirk_core.cli import main

    take = flame_take(flame_file)
    take.save(tmp_path / "a.take.npz")
    arguments = ["export", str(tmp_path / "a.take.npz"), "-o", str(tmp_path / f"a{suffix}")]
    more = {".npz": ["--vertices"], ".obj": ["--frame", "1"]}.get(suffix, [])
    assert main([*arguments, *more]) == 2 and "flame-custom" in capfd.readouterr().err
    bring(data_folder, "flame-2020-generic", flame_file)
    bring(data_folder, "landmark_embedding", flame_assets / "landmark_embedding.npy")
    embedding = flame_assets / "mediapipe_landmark_embedding" / "mediapipe_landmark_embedding.npz"
    bring(data_folder, "mediapipe_embedding", embedding)
    assert main([*arguments, *more]) == 0
    written = tmp_path / f"a{suffix}"
    head = load_head(flame_file)
    if suffix == ".csv":
        header, *rows = written.read_text().splitlines()
        names = header.split(",")
        assert names[:2] == ["time", "exp_001"] and "jaw_x" in names and "HeadYaw" in names and len(rows) == 3
        column = names.index("exp_007")
        np.testing.assert_allclose(
            [float(r.split(",")[column]) for r in rows], take.filtered["expression"][:, 6], atol=1e-6
        )
        assert main([*arguments, "--layout", "livelink"]) == 2 and "ARKit" in capfd.readouterr().err
    elif suffix == ".npz":
        with np.load(written) as file:
            assert file["vertices"].shape == (3, 5023, 3) and file["triangles"].shape == (9976, 3)
            assert file["landmarks_mediapipe"].shape == (3, 105, 3) and "landmarks" not in file.files
            assert file["landmarks_fan"].shape == (3, 68, 3)
            assert file["curves"].shape == (3, len(file["names"]))
    elif suffix == ".obj":
        lines = written.read_text().splitlines()
        assert sum(line.startswith("v ") for line in lines) == 5023
        assert sum(line.startswith("f ") for line in lines) == len(head.polygons)


def test_a_take_on_flame_is_previewed(flame_file, tmp_path):
    from PIL import Image

    from smirk_core.cli import main

    take = flame_take(flame_file)
    dataclasses.replace(take, info=dataclasses.replace(take.info, source="")).save(tmp_path / "a.take.npz")
    output = tmp_path / "a.png"
    assert main(["preview", str(tmp_path / "a.take.npz"), "-o", str(output), "--head", str(flame_file)]) == 0
    assert np.asarray(Image.open(output)).std() > 10  # a head in front of the backdrop


def test_a_photo_is_solved_on_flame(flame_file, photo, detector):
    """The 105 landmarks of the solved head lie on those that the detector sees."""
    from smirk_core import track
    from smirk_core.heads.decode import decode, landmark_points, project
    from smirk_core.heads.landmark_sets import MEDIAPIPE_105, OUTER_EYES
    from smirk_core.tracking.tracker import read_faces

    take = track(photo, head=flame_file)
    head = head_of_take(take, flame_file)
    assert take.info.head_digest == head.digest and take.filtered["expression"].shape == (1, 50)
    groups = take.parameters()
    solved = landmark_points(head, decode(head, groups).vertices, head.landmarks["mediapipe_105"])
    places = np.asarray(project(solved, groups["camera"]))[0, :, :2]
    seen = read_faces(photo).tracks[0].observations(512, 512, "facemesh").landmarks[0, :, :2]
    eyes = np.linalg.norm(seen[OUTER_EYES[0]] - seen[OUTER_EYES[1]])
    assert np.linalg.norm(places - seen[list(MEDIAPIPE_105)], axis=1).mean() / eyes < 0.04
