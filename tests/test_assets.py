# SPDX-License-Identifier: Apache-2.0
"""The user's own model files: recognised wherever they lie, copied whole, listed with what is missing."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from smirk_core import user_assets
from smirk_core.asset_catalog import CATALOG
from smirk_core.asset_import import import_files
from smirk_core.asset_import.recognise import recognise
from smirk_core.cli import main
from smirk_core.doctor import examine
from smirk_core.errors import AssetError, Cancelled

AROUND = {"l_eyelid", "r_eyelid", "landmark_embedding", "mediapipe_embedding", "flame_masks", "head_template"}


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch) -> Path:
    """An empty data folder of the user."""
    monkeypatch.setenv("SMIRK_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def here() -> dict[str, Path]:
    return {s.kind: s.path for s in user_assets.status() if s.path is not None}


def test_a_whole_folder(flame_assets, data):
    before = {p: p.read_bytes() for p in flame_assets.rglob("*") if p.is_file()}
    report = import_files([flame_assets])
    assert {e.kind for e in report.kept} == AROUND | {"flame-2020-generic"} == set(here())
    assert all(e.copied and not e.verified for e in report.kept) and not report.skipped
    assert {p: p.read_bytes() for p in flame_assets.rglob("*") if p.is_file()} == before  # copied, not moved
    for entry in report.kept:
        assert entry.path is not None and entry.path.read_bytes() == Path(entry.source).read_bytes()
        assert entry.path.parent == data / "assets" / entry.kind
    again = import_files([flame_assets])
    assert len(again.kept) == len(report.kept) and not any(e.copied for e in again.kept)


def test_an_archive_as_it_is_downloaded(flame_file, tmp_path):
    path = tmp_path / "FLAME2020.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(flame_file, "../../evil/male_model.pkl")
        archive.writestr("Readme.pdf", b"%PDF")
        archive.writestr("notes.npy", b"nonsense")
    report = import_files([path])
    assert set(here()) == {"flame-2020-male"}
    assert [e.source for e in report.skipped] == [f"{path}/notes.npy"]
    assert here()["flame-2020-male"] == user_assets.place("flame-2020-male") / "male_model.pkl"
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("FLAME2020/generic_model.pkl", "flame-2020-generic"),
        ("2023/generic_model.pkl", "flame-2020-generic"),
        ("female_model.pkl", "flame-2020-female"),
        ("male_model.pkl", "flame-2020-male"),
        ("flame2023.pkl", "flame-2023"),
        ("FLAME2023/generic_model.pkl", "flame-2023"),
        ("flame2023_Open.pkl", "flame-2023-open"),
        ("FLAME 2023 Open/flame.pkl", "flame-2023-open"),
        ("flame2023_no_jaw.pkl", ""),
    ],
)
def test_names_tell_flames_apart(name, kind, flame_file):
    assert recognise(flame_file, "", name)[0] == kind


def test_the_users_word_counts(flame_file):
    import_files([flame_file], kind="flame-2023-open")
    assert set(here()) == {"flame-2023-open"}
    import_files([flame_file], kind="smirk-checkpoint")  # which it is not
    assert set(here()) == {"flame-2023-open", "flame-2020-generic"}
    with pytest.raises(AssetError, match="There is no asset 'flame-3000'"):
        import_files([flame_file], kind="flame-3000")


def test_a_checkpoint_is_known_by_its_keys(tmp_path):
    from formula import formula_weights

    weights = formula_weights()
    (tmp_path / "encoder.safetensors").write_bytes(weights.to_safetensors())
    (tmp_path / "other.safetensors").write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    report = import_files([tmp_path])
    assert set(here()) == {"smirk-checkpoint"} and len(report.skipped) == 1


def test_fingerprints_win(monkeypatch, flame_file, flame_assets, tmp_path):
    """A known file is taken before others, and is not replaced by one that is not known."""
    lids = tmp_path / "lids"
    lids.mkdir()
    other, known = lids / "l_eyelid.npy", lids / "z_l.npy"
    shutil.copy(flame_assets / "l_eyelid.npy", known)
    np.save(other, np.load(known) * 0.9)
    monkeypatch.setitem(user_assets.KNOWN_SHA256, user_assets.digest_of(known), "l_eyelid")
    report = import_files([lids])
    (entry,) = report.kept
    assert entry.verified and entry.path is not None and entry.path.name == "z_l.npy"
    assert "was taken instead" in report.skipped[0].note
    assert next(s for s in user_assets.status() if s.kind == "l_eyelid").verified
    (refused,) = import_files([other]).entries
    assert refused.path is None and "known file is kept" in refused.note
    assert user_assets.remove("l_eyelid") and not user_assets.remove("l_eyelid")
    (taken,) = import_files([other]).entries
    assert taken.copied and not taken.verified
    assert import_files([known]).kept[0].note == "replaces l_eyelid.npy"
    assert [p.name for p in user_assets.place("l_eyelid").iterdir() if p.suffix == ".npy"] == ["z_l.npy"]


def test_a_changed_file_is_no_longer_known(monkeypatch, flame_assets):
    path = import_files([flame_assets / "l_eyelid.npy"]).kept[0].path
    assert path is not None
    monkeypatch.setitem(user_assets.KNOWN_SHA256, user_assets.digest_of(path), "l_eyelid")
    assert next(s for s in user_assets.status() if s.kind == "l_eyelid").verified
    np.save(path, np.load(path) * 2)
    assert not next(s for s in user_assets.status() if s.kind == "l_eyelid").verified


def trap(path: Path, sprung: Path) -> Path:
    class Trap:
        def __reduce__(self):
            return (Path.touch, (sprung,))

    path.write_bytes(pickle.dumps({"v_template": Trap()}))
    return path


def test_foreign_and_hostile_files_are_skipped_with_a_reason(flame_assets, tmp_path):
    folder = tmp_path / "mess"
    (folder / ".git").mkdir(parents=True)
    shutil.copy(flame_assets / "l_eyelid.npy", folder / ".git")
    shutil.copy(flame_assets / "l_eyelid.npy", folder / "lid.npy")
    trap(folder / "trap.pkl", tmp_path / "sprung")
    np.save(folder / "small.npy", np.zeros(3))
    np.save(folder / "flat.npy", np.zeros((5023, 3)))
    np.savez(folder / "some.npz", a=np.zeros(3))
    np.savez(folder / "x.take.npz", a=np.zeros(3))
    (folder / "cube.obj").write_text("v 0 0 0\nvt 0 0\nf 1 1 1\n")
    (folder / "model.pt").write_bytes(b"PK\x03\x04")
    (folder / "face_landmarker.task").write_bytes(b"old")
    (folder / "broken.zip").write_bytes(b"PK\x03\x04")
    (folder / "mica.ckpt").write_bytes(pickle.dumps({"a": 1}))
    (folder / "film.mp4").write_bytes(b"")
    report = import_files([folder])
    assert not report.kept and not here() and not (tmp_path / "sprung").exists()
    notes = {Path(e.source).name: e.note for e in report.skipped}
    assert set(notes) == {
        "lid.npy", "trap.pkl", "small.npy", "flat.npy", "some.npz", "x.take.npz", "cube.obj", "model.pt",
        "face_landmarker.task", "broken.zip", "mica.ckpt",
    }  # fmt: skip
    assert all(notes.values()) and "which side" in notes["lid.npy"] and "Path" in notes["trap.pkl"]


def test_an_archive_that_swells_is_not_unpacked(tmp_path, monkeypatch):
    with (
        zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("generic_model.pkl", "w", force_zip64=True) as member,
    ):
        for _ in range(450):
            member.write(bytes(1 << 20))
    monkeypatch.setattr("tempfile.TemporaryDirectory", None)  # nothing may be unpacked
    (entry,) = import_files([tmp_path]).entries
    assert "too large" in entry.note


def test_nothing_half_copied(flame_assets, data, monkeypatch):
    def stop(stage: str, done: int, total: int | None) -> None:
        if stage == "Copying" and done == 2:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        import_files([flame_assets], stop)
    assert len(here()) == 2
    assert not list(data.rglob(".smirk-*"))


def test_a_data_folder_that_cannot_be_written(flame_assets, data):
    data.write_text("a file where the folder should be")
    with pytest.raises(Exception, match="Cannot write") as caught:
        import_files([flame_assets])
    assert "Traceback" not in str(caught.value)


def test_the_data_folder_itself_is_not_searched(flame_assets, tmp_path, data):
    import_files([flame_assets])
    assert import_files([tmp_path]).entries == []


def test_every_kind_has_its_words():
    assert tuple(CATALOG) == user_assets.KINDS
    for state in user_assets.status():
        assert state.path is None and not state.verified
        assert state.title and state.purpose and "https://" in state.where and state.licence


def test_command_line(flame_assets, capfd, tmp_path):
    assert main(["assets", "list"]) == 0
    out = capfd.readouterr().out
    assert "Not here" in out and "flame.is.tue.mpg.de" in out and "CC BY 4.0" in out and "Apache-2.0" in out
    assert main(["assets", "import", str(flame_assets)]) == 0
    out = capfd.readouterr().out
    assert "copied: FLAME 2020, generic (a variant that is not known)" in out and str(tmp_path / "data") in out
    assert main(["assets", "list"]) == 0
    assert "unknown variant" in capfd.readouterr().out
    assert main(["assets", "remove", "flame_masks"]) == 0
    capfd.readouterr()
    assert main(["assets", "remove", "flame_masks"]) == 2
    assert capfd.readouterr().err.count("\n") == 1
    (tmp_path / "empty").mkdir()
    for wrong in ("empty", "missing"):
        assert main(["assets", "import", str(tmp_path / wrong)]) == 2
        err = capfd.readouterr().err
        assert err.startswith("smirk: ") and err.count("\n") == 1


def test_doctor_says_what_is_here_and_what_is_missing(flame_assets):
    lines = dict(examine().lines)
    assert lines["FLAME"].startswith("not here") and lines["encoder"].startswith("not here")
    import_files([flame_assets])
    user_assets.remove("flame_masks")
    lines = dict(examine().lines)
    assert "generic_model.pkl" in lines["FLAME"] and lines["FLAME's files"].endswith("missing: flame_masks")


def test_an_imported_flame_is_whole(flame_assets):
    """The copies work together as the originals do: lids, landmarks and regions are found from the data folder."""
    from smirk_core.heads.flame import load_flame

    import_files([flame_assets])
    head = load_flame(here()["flame-2020-generic"])
    original = load_flame(flame_assets / "FLAME2020" / "generic_model.pkl")
    assert head.digest == original.digest and head.landmarks.keys() == original.landmarks.keys()
    np.testing.assert_array_equal(head.eyelid_basis, original.eyelid_basis)
