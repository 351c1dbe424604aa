# SPDX-License-Identifier: Apache-2.0
"""The user's own model files: where they are kept and how they are found. Nothing here is shipped or downloaded.

Files lie in ``DATA/assets/KIND/ORIGINAL NAME``, one file a kind.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .asset_catalog import CATALOG
from .errors import AssetError

__all__ = [
    "FLAME_KINDS",
    "KINDS",
    "KNOWN_SHA256",
    "OFFICIAL_NAMES",
    "AssetStatus",
    "data_folder",
    "digest_of",
    "find",
    "place",
    "remove",
    "status",
]

# FLAME heads in the order in which "flame" looks for one: the first is what SMIRK was trained with.
FLAME_KINDS: tuple[str, ...] = (
    "flame-2020-generic", "flame-2020-female", "flame-2020-male", "flame-2023", "flame-2023-open",
)  # fmt: skip
KINDS: tuple[str, ...] = (
    *FLAME_KINDS, "l_eyelid", "r_eyelid", "landmark_embedding", "mediapipe_embedding", "flame_masks", "head_template",
    "smirk-checkpoint", "face_landmarker",
)  # fmt: skip
# Where the files lie in the official repository's assets folder; names of FLAME's own downloads first.
OFFICIAL_NAMES: dict[str, tuple[str, ...]] = {
    "flame-2020-generic": ("FLAME2020/generic_model.pkl", "generic_model.pkl"),
    "flame-2020-female": ("FLAME2020/female_model.pkl", "female_model.pkl"),
    "flame-2020-male": ("FLAME2020/male_model.pkl", "male_model.pkl"),
    "flame-2023": ("FLAME2023/flame2023.pkl", "flame2023.pkl"),
    "flame-2023-open": ("FLAME2023/flame2023_Open.pkl", "flame2023_Open.pkl"),
    "l_eyelid": ("l_eyelid.npy",),
    "r_eyelid": ("r_eyelid.npy",),
    "landmark_embedding": ("landmark_embedding.npy",),
    "mediapipe_embedding": (
        "mediapipe_landmark_embedding/mediapipe_landmark_embedding.npz", "mediapipe_landmark_embedding.npz",
    ),
    "flame_masks": ("FLAME_masks/FLAME_masks.pkl", "FLAME_masks.pkl"),
    "head_template": ("head_template.obj",),
    "smirk-checkpoint": ("SMIRK_em1.pt",),
    "face_landmarker": ("face_landmarker.task",),
}  # fmt: skip
# SHA-256 of a file -> its kind. For FLAME's other models no fingerprint is known to us; they go by their content.
KNOWN_SHA256: dict[str, str] = {
    "efcd14cc4a69f3a3d9af8ded80146b5b6b50df3bd74cf69108213b144eba725b": "flame-2020-generic",
    "fa50997166c2f884fbfc577d99fe8707966763fc3d83a1870bb786df6cc9410d": "l_eyelid",
    "dd78776fed765be4468889dd7d5b54b4bf61c8efbb2869b5b91409ce798aad8d": "r_eyelid",
    "8095348eeafce5a02f6bd8765146307f9567a3f03b316d788a2e47336d667954": "landmark_embedding",
    "8863363013fc6fe3752d4318ea02a1784970200616a54b785920cdd0568816fc": "mediapipe_embedding",
    "ccefbe1ac0774ff78c68caf2c627b4abc067a6555ebeb0be5d5b0812366ab492": "flame_masks",
    "dd5bfbce75adb99b1963f43bca7ec3557bd4a7321f8fc515f4100599e80d99f2": "head_template",
    "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff": "face_landmarker",
}


def data_folder() -> Path:
    """$SMIRK_DATA, else the platform's folder for a user's data; not created."""
    if given := os.environ.get("SMIRK_DATA"):
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "smirk"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "smirk"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "smirk"


def find(kind: str) -> Path | None:
    """The user's file of a kind (one of :data:`KINDS`), None where there is none.

    Raises:
        ValueError: there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no asset kind '{kind}'")
    if kind == "face_landmarker" and (old := data_folder() / "face_landmarker.task").is_file():
        return old
    folder = data_folder() / "assets" / kind
    if not folder.is_dir():
        return None
    return next((p for p in sorted(folder.iterdir()) if p.is_file() and not p.name.startswith(".")), None)


@dataclass(frozen=True)
class AssetStatus:
    """What is known of one kind of asset, for a list or a preferences panel.

    Attributes:
        kind: one of :data:`KINDS`.
        title, purpose, where, licence: for people; ``where`` to get it, with the address.
        path: the user's file; None where there is none.
        verified: it is, byte for byte, a file that is known; False for another variant with the right content.
    """

    kind: str
    title: str
    purpose: str
    path: Path | None
    verified: bool
    where: str
    licence: str


def status() -> list[AssetStatus]:
    """The state of every kind, in the order of :data:`KINDS`. Quick: a file is read again only when it has changed.

    Raises:
        AssetError: a file that is there cannot be read.
    """
    states = []
    for kind in KINDS:
        words, path = CATALOG[kind], find(kind)
        verified = path is not None and KNOWN_SHA256.get(digest_of(path)) == kind
        states.append(AssetStatus(kind, words.title, words.purpose, path, verified, words.where, words.licence))
    return states


def place(kind: str) -> Path:
    """The folder of a kind; not created.

    Raises:
        ValueError: there is no such kind.
    """
    if kind not in KINDS:
        raise ValueError(f"there is no asset kind '{kind}'")
    return data_folder() / "assets" / kind


def remove(kind: str) -> bool:
    """Take the user's file of a kind out of the data folder; True where there was one.

    Raises:
        ValueError: there is no such kind. AssetError: it cannot be removed.
    """
    folder, path = place(kind), find(kind)
    try:
        if path is not None and path.parent != folder:  # a file from before there were folders
            path.unlink()
        if folder.is_dir():
            shutil.rmtree(folder)
    except OSError as error:
        raise AssetError(f"Cannot remove {path or folder}: {error.strerror or error}.") from error
    return path is not None


def digest_of(path: Path) -> str:
    """SHA-256 of a kept file in hex, remembered beside it for as long as its size and time stay the same.

    Raises:
        AssetError: it cannot be read.
    """
    note = path.with_name(f".{path.name}.sha256")
    try:
        facts = path.stat()
        mark = [facts.st_size, facts.st_mtime_ns]
        try:
            size, time, digest = json.loads(note.read_text(encoding="utf-8"))
            if [size, time] == mark and isinstance(digest, str):
                return digest
        except (OSError, ValueError, TypeError, RecursionError):  # no note yet, or not one of ours
            pass
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AssetError(f"Cannot read {path}: {error.strerror or error}.") from error
    with contextlib.suppress(OSError):  # a folder that cannot be written costs only time
        note.write_text(json.dumps([*mark, digest]), encoding="utf-8")
    return digest
