# SPDX-License-Identifier: Apache-2.0
"""Where the known data sets keep their pictures and landmarks. Source: specification, section 8.

Each function lists a set as it lies on disk; landmark files are looked for when a face is read, so that one that is
missing is counted and reported instead of quietly making the set smaller.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from smirk_core.errors import TrainingError

from .face_sets import FaceSet, Photo, PhotoSet, PreparedSet, Video, VideoSet

__all__ = ["LAYOUTS", "MEAD_TEST", "MEAD_TRAIN", "MEAD_VALIDATION", "open_set"]

_PICTURES = {".bmp", ".jpeg", ".jpg", ".png", ".webp"}
_VIDEOS = {".avi", ".mkv", ".mov", ".mp4", ".mpg", ".webm"}


def _subjects(words: str) -> frozenset[str]:
    return frozenset(words.split())


MEAD_TRAIN = _subjects(
    "M003 M007 M009 M011 M012 M019 M024 M025 M026 M027 M029 M030 M031 M032 M033 M034 M035 M037 M039 M040 M041 W009 "
    "W011 W014 W015 W016 W019 W021 W023 W024 W025 W026 W035 W036 W037 W038 W040"
)
MEAD_VALIDATION = _subjects("M013 M023 M042 W018 W028")
MEAD_TEST = _subjects("M005 M022 M028 W029 W033")
_SPLITS = {"train": MEAD_TRAIN, "held_out": MEAD_VALIDATION, "test": MEAD_TEST}
_VIEWS = ("left_30", "left_60", "right_30", "right_60")


def _files(folder: Path, suffixes: set[str]) -> list[Path]:
    if not folder.is_dir():
        raise TrainingError(f"There is no folder {folder}.")
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in suffixes and p.is_file())


def _beside(path: Path, folder: Path, landmarks: Path) -> Path:
    """The place in ``landmarks`` that mirrors a file's place in ``folder``, without suffix."""
    return (landmarks / path.relative_to(folder)).with_suffix("")


def _npy(stem: Path) -> Path:
    return stem.parent / f"{stem.name}.npy"


def images(path: str, mediapipe: str, fan: str = "") -> FaceSet:
    """A folder of photos; landmark folders mirror it: ``<stem>.npy`` of (478, 3) and of (faces, 68, 2)."""
    folder = Path(path)
    photos = [
        Photo(p, _npy(_beside(p, folder, Path(mediapipe))), _beside(p, folder, Path(fan)) if fan else None)
        for p in _files(folder, _PICTURES)
    ]
    return PhotoSet(folder.name, [[p] for p in photos])


def videos(path: str, mediapipe: str, fan: str = "") -> FaceSet:
    """A folder of videos; landmark folders mirror it: ``<stem>.npy`` of (frames, 478, 3), ``<stem>.pkl`` of FAN's."""
    folder = Path(path)
    return VideoSet(folder.name, [
        Video(p, _npy(_beside(p, folder, Path(mediapipe))), _beside(p, folder, Path(fan)) if fan else None)
        for p in _files(folder, _VIDEOS)
    ])  # fmt: skip


def ffhq(path: str, mediapipe: str, fan: str) -> FaceSet:
    """FFHQ: ``<path>/*.png``, ``<fan>/<stem>.npy``, ``<mediapipe>/<stem>.npy``."""
    photos = [Photo(p, Path(mediapipe) / f"{p.stem}.npy", Path(fan) / p.stem) for p in _files(Path(path), {".png"})]
    return PhotoSet("ffhq", [[p] for p in photos])


def celeba(path: str, mediapipe: str, fan: str, identities: str) -> FaceSet:
    """CelebA, aligned: one item is one person of ``identities`` (lines "file identity"), a random photo of theirs."""
    persons: dict[str, list[Photo]] = {}
    try:
        lines = Path(identities).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"Cannot read CelebA's list of identities {identities}: {error}.") from error
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2:
            raise TrainingError(f"{identities}, line {number}: expected a file name and an identity.")
        stem = Path(words[0]).stem
        photo = Photo(Path(path) / f"{stem}.jpg", Path(mediapipe) / f"{stem}.npy", Path(fan) / stem)
        persons.setdefault(words[1], []).append(photo)
    return PhotoSet("celeba", list(persons.values()))


def _mead(files: list[Path], part: str) -> list[Path]:
    if part not in _SPLITS:
        raise TrainingError(f"MEAD's parts are {', '.join(_SPLITS)}, not '{part}'.")
    return [p for p in files if p.name.split("_")[0] in _SPLITS[part]]


def mead_front(path: str, mediapipe: str, fan: str, part: str = "train") -> FaceSet:
    """MEAD from the front: ``<path>/<subject>_*.mp4``, ``<mediapipe>/<stem>.npy``, ``<fan>/<stem>.pkl``."""
    files = _mead(_files(Path(path), {".mp4"}), part)
    return VideoSet(
        "mead_front", [Video(p, Path(mediapipe) / f"{p.stem}.npy", Path(fan) / p.stem) for p in files]
    )  # fmt: skip


def mead_sides(path: str, part: str = "train") -> FaceSet:
    """MEAD from the sides: ``<path>/videos_{left,right}_{30,60}/*.mp4`` with ``.npy`` beside; no FAN landmarks."""
    folders = [Path(path) / f"videos_{view}" for view in _VIEWS]
    files = [p for folder in folders if folder.is_dir() for p in _files(folder, {".mp4"})]
    if not files:
        raise TrainingError(f"{path} has no folders videos_left_30, videos_left_60, videos_right_30, videos_right_60.")
    return VideoSet("mead_sides", [Video(p, p.with_suffix(".npy")) for p in _mead(files, part)])


def lrs3(path: str, landmarks: str = "", part: str = "train") -> FaceSet:
    """LRS3: ``<path>/{trainval,test}/<folder>/<id>.mp4`` with ``.npy`` beside; FAN's ``.pkl`` in ``landmarks``.

    Four fifths of trainval's folders are "train", the rest "held_out", drawn by a fixed seed.
    """
    root = Path(path)
    if part not in ("train", "held_out", "test"):
        raise TrainingError(f"LRS3's parts are train, held_out and test, not '{part}'.")
    top = root / ("test" if part == "test" else "trainval")
    if not top.is_dir():
        raise TrainingError(f"There is no folder {top}.")
    folders = sorted(p for p in top.iterdir() if p.is_dir())
    if part != "test":
        random.Random(42).shuffle(folders)
        cut = int(0.8 * len(folders))
        folders = sorted(folders[:cut] if part == "train" else folders[cut:])
    files = [p for folder in folders for p in _files(folder, {".mp4"})]
    fan = Path(landmarks) if landmarks else None
    return VideoSet("lrs3", [
        Video(p, p.with_suffix(".npy"), None if fan is None else _beside(p, root, fan)) for p in files
    ])  # fmt: skip


LAYOUTS: Mapping[str, Callable[..., FaceSet]] = {
    "prepared": PreparedSet, "images": images, "videos": videos, "ffhq": ffhq, "celeba": celeba,
    "mead_front": mead_front, "mead_sides": mead_sides, "lrs3": lrs3,
}  # fmt: skip


def open_set(words: Mapping[str, Any]) -> FaceSet:
    """A set from a configuration's entry: ``kind`` is a key of :data:`LAYOUTS`, the rest its arguments.

    Raises:
        TrainingError: there is no such kind, an argument is wrong, or nothing is there.
    """
    rest = dict(words)
    kind = rest.pop("kind", None)
    if kind not in LAYOUTS:
        raise TrainingError(f"There is no kind of data set '{kind}'; there are {', '.join(LAYOUTS)}.")
    try:
        found = LAYOUTS[kind](**rest)
    except TypeError as error:
        raise TrainingError(f"The data set '{kind}' does not take that: {error}.") from error
    if not len(found):
        raise TrainingError(f"The data set '{kind}' at {rest.get('path')} is empty.")
    return found
