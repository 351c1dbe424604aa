# SPDX-License-Identifier: Apache-2.0
"""Exports say what the take says: read back by other means, each file holds the same numbers."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from toys import make_take

from smirk_core.compare import compare
from smirk_core.errors import Cancelled, ExportError, TakeError
from smirk_core.export.atomic import atomic, check_writable
from smirk_core.export.csv import timecodes, write_csv
from smirk_core.export.curves import ANGLE_NAMES, curves_of, yaw_pitch_roll
from smirk_core.export.json import write_json
from smirk_core.export.npz import write_npz
from smirk_core.export.obj import write_obj
from smirk_core.heads.arkit import arkit_from_groups
from smirk_core.heads.decode import decode
from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.heads.rotation import matrix_from_rotvec


def rows_of(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


def test_csv_holds_every_curve_by_name(toy_take, toy_head, tmp_path):
    header, rows = rows_of(write_csv(toy_take, toy_head, tmp_path / "a.csv"))
    assert header == ["time", *ARKIT_NAMES, *ANGLE_NAMES]
    table = np.array(rows, float)
    np.testing.assert_allclose(table[:, 0], toy_take.times, atol=1e-6)
    np.testing.assert_allclose(table[:, 1:53], arkit_from_groups(toy_head, toy_take.filtered), atol=1e-6)
    jaw = toy_take.filtered["jaw"][:, 0]
    np.testing.assert_allclose(table[:, header.index("jawOpen")], np.maximum(jaw, 0) / 0.36, atol=1e-6)
    np.testing.assert_allclose(table[:, header.index("RightEyePitch")], toy_take.filtered["eyes"][:, 2], atol=1e-6)
    np.testing.assert_allclose(table[:, header.index("LeftEyeYaw")], toy_take.filtered["eyes"][:, 1], atol=1e-6)


def test_livelink_layout(toy_take, toy_head, tmp_path):
    header, rows = rows_of(write_csv(toy_take, toy_head, tmp_path / "a.csv", layout="livelink"))
    assert header[:3] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft"]
    assert header[53:55] == ["TongueOut", "HeadYaw"] and len(header) == 63
    assert all(row[1] == "61" and len(row) == 63 for row in rows)
    assert rows[26][0] == "00:00:01:01.000"
    plain, table = rows_of(write_csv(toy_take, toy_head, tmp_path / "b.csv"))
    smile = np.array([r[header.index("MouthSmileLeft")] for r in rows], float)
    expected = np.array([r[plain.index("mouthSmileLeft")] for r in table], float)
    np.testing.assert_allclose(smile, expected, atol=1e-6)
    assert {row[header.index("LeftEyeRoll")] for row in rows} == {"0.000000000"}


def test_timecodes():
    times = np.array([0.0, 0.04, 0.99, 59.96, 3600.0, 3661.02])
    assert timecodes(times, 25.0) == [
        "00:00:00:00.000", "00:00:00:01.000", "00:00:00:24.750", "00:00:59:24.000", "01:00:00:00.000",
        "01:01:01:00.500",
    ]  # fmt: skip


def test_unknown_layout(toy_take, toy_head, tmp_path):
    with pytest.raises(ValueError, match="unknown layout"):
        write_csv(toy_take, toy_head, tmp_path / "a.csv", layout="excel")
    assert not list(tmp_path.iterdir())


@given(st.floats(-3.1, 3.1), st.floats(-1.5, 1.5), st.floats(-3.1, 3.1))
def test_yaw_pitch_roll_compose_to_the_rotation(yaw, pitch, roll):
    rotation = Rotation.from_euler("YXZ", [yaw, pitch, roll])
    angles = yaw_pitch_roll(rotation.as_rotvec()[None])
    np.testing.assert_allclose(Rotation.from_euler("YXZ", angles[0]).as_matrix(), rotation.as_matrix(), atol=1e-6)


def test_yaw_pitch_roll_worked_numbers():
    """Yaw turns the nose to the subject's left (+x), pitch lowers it, roll tips to the subject's right."""
    angles = yaw_pitch_roll(np.array([[0, 0.5, 0], [0.3, 0, 0], [0, 0, 0.2]]))
    np.testing.assert_allclose(angles, [[0.5, 0, 0], [0, 0.3, 0], [0, 0, 0.2]], atol=1e-12)
    nose = matrix_from_rotvec(np.array([0.3, 0, 0])) @ [0, 0, 1]
    crown = matrix_from_rotvec(np.array([0, 0, 0.2])) @ [0, 1, 0]
    assert nose[1] < 0 and crown[0] < 0


def test_json(toy_take, toy_head, tmp_path):
    document = json.loads(write_json(toy_take, toy_head, tmp_path / "a.json").read_text())
    assert document["info"]["width"] == 640 and document["expression_names"] == list(toy_head.expression_names)
    curves = curves_of(toy_take, toy_head)
    np.testing.assert_allclose(document["curves"]["HeadYaw"], curves.angles[:, 0], atol=1e-6)
    np.testing.assert_allclose(document["groups"]["camera"], toy_take.filtered["camera"], atol=1e-6)
    np.testing.assert_allclose(document["identity"], toy_take.identity, atol=1e-6)


def test_npz_with_vertices(toy_take, toy_head, tmp_path):
    path = write_npz(toy_take, toy_head, tmp_path / "a.npz", vertices=True, chunk=7)
    with np.load(path, allow_pickle=False) as file:
        expected = decode(toy_head, toy_take.parameters())
        np.testing.assert_allclose(file["vertices"], expected.vertices, atol=1e-6)
        np.testing.assert_allclose(file["joints"], expected.joints, atol=1e-6)
        assert file["landmarks"].shape == (30, 478, 3)
        assert list(file["names"][:2]) == list(ARKIT_NAMES[:2])
    with np.load(write_npz(toy_take, toy_head, tmp_path / "b.npz")) as file:
        assert "vertices" not in file.files and file["curves"].shape == (30, 59)


def test_raw_and_filtered_differ(toy_take, toy_head, tmp_path):
    take = toy_take.with_filtered({**toy_take.raw, "eyelids": toy_take.raw["eyelids"] * 0.5}, ({"kind": "median"},))
    column = 1 + ARKIT_NAMES.index("eyeBlinkLeft")
    filtered = np.array(rows_of(write_csv(take, toy_head, tmp_path / "a.csv"))[1], float)[:, column]
    raw = np.array(rows_of(write_csv(take, toy_head, tmp_path / "b.csv", raw=True))[1], float)[:, column]
    np.testing.assert_allclose(filtered, raw * 0.5, atol=1e-6)


def read_obj(path: Path) -> tuple[np.ndarray, list[list[int]], list[list[int]], list[str]]:
    vertices, faces, uvs, materials = [], [], [], []
    for line in path.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(x) for x in rest.split()])
        elif kind == "f":
            corners = [c.split("/") for c in rest.split()]
            faces.append([int(a) - 1 for a, _ in corners])
            uvs.append([int(b) - 1 for _, b in corners])
        elif kind == "usemtl":
            materials.append(rest)
    return np.array(vertices), faces, uvs, materials


def test_obj_of_one_frame_is_the_decoded_mesh(toy_take, toy_head, tmp_path):
    (path,) = write_obj(toy_take, toy_head, tmp_path / "a.obj", frame=-1)
    assert path == tmp_path / "a.obj"
    vertices, faces, uvs, materials = read_obj(path)
    np.testing.assert_allclose(vertices, decode(toy_head, toy_take.parameters()).vertices[-1], atol=1e-6)
    wanted = sorted([i for i in p if i >= 0] for p in toy_head.polygons.tolist())
    assert sorted(faces) == wanted and sorted(uvs) == wanted
    assert materials == ["skin", "lips"]


def test_obj_sequence_and_photo(toy_take, toy_head, tmp_path):
    files = write_obj(toy_take, toy_head, tmp_path / "a.obj")
    assert [f.name for f in files] == [f"a_{i:05}.obj" for i in range(30)]
    assert len(list(tmp_path.iterdir())) == 30
    photo = write_obj(make_take(toy_head, 1), toy_head, tmp_path / "photo.obj")
    assert photo == [tmp_path / "photo.obj"]


def test_obj_that_is_stopped_leaves_nothing(toy_take, toy_head, tmp_path):
    def stop(stage, done, total):
        if done == 4:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        write_obj(toy_take, toy_head, tmp_path / "a.obj", progress=stop)
    assert not list(tmp_path.iterdir())


def test_obj_of_a_frame_that_is_not_there(toy_take, toy_head, tmp_path):
    for frame in (30, -31):
        with pytest.raises(ExportError, match="There is no frame"):
            write_obj(toy_take, toy_head, tmp_path / "a.obj", frame=frame)


@pytest.mark.parametrize("write", [write_csv, write_json, write_npz, write_obj])
def test_another_head_is_refused(write, toy_take, toy_head, tmp_path):
    other = dataclasses.replace(toy_head, digest="ffff", name="other-2")
    with pytest.raises(TakeError, match="made with toy-1"):
        write(toy_take, other, tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_atomic_leaves_the_old_file_when_the_work_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and [f.name for f in tmp_path.iterdir()] == ["a.txt"]
    with atomic(path) as temporary:
        assert temporary.suffix == ".txt"
        temporary.write_text("new")
    assert path.read_text() == "new" and [f.name for f in tmp_path.iterdir()] == ["a.txt"]


def test_atomic_turns_system_errors_into_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="Cannot write"), atomic(tmp_path / "file" / "a.txt"):
        pytest.fail("there is nowhere to write")
    with pytest.raises(ExportError, match="No space left"), atomic(tmp_path / "a.txt"):
        raise OSError(28, "No space left on device")
    assert [f.name for f in tmp_path.iterdir()] == ["file"]


def test_places_are_looked_at_before_any_work(tmp_path):
    check_writable(tmp_path / "new" / "deep" / "a.csv")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "a.csv"):
        with pytest.raises(ExportError, match="Cannot write"):
            check_writable(path)


def test_a_take_compared_with_itself_is_perfect(toy_take, toy_head):
    result = compare(toy_take, toy_take, toy_head)
    assert result.frames == 30 and result.correlation == pytest.approx(1) and result.landmark_error < 1e-9
    assert all(c.slope == pytest.approx(1) and c.error == 0 for c in result.active.values())
    assert result.rotation_degrees < 1e-4


def test_comparison_measures_what_was_done(toy_take, toy_head):
    changed = {**toy_take.raw, "eyelids": toy_take.raw["eyelids"] * 0.5, "expression": 1 - toy_take.raw["expression"]}
    turn = Rotation.from_rotvec([0, np.radians(3), 0])
    turned = (turn * Rotation.from_rotvec(toy_take.raw["rotation"])).as_rotvec()
    changed["rotation"] = turned
    changed["camera"] = toy_take.raw["camera"] + np.array([0, 5.0, 0])
    result = compare(dataclasses.replace(toy_take, raw=changed, filtered=changed), toy_take, toy_head)
    assert result.active["eyeBlinkLeft"].slope == pytest.approx(0.5)
    assert result.active["eyeBlinkLeft"].correlation == pytest.approx(1)
    assert result.active["browInnerUp"].correlation == pytest.approx(-1)
    assert result.active["browInnerUp"].slope == pytest.approx(-1)
    assert result.rotation_degrees == pytest.approx(3, abs=1e-6)
    assert result.landmark_error > 0.01


def test_comparison_goes_by_time(toy_head):
    truth = make_take(toy_head, 60)
    half = slice(10, 50, 2)
    part = {k: v[half] for k, v in truth.raw.items()}
    take = dataclasses.replace(truth, times=truth.times[half] + 0.004, raw=part, filtered=part)
    result = compare(take, truth, toy_head)
    assert result.frames == 20 and result.correlation == pytest.approx(1)
    late = dataclasses.replace(truth, times=truth.times + 100)
    with pytest.raises(TakeError, match="no frame in common"):
        compare(late, truth, toy_head)
