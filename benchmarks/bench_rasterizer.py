# SPDX-License-Identifier: Apache-2.0
"""The batched rasteriser: compiled loop against plain torch against NumPy, and CUDA where there is a GPU.

    python -m benchmarks.bench_rasterizer [--size 224] [--heads 8] [--repeat 8]

A closed mesh of 10,000 triangles that fills most of the picture. On the CPU: processor time of all threads by head,
and wall time; with ``gradient`` the weights are made differentiable. On a GPU: wall time of 32 and 128 heads.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np
import torch

from benchmarks.bench_raster import sphere
from smirk_core.rendering import raster
from smirk_core.rendering.rasterizer import rasterize


def measured(work: Callable[[], object], repeat: int, heads: int) -> dict[str, float]:
    """Best of ``repeat`` runs by head, ms: processor time and wall time."""
    work()
    used, passed = [], []
    for _ in range(repeat):
        begin, wall = time.process_time(), time.perf_counter()
        work()
        used.append(time.process_time() - begin)
        passed.append(time.perf_counter() - wall)
    return {"processor_ms": round(1e3 * min(used) / heads, 2), "wall_ms": round(1e3 * min(passed) / heads, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=8)
    given = parser.parse_args()
    size, heads = given.size, given.heads
    points, triangles = sphere(51, 100)
    one = (points * [0.42 * size, -0.42 * size, -0.42 * size] + [size / 2 - 0.5, size / 2 - 0.5, size]).astype(
        np.float32
    )
    batch, faces = torch.from_numpy(np.repeat(one[None], heads, 0)), torch.from_numpy(triangles)
    rows = {}
    for backend in ["numba"] * (find_spec("numba") is not None) + ["torch"]:
        for gradient in (False, True):
            vertices = batch.clone().requires_grad_(gradient)
            work = partial(rasterize, vertices, faces, size, size, backend=backend)
            rows[backend + (" gradient" if gradient else "")] = measured(work, given.repeat, heads)
    rows["numpy"] = measured(partial(raster.rasterize, one, triangles, size, size), given.repeat, 1)
    first = next(iter(rows.values()))["processor_ms"]
    for name, row in rows.items():
        print(json.dumps({"backend": name, "size": size, "triangles": len(triangles), **row,
                          "times_the_first": round(row["processor_ms"] / first, 1)}))  # fmt: skip
    if torch.cuda.is_available():
        for count in (32, 128):
            vertices = torch.from_numpy(np.repeat(one[None], count, 0)).cuda()

            def on_gpu(vertices: torch.Tensor = vertices) -> None:
                rasterize(vertices, faces.cuda(), size, size)
                torch.cuda.synchronize()

            wall = measured(on_gpu, given.repeat, 1)["wall_ms"]
            print(json.dumps({"backend": "torch cuda", "heads": count, "size": size, "wall_ms_of_all": wall}))


if __name__ == "__main__":
    main()
