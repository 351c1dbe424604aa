# SPDX-License-Identifier: Apache-2.0
"""What one person's skin has of its own: relief that is always there, and how strongly each group wrinkles.

The file is a plain ``.npz`` without pickles: ``header`` (a JSON string), ``height`` (int16, in steps of
:data:`STEP` metres), ``trust`` (uint8, 0..255) and ``shares`` (float32, one for each name in the header).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..export.atomic import atomic
from ..safe_npz import read_arrays
from .groups import GROUP_NAMES
from .surface import Window

__all__ = ["KIND", "STEP", "PersonDetail", "load_person_detail"]

Floats = npt.NDArray[np.floating[Any]]
KIND = "smirk-person-detail"
SCHEMA = 1
STEP = 1e-7  # metres; the deepest that fits are 3.3 mm
_LARGEST = 16384  # texels of a side of the UV square
_STRONGEST = 4.0  # share of a group


@dataclass(frozen=True)
class PersonDetail:
    """One person's detail on one head's UV map.

    Attributes:
        head: the head's name; ``digest``: its fingerprint when this was made.
        window: the part of the UV square that the maps cover.
        height: (height, width) float32 metres of the relief that stays, top row first.
        trust: (height, width) float32, 0 where nothing was seen, 1 where it was seen well.
        shares: (G,) how strongly each group of :data:`smirk_core.detail.groups.GROUPS` wrinkles, 1 is usual.
        source: the footage, for people.
        frames: how many pictures it is from.
    """

    head: str
    digest: str
    window: Window
    height: Floats
    trust: Floats
    shares: Floats
    source: str = ""
    frames: int = 1

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the file; it appears whole or not at all.

        Raises:
            ExportError: the folder cannot be written or the disk is full.
        """
        w = self.window
        header = {
            "kind": KIND, "schema": SCHEMA, "head": self.head, "digest": self.digest, "source": self.source,
            "frames": self.frames, "window": [w.size, w.left, w.top, w.width, w.height], "groups": list(GROUP_NAMES),
        }  # fmt: skip
        with atomic(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                header=np.array(json.dumps(header)),
                height=np.clip(np.rint(self.height / STEP), -32767, 32767).astype(np.int16),
                trust=np.rint(255 * np.clip(self.trust, 0, 1)).astype(np.uint8),
                shares=np.asarray(self.shares, np.float32),
            )
        return Path(path)


def load_person_detail(path: str | os.PathLike[str]) -> PersonDetail:
    """Read a file of :meth:`PersonDetail.save`. Groups that it does not know are usual, those unknown here are left.

    Raises:
        AssetError: missing, damaged, of another kind, or written by a newer version.
    """
    path = Path(path)
    try:
        arrays = read_arrays(path)
        header = json.loads(str(arrays["header"][()]))
        if not isinstance(header, dict) or header.get("kind") != KIND:
            raise ValueError("another kind of file")
        if int(header["schema"]) > SCHEMA:
            raise AssetError(f"{path} was written by a newer version; update to open it.")
        return _detail(header, arrays)
    except FileNotFoundError as error:
        raise AssetError(f"There is no file {path}.") from error
    except OSError as error:
        raise AssetError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, TypeError, LookupError, RecursionError, OverflowError) as error:
        raise AssetError(f"{path} holds no detail of a person, or it is damaged ({error}).") from error


def _detail(header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> PersonDetail:
    numbers = header["window"]
    if not isinstance(numbers, list) or len(numbers) != 5 or not all(type(n) is int for n in numbers):
        raise ValueError("its window is no window")
    window = Window(*numbers)
    fits = 0 <= window.left <= window.left + window.width <= window.size
    fits &= 0 <= window.top <= window.top + window.height <= window.size <= _LARGEST
    if not fits or window.width < 2 or window.height < 2:
        raise ValueError("its window does not lie in the map")
    height, trust, found = arrays["height"], arrays["trust"], arrays["shares"]
    shape, names = (window.height, window.width), header["groups"]
    if height.shape != shape or height.dtype != np.int16 or trust.shape != shape or trust.dtype != np.uint8:
        raise ValueError("its maps do not fit its window")
    if found.dtype.kind != "f" or found.shape != (len(names),) or not all(isinstance(n, str) for n in names):
        raise ValueError("its groups do not fit their names")
    if not (np.abs(found) <= _STRONGEST).all():
        raise ValueError("it has a group that is out of range")
    known = dict(zip(names, found.tolist(), strict=True))
    return PersonDetail(
        head=str(header["head"]),
        digest=str(header["digest"]),
        window=window,
        height=height.astype(np.float32) * np.float32(STEP),
        trust=trust.astype(np.float32) / 255,
        shares=np.array([known.get(name, 1.0) for name in GROUP_NAMES]),
        source=str(header.get("source", "")),
        frames=max(1, int(header.get("frames", 1))),
    )
