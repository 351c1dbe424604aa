# SPDX-License-Identifier: Apache-2.0
"""The builder: locked wheels, one manifest for each zip, the same bytes every time, Blender's own word on all of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release import extension, fetch, manifest
from release.archive import write_archive
from release.blender_tool import BlenderToolError, find_tool, generate_repository, validate
from release.core_wheel import FACE_LANDMARKER, build_core_wheel, core_version
from release.extension import build_extension, extension_name
from release.lock import LockedWheel, locked, read_lock, write_lock
from release.manifest import make_manifest, source_manifest
from release.targets import BLENDERS, PACKAGES, PLATFORMS, ROOT, wanted

needs_bpy = pytest.mark.skipif(find_spec("bpy") is None, reason="Blender's extension tool comes with bpy")
COMBINATIONS = [(b, p) for b in BLENDERS for p in PLATFORMS]


@pytest.fixture
def tool() -> Path:
    return find_tool()


# The lock -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("blender", "platform"), COMBINATIONS)
def test_the_lock_has_every_package_once(blender, platform):
    wheels = locked(blender, platform)
    assert [w.name for w in wheels] == sorted(p.name for p in wanted(blender))
    for wheel in wheels:
        distribution, version, *_, tags = wheel.file.removesuffix(".whl").split("-")
        assert distribution.replace("_", "-").lower() == wheel.name and version == wheel.version
        assert re.fullmatch(r"[0-9a-f]{64}", wheel.sha256) and wheel.size > 0
        assert tags == "any" or set(tags.split(".")) & set(PLATFORMS[platform])


def test_the_versions_are_those_that_were_tested():
    for wheel in read_lock():
        lines = (ROOT / BLENDERS[wheel.blender].constraints).read_text(encoding="utf-8").splitlines()
        assert f"{wheel.name}=={wheel.version}" in [line.replace("_", "-") for line in lines]


def test_versions_that_report_to_their_makers_stay_out():
    """MediaPipe after 0.10.33 and ONNX Runtime from 1.29 on open connections by themselves."""
    versions = {(w.name, tuple(int(n) for n in w.version.split(".")[:3])) for w in read_lock()}
    assert all(v <= (0, 10, 33) for n, v in versions if n == "mediapipe")
    assert all(v < (1, 29) for n, v in versions if n == "onnxruntime")


def test_every_wheel_is_named_with_its_licence():
    text = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
    for package in PACKAGES:
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{package.name}`")]
        assert row.endswith(f"| {package.licence} |"), package.name
    assert {w.licence for w in read_lock()} <= {p.licence for p in PACKAGES}


def test_the_zips_stay_small():
    """200 MB with wheels; the engine with its models gets 25 of them."""
    for blender, platform in COMBINATIONS:
        assert sum(w.size for w in locked(blender, platform)) < 175e6


def test_writing_and_reading(tmp_path):
    path = tmp_path / "lock.toml"
    write_lock(reversed(read_lock()), path)
    assert read_lock(path) == read_lock() and path.read_text() == (ROOT / "wheels.lock.toml").read_text()
    path.write_text('[[wheel]]\nname = "a"\n')
    with pytest.raises(ValueError, match="damaged"):
        read_lock(path)
    with pytest.raises(ValueError, match="no wheels for Blender 9"):
        locked("9", "linux-x64")


# Fetching -------------------------------------------------------------------------------------------------------------


def a_wheel(data: bytes = b"wheel") -> LockedWheel:
    digest = hashlib.sha256(data).hexdigest()
    return LockedWheel("4.5", "linux-x64", "a", "1", "a-1-py3-none-any.whl", len(data), digest, "MIT")


def test_a_cached_wheel_needs_no_network(tmp_path, monkeypatch):
    monkeypatch.setattr(fetch, "_download", lambda *_: pytest.fail("asked the network"))
    (tmp_path / "a-1-py3-none-any.whl").write_bytes(b"wheel")
    assert fetch.fetch(a_wheel(), tmp_path) == tmp_path / "a-1-py3-none-any.whl"


def test_a_wheel_with_another_hash_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a-1-py3-none-any.whl").write_bytes(b"forged")
    with pytest.raises(fetch.FetchError, match="SHA-256"):
        fetch.fetch(a_wheel(), tmp_path)

    def forged(name, version, blender, platform, folder):
        path = folder / "a-1-py3-none-any.whl"
        path.write_bytes(b"forged")
        return path

    monkeypatch.setattr(fetch, "_download", forged)
    empty = tmp_path / "empty"
    with pytest.raises(fetch.FetchError, match="SHA-256"):
        fetch.fetch(a_wheel(), empty)
    assert list(empty.iterdir()) == []  # nothing unverified stays


def test_no_network_is_one_line(tmp_path, monkeypatch):
    """pip pointed at an address where nobody answers."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(fetch.FetchError, match=r"pip cannot fetch a 1 for Blender 4\.5 on linux-x64"):
        fetch.fetch(a_wheel(), tmp_path)


# Archives and the engine's wheel --------------------------------------------------------------------------------------


@given(st.dictionaries(st.text("abc/.", min_size=1, max_size=8), st.binary(max_size=64), max_size=5))
def test_archives_depend_on_their_contents_only(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("archives")
    one = write_archive(folder / "1.zip", files)
    other = write_archive(folder / "2.zip", dict(reversed(files.items())))
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert {n: archive.read(n) for n in archive.namelist()} == files


def test_a_failed_archive_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"old")
    with pytest.raises(OSError):
        write_archive(path, {"a": tmp_path / "nowhere"})
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_the_engines_wheel(tmp_path):
    path = build_core_wheel(tmp_path / "a")
    assert path.read_bytes() == build_core_wheel(tmp_path / "b").read_bytes()
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        assert {n.split("/")[0] for n in names} == {"smirk_core", f"smirk_core-{core_version()}.dist-info"}
        assert "smirk_core/assets/open_head.npz" in names and FACE_LANDMARKER not in names
        assert not [n for n in names if "__pycache__" in n or n.endswith(".pyc") or "/." in n]
        assert any(n.endswith("licenses/LICENSES/Apache-2.0.txt") for n in names)


def test_pip_takes_the_engines_wheel(tmp_path):
    """Its RECORD is checked on the way."""
    path = build_core_wheel(tmp_path)
    command = [
        sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--no-compile", "--target",
        str(tmp_path / "site"), str(path),
    ]  # fmt: skip
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode:
        pytest.skip("no pip here")
    subprocess.run(command, check=True, capture_output=True)
    code = "import sys; sys.path.insert(0, sys.argv[1]); import smirk_core; print(smirk_core.__file__)"
    result = subprocess.run([sys.executable, "-I", "-c", code, str(tmp_path / "site")], capture_output=True, text=True)
    assert str(tmp_path) in result.stdout


def test_a_face_model_goes_beside_the_head_if_it_is_the_right_one(tmp_path):
    forged = tmp_path / "face_landmarker.task"
    with pytest.raises(fetch.FetchError, match="There is no"):
        extension.check_task(forged)
    forged.write_bytes(b"forged")
    with pytest.raises(fetch.FetchError, match="is not the face model"):
        extension.check_task(forged)
    with zipfile.ZipFile(build_core_wheel(tmp_path, forged)) as wheel:  # the wheel itself takes what it is given
        assert wheel.read(FACE_LANDMARKER) == b"forged"


def test_one_fingerprint_everywhere():
    from smirk_core.tracking.face_graphs import FACE_LANDMARKER_SHA256

    assert extension.FACE_LANDMARKER_SHA256 == FACE_LANDMARKER_SHA256


# Manifests ------------------------------------------------------------------------------------------------------------


def test_the_manifest_follows_the_rules_of_the_platform():
    found = source_manifest()
    assert "blender" not in found["name"].lower() and found["id"] == "smirk"
    for text in (found["tagline"], *found["permissions"].values()):
        assert len(text) <= 64 and text[-1].isalnum()
    assert set(found["permissions"]) == {"files", "network"} and "SPDX:GPL-3.0-or-later" in found["license"]


def test_versions_agree(monkeypatch):
    monkeypatch.setattr(manifest, "core_version", lambda: "9.9.9")
    with pytest.raises(ValueError, match=r"9\.9\.9"):
        source_manifest()


@pytest.mark.parametrize("platform", [*PLATFORMS, None])
@pytest.mark.parametrize("blender", BLENDERS)
def test_the_manifest_of_a_zip(blender, platform):
    found = tomllib.loads(make_manifest(BLENDERS[blender], platform, ["b.whl", "a.whl"]).decode())
    assert found["wheels"] == ["./wheels/a.whl", "./wheels/b.whl"] and found.get("platforms") == (
        None if platform is None else [platform]
    )
    assert found["permissions"] == source_manifest()["permissions"]
    assert (found["blender_version_min"], found.get("blender_version_max", "")) == (
        BLENDERS[blender].minimum, BLENDERS[blender].maximum,
    )  # fmt: skip


def test_the_ranges_of_the_two_zips_meet_without_a_gap():
    assert BLENDERS["4.5"].maximum == BLENDERS["5.2"].minimum


@needs_bpy
@pytest.mark.parametrize(("blender", "platform"), COMBINATIONS)
def test_blender_accepts_every_combination(blender, platform, tmp_path, tool, monkeypatch):
    """The real manifest, with the locked names; the wheels themselves are empty here."""

    def empty(wheel, cache):
        path = tmp_path / wheel.file
        path.write_bytes(b"")
        return path

    monkeypatch.setattr(extension, "fetch", empty)
    archive = build_extension(blender, platform, tmp_path / "out", tmp_path, tool)
    with zipfile.ZipFile(archive) as opened:
        found = tomllib.loads(opened.read("blender_manifest.toml").decode())
        names = opened.namelist()
    assert sorted(f"./{n}" for n in names if n.startswith("wheels/")) == found["wheels"]
    assert {"__init__.py", "registration.py", "THIRD_PARTY.md", "LICENSES/GPL-3.0-or-later.txt"} <= set(names)
    assert not [n for n in names if "__pycache__" in n or n.startswith(("tests/", "training/"))]


@needs_bpy
def test_blender_refuses_a_bad_one(tmp_path, tool):
    bad = make_manifest(BLENDERS["4.5"], None, []).replace(b"offline", b"offline!")
    with pytest.raises(BlenderToolError, match="tagline"):
        validate(write_archive(tmp_path / "bad.zip", {"blender_manifest.toml": bad, "__init__.py": b""}), tool)
    with pytest.raises(BlenderToolError, match="missing"):
        find_tool(tmp_path)


def test_the_slim_zip_has_nothing_that_depends_on_the_platform():
    for package in (p for p in PACKAGES if p.in_blender):
        assert len({w.file for w in read_lock() if w.name == package.name}) == 1
        assert all(w.file.endswith("-py3-none-any.whl") for w in read_lock() if w.name == package.name)


@pytest.fixture
def slim_cache(tmp_path: Path) -> Path:
    """A cache with the wheels of the slim zip."""
    cache = Path(os.environ.get("SMIRK_WHEELS") or ROOT / ".wheels")
    try:
        for wheel in read_lock():
            if wheel.name in {p.name for p in PACKAGES if p.in_blender}:
                fetch.fetch(wheel, cache)
    except fetch.FetchError as error:
        pytest.skip(f"neither a cache of wheels nor a network: {error}")
    return cache


@needs_bpy
def test_the_same_bytes_and_a_repository(tmp_path, tool, slim_cache):
    one = build_extension("4.5", None, tmp_path / "1", slim_cache, tool)
    other = build_extension("4.5", None, tmp_path / "2", slim_cache, tool)
    assert one.read_bytes() == other.read_bytes() and one.name == extension_name("4.5", None)
    command = [
        sys.executable, str(ROOT / "build_addon.py"), "--slim", "--out", str(tmp_path / "3"),
        "--repository", str(tmp_path / "r"), "--wheels", str(slim_cache),
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "3" / one.name).read_bytes() == one.read_bytes()
    listed = json.loads((tmp_path / "r" / "index.json").read_text(encoding="utf-8"))["data"]
    assert {e["archive_url"] for e in listed} == {f"./{extension_name(b, None)}" for b in BLENDERS}
    assert {e["archive_hash"] for e in listed} >= {f"sha256:{hashlib.sha256(one.read_bytes()).hexdigest()}"}
    generate_repository(tmp_path / "r", tool)  # again, over what is there


@needs_bpy
def test_the_command_line_says_what_is_wrong_in_one_line(tmp_path):
    (tmp_path / "a.task").write_bytes(b"x")
    command = [sys.executable, str(ROOT / "build_addon.py"), "--slim", "--task", str(tmp_path / "a.task")]
    result = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True)
    assert result.returncode == 1 and result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert not list(tmp_path.glob("*.zip"))
