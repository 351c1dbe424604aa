# SPDX-License-Identifier: Apache-2.0
"""A page of what a source makes, to be looked at.

    python -m training.data.contact_sheet synthetic -o FILE.png [--columns 8] [--rows 5] [--size 224] [--seed 0]
    python -m training.data.contact_sheet reposed -o FILE.png --option fits=FITS.npz --option faces=FOLDER

``--truth`` draws the landmarks that are trusted over every picture.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from smirk_core.errors import SmirkError

from .source import Request, open_source

__all__ = ["contact_sheet"]


def contact_sheet(
    name: str, columns: int, rows: int, size: int, seed: int = 0, truth: bool = False, device: str = "cpu",
    **options: Any,
) -> npt.NDArray[np.uint8]:  # fmt: skip
    """(rows * size, columns * size, 3) pictures of a source."""
    pictures: list[npt.NDArray[np.uint8]] = []
    request = Request(size=size, batch=min(16, columns * rows), seed=seed, device=device)
    for batch in open_source(name, request, options):
        images = (batch.image.permute(0, 2, 3, 1).clamp(0, 1) * 255).round().byte().cpu().numpy()
        marks = batch.landmarks.get("mediapipe_478")
        for i, image in enumerate(images):
            image = image.copy()
            if truth and marks is not None:
                points = ((marks[i].cpu().numpy() + 1) * size / 2 - 0.5).round().astype(int)
                trust = batch.trust.get("mediapipe_478")
                known = np.ones(len(points), bool) if trust is None else trust[i].cpu().numpy() > 0
                points, known = points.clip(0, size - 1), known
                image[points[known, 1], points[known, 0]] = (40, 255, 90)
                image[points[~known, 1], points[~known, 0]] = (255, 60, 40)
            pictures.append(image)
        if len(pictures) >= columns * rows:
            break
    grid = np.stack(pictures[: columns * rows]).reshape(rows, columns, size, size, 3)
    return np.ascontiguousarray(grid.transpose(0, 2, 1, 3, 4).reshape(rows * size, columns * size, 3))


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--rows", type=int, default=5)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--truth", action="store_true")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    options = {k: _value(v) for k, v in (o.split("=", 1) for o in given.option)}
    try:
        sheet = contact_sheet(
            given.source, given.columns, given.rows, given.size, given.seed, given.truth, given.device, **options
        )
    except SmirkError as error:
        raise SystemExit(f"error: {error}") from error
    given.output.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(given.output)


if __name__ == "__main__":
    main()
