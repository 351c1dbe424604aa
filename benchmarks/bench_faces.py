# SPDX-License-Identifier: Apache-2.0
"""Faces a second of the two generators, and the share of them that the landmark detector finds.

    python -m benchmarks.bench_faces [--device cpu|cuda] [--size 112] [--batch 32] [--fits FITS.npz --faces FOLDER]
    python -m benchmarks.bench_faces … --save PICTURES.npz --count 500      # write finished pictures
    python -m benchmarks.bench_faces --detect PICTURES.npz                  # needs MediaPipe, not torch

On the CPU the figure is processor time of one core (other programs do not count); on a GPU it is wall time.
Re-posed faces are measured where fits and portraits are given, synthetic ones always.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np


def generators(arguments: argparse.Namespace) -> dict[str, Any]:
    """Name -> something with ``batch(seed, count)``."""
    from smirk_core.heads.library import load_head
    from training.data.album import Album
    from training.data.reposed import Reposer
    from training.data.synthetic import SyntheticFaces

    head = load_head()
    out: dict[str, Any] = {}
    if "synthetic" in arguments.only:
        out["synthetic"] = SyntheticFaces(head, arguments.size, arguments.device)
    if arguments.fits and "reposed" in arguments.only:
        album = Album.load(arguments.fits, arguments.faces, head, arguments.size, arguments.device, arguments.limit)
        out["reposed"] = Reposer(head, album, arguments.size)
    return out


def speed(generator: Any, count: int, repeat: int, device: str) -> dict[str, float]:
    """Milliseconds an image, the median of ``repeat`` batches after one that is not counted."""
    import torch

    generator.batch(0, count)
    times = []
    for k in range(repeat):
        if device == "cpu":
            begin = time.process_time()
            generator.batch(k + 1, count)
            times.append(time.process_time() - begin)
        else:
            torch.cuda.synchronize()
            begin = time.perf_counter()
            generator.batch(k + 1, count)
            torch.cuda.synchronize()
            times.append(time.perf_counter() - begin)
    return {"ms_per_image": round(1e3 * float(np.median(times)) / count, 2),
            "best_ms": round(1e3 * min(times) / count, 2)}  # fmt: skip


def save(made: dict[str, Any], count: int, batch: int, path: Path) -> None:
    """Write ``count`` finished pictures of each generator, (N, S, S, 3) uint8."""
    arrays = {}
    for name, generator in made.items():
        parts = []
        for k in range(-(-count // batch)):
            image = generator.batch(1000 + k, min(batch, count - k * batch)).image
            parts.append((image.permute(0, 2, 3, 1) * 255).round().byte().cpu().numpy())
        arrays[name] = np.concatenate(parts)
    np.savez(path, **arrays)


def detected(path: Path) -> dict[str, dict[str, float]]:
    """Share of the pictures in which the detector finds a face."""
    from training.data.detection import PictureDetector

    out = {}
    with np.load(path) as file, PictureDetector("facemesh") as detector:
        for name in file.files:
            found = [detector(np.pad(p, ((16, 16), (16, 16), (0, 0)), mode="edge")) is not None for p in file[name]]
            out[name] = {"pictures": len(found), "found": round(float(np.mean(found)), 4)}
            out[name] |= {"missed": [i for i, f in enumerate(found) if not f][:20]}  # type: ignore[dict-item]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=8)
    parser.add_argument("--limit", type=int, default=256, help="portraits kept in memory")
    parser.add_argument("--fits", type=Path)
    parser.add_argument("--faces", type=Path)
    parser.add_argument("--only", nargs="+", default=["synthetic", "reposed"])
    parser.add_argument("--save", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--detect", type=Path)
    arguments = parser.parse_args()
    if arguments.detect:
        print(json.dumps(detected(arguments.detect)))
        return
    made = generators(arguments)
    if arguments.save:
        save(made, arguments.count, arguments.batch, arguments.save)
        return
    import torch

    if arguments.device == "cpu":
        torch.set_num_threads(1)
    for name, generator in made.items():
        figures = speed(generator, arguments.batch, arguments.repeat, arguments.device)
        print(json.dumps({"source": name, "device": arguments.device, "size": arguments.size, **figures}))


if __name__ == "__main__":
    main()
