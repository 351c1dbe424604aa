# SPDX-License-Identifier: Apache-2.0
"""What a file is: by its fingerprint where that is known, else by what is in it. Nothing in it is ever run."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ..encoder.checkpoint import load_weights
from ..errors import AssetError
from ..heads.flame import load_flame
from ..heads.flame_assets import TRIANGLES, VERTICES, read_embeddings, read_masks
from ..heads.safe_pickle import load_npy, load_npz, load_pickle, read_bytes
from ..user_assets import KNOWN_SHA256

__all__ = ["CANDIDATES", "recognise"]

# suffix -> the largest file of that suffix that can be one of ours, in bytes
CANDIDATES: dict[str, int] = {
    ".pkl": 400 << 20, ".npy": 64 << 20, ".npz": 64 << 20, ".obj": 64 << 20, ".task": 64 << 20,
    ".pt": 1 << 30, ".pth": 1 << 30, ".ckpt": 1 << 30, ".safetensors": 1 << 30,
}  # fmt: skip
_LARGEST_LID_OFFSET = 0.05  # metres; the official lids move by 9 mm


def recognise(path: Path, digest: str, label: str | None = None) -> tuple[str, str]:
    """The kind of asset that a file is.

    Args:
        path: the file.
        digest: its SHA-256 in hex.
        label: its name and folders as the user knows them (``FLAME2023.zip/flame2023.pkl``); they decide between
            FLAME's models, and between left and right, where the content cannot. None: the path.

    Returns:
        (kind, "") with one of :data:`smirk_core.user_assets.KINDS`; or ("", why it is none of them).
    """
    if digest in KNOWN_SHA256:
        return KNOWN_SHA256[digest], ""
    by_suffix = {
        ".pkl": _pickle, ".npy": _array, ".npz": _arrays, ".obj": _template,
        ".pt": _checkpoint, ".pth": _checkpoint, ".ckpt": _checkpoint, ".safetensors": _checkpoint,
    }  # fmt: skip
    look = by_suffix.get(path.suffix.lower())
    if look is None:
        return "", "not the version of the face model that is needed" if path.suffix == ".task" else "of no use here"
    try:
        return look(path, (label or str(path)).lower())
    except AssetError as error:
        return "", str(error).replace(str(path), "it").rstrip(".")


def _pickle(path: Path, label: str) -> tuple[str, str]:
    table = load_pickle(path)
    if not isinstance(table, dict) or "v_template" not in table:
        if isinstance(table, dict) and table and all(isinstance(k, str) for k in table):
            read_masks(path)
            return "flame_masks", ""
        return "", "a pickle without a FLAME model or regions"
    if "no_jaw" in label:
        return "", "a FLAME model without jaw, which cannot speak"
    load_flame(path, expressions=0)
    return _flame_kind(label), ""


def _flame_kind(label: str) -> str:
    """FLAME's models have the same fields and sizes; what tells them apart are the names of file and folders."""
    folder, name = ("/" + label.replace("\\", "/")).rsplit("/", 2)[-2:]
    for text in (name, folder):
        if re.search(r"flame[ _-]?2023", text):
            return "flame-2023-open" if "open" in text else "flame-2023"
    return f"flame-2020-{'female' if 'female' in name else 'male' if 'male' in name else 'generic'}"


def _array(path: Path, label: str) -> tuple[str, str]:
    array = load_npy(path)
    if array.dtype == object:
        read_embeddings(None, path)
        return "landmark_embedding", ""
    if array.shape != (VERTICES, 3) or array.dtype.kind != "f":
        return "", "an array of another kind"
    moved = np.abs(array).max()
    if not 0 < moved < _LARGEST_LID_OFFSET:
        return "", "an array of FLAME's size, but not the offsets of a lid"
    name = label.replace("\\", "/").rsplit("/", 1)[-1]
    for side in ("l", "r"):
        if name.startswith((f"{side}_", f"{side}eye", {"l": "left", "r": "right"}[side])):
            return f"{side}_eyelid", ""
    return "", "lid offsets that do not say which side; call them l_eyelid.npy and r_eyelid.npy"


def _arrays(path: Path, label: str) -> tuple[str, str]:
    if label.endswith(".take.npz"):
        return "", "a take"
    if "lmk_face_idx" not in load_npz(path):
        return "", "arrays of another kind"
    read_embeddings(path, None)
    return "mediapipe_embedding", ""


def _template(path: Path, label: str) -> tuple[str, str]:
    """FLAME's mesh with texture coordinates: the numbers of its vertices and faces are enough to know it."""
    counts = {"v": 0, "vt": 0, "f": 0}
    for line in read_bytes(path).splitlines():
        key = line[:2].decode("latin1").strip()
        if key in counts and line[len(key) : len(key) + 1].isspace():
            counts[key] += 1
    if (counts["v"], counts["f"]) != (VERTICES, TRIANGLES) or not counts["vt"]:
        return "", "a mesh of another kind"
    return "head_template", ""


def _checkpoint(path: Path, label: str) -> tuple[str, str]:
    load_weights(path)
    return "smirk-checkpoint", ""
