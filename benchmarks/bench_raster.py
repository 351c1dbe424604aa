# SPDX-License-Identifier: Apache-2.0
"""Processor time of one core for the NumPy rasteriser (a closed mesh of 10,000 triangles) and for whole pictures.

python benchmarks/bench_raster.py [--repeat 20]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from smirk_core.heads.decode import decode
from smirk_core.heads.library import load_head
from smirk_core.rendering.raster import rasterize
from smirk_core.rendering.shading import Look, render_vertices


def sphere(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """A closed unit sphere of 2 * columns * (rows - 1) triangles, counter-clockwise from outside."""
    theta = np.linspace(0, np.pi, rows + 1)[1:-1, None]
    phi = np.arange(columns)[None] * (2 * np.pi / columns)
    ring = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta) + 0 * phi, np.sin(theta) * np.cos(phi)], axis=-1)
    points = np.concatenate([ring.reshape(-1, 3), [[0, 1, 0], [0, -1, 0]]])
    grid = np.arange((rows - 1) * columns).reshape(rows - 1, columns)
    a, b = grid[:-1], np.roll(grid, -1, axis=1)[:-1]
    c, d = grid[1:], np.roll(grid, -1, axis=1)[1:]
    top, bottom = len(points) - 2, len(points) - 1
    first, last = grid[0], grid[-1]
    triangles = np.concatenate(
        [
            np.stack([a, c, d], axis=-1).reshape(-1, 3),
            np.stack([a, d, b], axis=-1).reshape(-1, 3),
            np.stack([np.full(columns, top), first, np.roll(first, -1)], axis=-1),
            np.stack([np.roll(last, -1), last, np.full(columns, bottom)], axis=-1)[:, [1, 2, 0]][:, ::1],
        ]
    )
    return points, triangles


def measured(work: Callable[[], object], repeat: int) -> str:
    """Median and best milliseconds of processor time; other programs on the machine do not count."""
    times = []
    for _ in range(repeat):
        begin = time.process_time()
        work()
        times.append(1e3 * (time.process_time() - begin))
    return f"median {np.median(times):.1f} ms, best {min(times):.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=20)
    repeat = parser.parse_args().repeat
    points, triangles = sphere(51, 100)
    for size in (128, 256, 512, 1024):
        half = (size - 1) / 2
        seen = (points * [0.42 * size, -0.42 * size, -0.42 * size] + [half, half, 0]).astype(np.float32)
        share = rasterize(seen, triangles, size, size).covered.mean()
        result = measured(partial(rasterize, seen, triangles, size, size), repeat)
        print(f"rasterize {len(triangles)} triangles, {size} px, {share:.0%} covered: {result}")
    head = load_head()
    vertices = np.asarray(decode(head, {}).vertices[0])
    rng = np.random.default_rng(0)
    person = Look.random(rng)
    for size in (128, 256, 400):
        camera = [4.0 * size, size / 2, 0.5 * size]
        for name, look, samples in (("clay", Look.clay(), 1), ("person", person, 1), ("person", person, 2)):
            work = partial(render_vertices, head, vertices, camera, size, size, look, supersample=samples)
            work()
            print(f"render {name}, {size} px, {samples} x {samples} samples: {measured(work, repeat)}")


if __name__ == "__main__":
    main()
