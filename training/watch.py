# SPDX-License-Identifier: Apache-2.0
"""What a run shows of itself: numbers line by line, TensorBoard, picture grids, curves and a summary in words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from smirk_core.export.atomic import atomic
from smirk_core.neural.alternation import StepResult
from smirk_core.neural.paths import Batch, Paths

__all__ = ["COLUMNS", "Diary", "draw_curves", "grid", "read_diary", "summary"]

COLUMNS = ("photo", "mesh", "masked", "synthesis", "new mesh", "new masked", "new synthesis", "recovered")
_INKS = (
    (31, 119, 180),
    (214, 95, 14),
    (44, 140, 60),
    (180, 40, 60),
    (120, 80, 170),
    (120, 90, 60),
    (90, 90, 90),
    (0, 150, 150),
    (200, 150, 0),
    (230, 110, 170),
)


class Diary:
    """Writes numbers to ``diary.jsonl`` and, where it is installed, to TensorBoard.

    Args:
        folder: of the run.
        step: where the run goes on; later lines, of a time that was lost, are dropped.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / "diary.jsonl"
        kept = [line for line in read_diary(folder) if line["step"] < step]
        with atomic(self._path) as path:
            path.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        try:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step)
        except ImportError:
            print("TensorBoard is not installed; curves are in diary.jsonl and curves.png.")
            self._board = None

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """One line."""
        # JSON knows no NaN
        clean = {k: v if math.isfinite(v) else None for k, v in values.items()}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step} | clean) + "\n")
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)

    def picture(self, step: int, image: Image.Image) -> None:
        """Show a grid in TensorBoard."""
        if self._board is not None:
            self._board.add_image("faces", np.asarray(image), step, dataformats="HWC")

    def close(self) -> None:
        if self._board is not None:
            self._board.close()


def read_diary(folder: Path) -> list[dict[str, Any]]:
    """The lines of a run; a last one that was cut off is left out."""
    path = folder / "diary.jsonl"
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


@torch.no_grad()
def grid(paths: Paths, batch: Batch, result: StepResult, rows: int = 6) -> Image.Image:
    """Faces of a step, one a row: :data:`COLUMNS`; without a generator the first two."""
    rows = min(rows, len(batch))
    columns = [batch.image, result.found.rendered.image]
    if result.made is not None:
        columns += [result.made.masked, result.made.image]
    if result.changed is not None and result.remade is not None:
        columns += [result.changed.rendered.image, result.remade.masked, result.remade.image]
        # What the encoder finds in the new picture, seen with the pose and camera that it had.
        again = {k: v.detach()[:rows] for k, v in result.again.items()}
        mesh = paths.face.mesh(again)
        columns.append(paths.face.render(mesh, again["camera"]).image)
    pixels = torch.cat([c[:rows].detach().float().clamp(0, 1).cpu() for c in columns], dim=3)
    size = batch.image.shape[-1]
    sheet = (pixels.permute(0, 2, 3, 1).reshape(rows * size, -1, 3).numpy() * 255 + 0.5).astype(np.uint8)
    image = Image.new("RGB", (sheet.shape[1], sheet.shape[0] + 14), (255, 255, 255))
    image.paste(Image.fromarray(sheet), (0, 14))
    draw = ImageDraw.Draw(image)
    for place, name in enumerate(COLUMNS[: len(columns)]):
        draw.text((place * size + 3, 1), name, fill=(40, 40, 40))
    return image


def draw_curves(
    lines: Sequence[Mapping[str, Any]], names: Sequence[str], width: int = 900, height: int = 420
) -> Image.Image:
    """Curves over the steps on a logarithmic scale, each divided by its first value: all begin at 1."""
    image = Image.new("RGB", (width, height), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    left, right, top, bottom = 50, 190, 14, 28
    curves = {}
    for name in names:
        points = [(line["step"], line[name]) for line in lines if line.get(name)]
        if len(points) >= 2:
            steps, values = np.array(points, np.float64).T
            span = min(max(1, len(values) // 60), (len(values) - 1) // 2)
            kernel = np.ones(2 * span + 1)
            count = np.convolve(np.ones(len(values)), kernel, "same")
            smooth = np.convolve(values, kernel, "same") / count
            curves[name] = steps, smooth / smooth[0]
    if not curves:
        draw.text((left, top), "nothing to draw", fill=(90, 90, 90))
        return image
    last = max(float(s[-1]) for s, _ in curves.values())
    low = min(math.floor(math.log10(max(float(v.min()), 1e-6)) * 2) / 2 for _, v in curves.values())
    high = max(math.ceil(math.log10(float(v.max())) * 2) / 2 for _, v in curves.values())
    high = max(high, low + 0.5)
    across, down = width - left - right, height - top - bottom

    def place(steps: Any, values: Any) -> list[tuple[float, float]]:
        x = left + across * steps / max(last, 1)
        y = top + down * (high - np.log10(np.maximum(values, 1e-6))) / (high - low)
        return list(zip(x.tolist(), y.tolist(), strict=True))

    for level in np.arange(low, high + 0.25, 0.5):
        y = top + down * (high - level) / (high - low)
        draw.line([(left, y), (width - right, y)], fill=(225, 225, 225))
        draw.text((6, y - 6), f"{10**level:.3g}", fill=(90, 90, 90))
    for share in (0, 0.5, 1):
        draw.text((left + across * share - 10, height - bottom + 6), f"{last * share:.0f}", fill=(90, 90, 90))
    for number, (name, (steps, values)) in enumerate(curves.items()):
        ink = _INKS[number % len(_INKS)]
        draw.line(place(steps, values), fill=ink, width=2)
        draw.text((width - right + 8, top + 16 * number), f"{name}  x{values[-1]:.2f}", fill=ink)
    return image


def summary(lines: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> str:
    """A run in words: facts, then each number's first and last values (mean over a tenth of the lines)."""
    text = [f"{name}: {value}" for name, value in facts.items()]
    names = list(dict.fromkeys(k for line in lines for k in line if k != "step"))
    if names:
        text += ["", f"{'':34}{'at first':>12}{'at last':>12}{'change':>9}"]
    for name in names:
        values = [line[name] for line in lines if line.get(name) is not None]
        tenth = max(1, len(values) // 10)
        if not values:
            continue
        first, last = (float(np.mean(v)) for v in (values[:tenth], values[-tenth:]))
        change = f"{100 * (last / first - 1):+8.0f} %" if first else ""
        text.append(f"{name:34}{first:12.5g}{last:12.5g}{change:>9}")
    return "\n".join(text) + "\n"
