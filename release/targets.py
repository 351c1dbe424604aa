# SPDX-License-Identifier: Apache-2.0
"""Which Blenders and platforms the extension is built for, and which packages the tracking process needs there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["BLENDERS", "PACKAGES", "PLATFORMS", "ROOT", "BlenderTarget", "Package", "wanted"]

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class BlenderTarget:
    """A range of Blender versions that share one Python.

    Attributes:
        name: the oldest of them, as on the command line.
        python: its Python as in wheel names, ``311``.
        minimum, maximum: ``blender_version_min`` and ``_max`` (the first that no longer fits; "" for none).
        constraints: the file with the versions that the tests passed with.
    """

    name: str
    python: str
    minimum: str
    maximum: str
    constraints: str


BLENDERS: dict[str, BlenderTarget] = {
    "4.5": BlenderTarget("4.5", "311", "4.5.0", "5.1.0", "constraints.txt"),  # 4.5 and 5.0
    "5.2": BlenderTarget("5.2", "313", "5.1.0", "", "constraints-3.13.txt"),  # 5.1 on
}

# Blender's name of a platform -> wheel tags that run there, best first.
PLATFORMS: dict[str, tuple[str, ...]] = {
    "linux-x64": (
        "manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64",
    ),
    "windows-x64": ("win_amd64",),
    "macos-arm64": (
        "macosx_14_0_arm64", "macosx_13_0_arm64", "macosx_12_0_arm64", "macosx_11_0_arm64",
        "macosx_11_0_universal2", "macosx_10_9_universal2",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Package:
    """A package that the add-on imports and Blender does not bring.

    Attributes:
        name: on PyPI.
        licence: SPDX expression, of everything inside the wheel.
        purpose: for THIRD_PARTY.md.
        blenders: the targets that need it.
        in_blender: whether Blender's own process imports it too, so that the slim zip has it as well.
    """

    name: str
    licence: str
    purpose: str
    blenders: tuple[str, ...] = tuple(BLENDERS)
    in_blender: bool = False


# NumPy comes with Blender. Not here, because finding faces never calls them: jax, opencv, matplotlib, sounddevice,
# sentencepiece, absl, flatbuffers, which MediaPipe's package names (see smirk_core/tracking/standins.py), and what
# ONNX Runtime's own tools ask for.
PACKAGES: tuple[Package, ...] = (
    Package("array-api-compat", "MIT", "one code for NumPy and torch", in_blender=True),
    Package("attrs", "MIT", "imported by MediaPipe 0.10.21", ("4.5",)),
    Package("av", "BSD-3-Clause AND LGPL-3.0-or-later AND GPL-2.0-or-later", "reads videos; FFmpeg with x264 inside"),
    Package("mediapipe", "Apache-2.0", "finds faces"),
    Package("onnxruntime", "MIT", "runs the image encoder"),
    Package("pillow", "MIT-CMU", "reads pictures"),
    Package("protobuf", "BSD-3-Clause", "imported by MediaPipe 0.10.21", ("4.5",)),
    Package("scipy", "BSD-3-Clause AND GPL-3.0-or-later WITH GCC-exception-3.1", "arithmetic of the clip solve"),
    Package("threadpoolctl", "BSD-3-Clause", "keeps arithmetic on few threads"),
)


def wanted(blender: str) -> list[Package]:
    """The packages of one Blender target, by name."""
    return [p for p in PACKAGES if blender in p.blenders]
