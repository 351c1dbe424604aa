# SPDX-License-Identifier: Apache-2.0
"""Take files: everything comes back, and nothing but a take is read."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toys import make_take

from smirk_core.errors import TakeError
from smirk_core.take import SCHEMA, Take, TakeInfo, load_take


@pytest.fixture
def saved(toy_take, tmp_path) -> Path:
    return toy_take.save(tmp_path / "a.take.npz")


def rewrite(source: Path, target: Path, change: dict | None = None, **arrays: np.ndarray) -> Path:
    """A copy of a take file with some of its arrays replaced."""
    with np.load(source) as file:
        content = {k: file[k] for k in file.files}
    if change is not None:
        content["header"] = np.array(json.dumps({**json.loads(str(content["header"])), **change}))
    np.savez(target, **{**content, **arrays})
    return target


def test_everything_comes_back(toy_take, tmp_path):
    info = dataclasses.replace(
        toy_take.info,
        source="Straße/クリップ.mp4",
        solve={"smoothing": 1.0, "neutral": [3, 4]},
        filters=({"kind": "median", "window": 5},),
        rotation=90,
        start=1.25,
        notes="cancelled after 30 of 400 frames",
    )
    filtered = {k: v + 0.001 if k == "jaw" else v for k, v in toy_take.raw.items()}
    take = dataclasses.replace(toy_take, info=info, filtered=filtered)
    again = load_take(take.save(tmp_path / "folder" / "ä.take.npz"))
    assert again.info == info
    assert np.array_equal(again.times, take.times) and np.array_equal(again.identity, take.identity)
    for layer in ("raw", "filtered"):
        ours, theirs = getattr(take, layer), getattr(again, layer)
        assert set(ours) == set(theirs)
        for name in ours:
            assert np.array_equal(ours[name], theirs[name]) and ours[name].dtype == theirs[name].dtype, name


def test_one_frame_is_a_take(toy_head, tmp_path):
    take = make_take(toy_head, 1)
    assert len(load_take(take.save(tmp_path / "photo.take.npz"))) == 1


def test_same_take_same_bytes(toy_take, tmp_path):
    def content(path: Path) -> dict[str, bytes]:
        with zipfile.ZipFile(path) as file:
            return {n: file.read(n) for n in file.namelist()}

    assert content(toy_take.save(tmp_path / "a.npz")) == content(toy_take.save(tmp_path / "b.npz"))


def test_saving_replaces_and_leaves_nothing_else(toy_take, toy_head, tmp_path):
    path = tmp_path / "a.take.npz"
    path.write_text("old")
    toy_take.save(path)
    make_take(toy_head, 5).save(path)
    assert len(load_take(path)) == 5
    assert [f.name for f in tmp_path.iterdir()] == ["a.take.npz"]


def test_a_place_that_cannot_be_written(toy_take, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TakeError, match="Cannot write"):
        toy_take.save(tmp_path / "file" / "a.take.npz")
    assert [f.name for f in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk_leaves_nothing(toy_take, tmp_path, monkeypatch):
    def full(file, **arrays):
        with Path("/dev/full").open("wb") as device:
            device.write(b"x" * 100_000)

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(TakeError, match="No space left"):
        toy_take.save(tmp_path / "a.take.npz")
    assert list(tmp_path.iterdir()) == []


def test_parameters_decode_as_a_batch(toy_take):
    groups = toy_take.parameters()
    assert {len(v) for v in groups.values()} == {len(toy_take)}
    changed = toy_take.with_filtered({**toy_take.raw, "jaw": toy_take.raw["jaw"] * 0}, ({"kind": "median"},))
    assert not changed.parameters()["jaw"].any()
    assert np.array_equal(changed.parameters(raw=True)["jaw"], toy_take.raw["jaw"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": np.array([])}, "at least one frame"),
        ({"times": np.zeros(30)}, "must increase"),
        ({"times": np.arange(30.0)[::-1]}, "must increase"),
        ({"times": np.arange(29.0)}, "shape"),
        ({"raw": {"jaw": np.zeros((30, 4))}}, "jaw"),
        ({"raw": {"jaw": np.zeros(30)}}, "jaw"),
        ({"raw": {"nose": np.zeros((30, 1))}}, "Unknown parameter group 'nose'"),
        ({"filtered": {"jaw": np.full((30, 3), np.nan)}}, "not finite"),
    ],
)
def test_takes_that_cannot_be(toy_take, change, message):
    with pytest.raises(TakeError, match=message):
        dataclasses.replace(toy_take, **change)


def test_missing_file(tmp_path):
    with pytest.raises(TakeError, match="There is no take file"):
        load_take(tmp_path / "none.take.npz")


def test_a_folder_is_no_take(tmp_path):
    with pytest.raises(TakeError):
        load_take(tmp_path)


def test_newer_version(saved, tmp_path):
    header = {"schema": SCHEMA + 1, "software": "smirk 99.0"}
    with pytest.raises(TakeError, match=r"newer version \(smirk 99.0\)"):
        load_take(rewrite(saved, tmp_path / "new.npz", header))


def test_unknown_header_keys_are_left_alone(saved, tmp_path):
    assert load_take(rewrite(saved, tmp_path / "b.npz", {"colour": "red"})).info.rate == 25.0


def test_no_pickle_is_ever_run(saved, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    trap = np.array([Trap()], dtype=object)
    for name in ("times", "header", "raw/jaw"):
        with pytest.raises(TakeError):
            load_take(rewrite(saved, tmp_path / "trap.npz", **{name: trap}))
    (tmp_path / "plain.take.npz").write_bytes(pickle.dumps(Trap()))
    np.save(tmp_path / "array.npy", trap, allow_pickle=True)
    for name in ("plain.take.npz", "array.npy"):
        with pytest.raises(TakeError):
            load_take(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def array_bytes(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"PK\x03\x04",
        b"\x93NUMPY",
        array_bytes(np.arange(5)),
        zipped(),
        zipped(readme=b"no arrays"),
        zipped(**{"header.npy": b"\x93NUMPY\x01\x00"}),
        zipped(**{"header.npy": array_bytes(np.array("{")), "times.npy": b"", "identity.npy": b""}),
        zipped(**{n + ".npy": array_bytes(np.array("3")) for n in ("header", "times", "identity")}),
        zipped(**{n + ".npy": array_bytes(np.array("{}")) for n in ("header", "times", "identity")}),
        zipped(**{n + ".npy": array_bytes(np.array('{"filters": 3}')) for n in ("header", "times", "identity")}),
        zipped(**{n + ".npy": array_bytes(np.array('{"schema": "x"}')) for n in ("header", "times", "identity")}),
        zipped(**{n + ".npy": array_bytes(np.zeros(0)) for n in ("header", "times", "identity")}),
    ],
)
def test_foreign_files(content, tmp_path):
    path = tmp_path / "foreign.take.npz"
    path.write_bytes(content)
    with pytest.raises(TakeError):
        load_take(path)


def test_arrays_of_the_wrong_kind(saved, tmp_path):
    for name, array in (
        ("times", np.array(["a"] * 30)),
        ("raw/jaw", np.array([["x"] * 3] * 30)),
        ("times", np.array(3.0)),
        ("identity", np.zeros((2, 3))),
        ("identity", np.array(["a"])),
        ("raw/jaw", np.zeros((30, 3), complex)),
    ):
        with pytest.raises(TakeError):
            load_take(rewrite(saved, tmp_path / "b.npz", **{name: array}))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_an_error_or_harmless(data, saved, tmp_path):
    """Cut or flipped anywhere, a file is refused or still the same take; it never raises anything but TakeError."""
    content = bytearray(saved.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path = tmp_path / "damaged.take.npz"
    path.write_bytes(content)
    try:
        take = load_take(path)
    except TakeError:
        return
    assert len(take) == len(load_take(saved))


def test_take_without_filtered_arrays_is_its_raw_self(saved, tmp_path):
    with np.load(saved) as file:
        content = {k: file[k] for k in file.files if not k.startswith("filtered/")}
    np.savez(tmp_path / "old.npz", **content)
    take = load_take(tmp_path / "old.npz")
    assert np.array_equal(take.filtered["jaw"], take.raw["jaw"])


def test_public_names():
    import smirk_core

    assert smirk_core.Take is Take
    with pytest.raises(AttributeError):
        smirk_core.nothing  # noqa: B018
    assert TakeInfo().schema == SCHEMA


def test_bytes_are_the_file(tmp_path, toy_take):
    path = toy_take.save(tmp_path / "a.take.npz")
    again = Take.from_bytes(path.read_bytes())
    assert again.info == toy_take.info
    for name, values in toy_take.raw.items():
        np.testing.assert_array_equal(again.raw[name], values)
    with pytest.raises(TakeError, match=r"^My bytes is not a take"):
        Take.from_bytes(b"PK\x03\x04 nonsense", "My bytes")
