# SPDX-License-Identifier: Apache-2.0
"""A bank of skins for synthetic faces: ``python -m smirk_core.skin.variants -o DIR [--count N] [--size S]``.

Every skin is drawn from numbers by this package's own code, so the pictures are free of anybody's rights (CC0).
Skin k is the same for every bank of the same size, whatever the bank's count: the tones of a small bank are those of
the first part of a larger one. ``skins.json`` says what each shows.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError, SmirkError
from ..heads.head_model import HeadModel
from ..heads.open_head import load_open_head
from .look import SkinLook, random_look
from .maps import skin_maps
from .pigments import skin_colour, typology_angle

__all__ = ["load_bank", "variant", "write_bank"]

Bytes = npt.NDArray[np.uint8]
_LIST = "skins.json"


def variant(model: HeadModel, number: int, size: int = 512) -> tuple[SkinLook, Bytes]:
    """The look and the albedo (S, S, 3) of skin ``number``; the same for the same number, size and head."""
    look = random_look(np.random.default_rng([1789, number]))
    return look, skin_maps(model, look, size, seed=number).albedo


def write_bank(folder: Path, count: int, size: int = 512, model: HeadModel | None = None) -> list[Path]:
    """Write ``count`` albedos as PNG and the list of what they show; pictures that are there already stay.

    Raises:
        AssetError: the folder cannot be written, or the size is out of bounds.
    """
    from PIL import Image

    model = load_open_head() if model is None else model
    rows: list[dict[str, Any]] = []
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            path = folder / f"skin_{number:04d}_{size}.png"
            look = random_look(np.random.default_rng([1789, number]))
            if not path.exists():
                _, albedo = variant(model, number, size)
                _whole(path, lambda part, picture=albedo: Image.fromarray(picture).save(part, "PNG"))
            angle = float(typology_angle(skin_colour(look.melanin, look.blood)))
            rows.append({"file": path.name, "typology_angle": round(angle, 1), **asdict(look)})
            paths.append(path)
        text = json.dumps({"licence": "CC0-1.0", "head": model.name, "skins": rows}, indent=1)
        _whole(folder / _LIST, lambda part: part.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise AssetError(f"Cannot write skins to {folder}: {error.strerror or error}.") from error
    return paths


def load_bank(folder: Path) -> Bytes:
    """(N, S, S, 3) all albedos of a bank, for sampling by UV.

    Raises:
        AssetError: the folder holds no bank, or a picture of it is missing or of another size.
    """
    from PIL import Image

    try:
        listed = json.loads((folder / _LIST).read_text(encoding="utf-8"))["skins"]
        pictures = []
        for row in listed:
            with Image.open(folder / Path(row["file"]).name) as image:
                pictures.append(np.asarray(image.convert("RGB")))
        return np.stack(pictures)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssetError(f"{folder} holds no whole bank of skins ({error}): write it anew.") from error


def _whole(path: Path, write: Any) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".smirk-", suffix=path.suffix)
    os.close(handle)
    part = Path(name)
    try:
        write(part)
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m smirk_core.skin.variants", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--count", type=int, default=48)
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args(arguments)
    try:
        paths = write_bank(options.output, options.count, options.size)
    except SmirkError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{len(paths)} skins in {options.output}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
