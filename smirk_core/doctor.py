# SPDX-License-Identifier: Apache-2.0
"""What is installed here, where the assets are, and what is missing for which job."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from . import __version__, user_assets
from .errors import AssetError, SmirkError

__all__ = ["Report", "examine"]

_DECODERS = ("h264", "hevc", "vp9", "av1", "prores", "mpeg1video", "mpeg4", "mjpeg")
_ENCODERS = ("libx264", "h264", "libopenh264", "mpeg4")


@dataclass
class Report:
    """Findings, one a line, and what keeps tracking from working.

    Attributes:
        lines: label and finding.
        problems: what must be mended before anything can be tracked; empty when all is well.
    """

    lines: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, label: str, look: Callable[[], str], *, needed: bool = False) -> None:
        """Note what ``look`` finds, or why it fails."""
        try:
            finding = look()
        except (SmirkError, ImportError, OSError) as error:
            finding = f"{'missing' if needed else 'not here'}: {error}"
            if needed:
                self.problems.append(f"{label}: {error}")
        self.lines.append((label, finding))

    @property
    def text(self) -> str:
        width = max(len(label) for label, _ in self.lines)
        return "\n".join(f"{label:<{width}}  {finding}" for label, finding in self.lines)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise ImportError(f"{package} is not installed") from None


def _head() -> str:
    from .heads.library import load_head
    from .heads.open_head import OPEN_HEAD_PATH

    head = load_head()
    return (
        f"{head.name} ({head.digest[:12]}): {len(head.template)} vertices, {head.identity_size} identity and "
        f"{head.expression_size} expression shapes, {OPEN_HEAD_PATH.stat().st_size / 1e6:.1f} MB, {OPEN_HEAD_PATH}"
    )


def _detector() -> str:
    from .tracking.face_graphs import find_face_landmarker, make_graph

    version = _version("mediapipe")
    graph = make_graph()
    try:
        where = f", {find_face_landmarker()}" if graph.name == "landmarker" else " (models inside the package)"
    finally:
        graph.close()
    return f"mediapipe {version}, {graph.name}{where}"


def _codecs() -> str:
    import av

    known = av.codecs_available
    read = [c for c in _DECODERS if c in known]
    write = [c for c in _ENCODERS if c in known]
    return f"PyAV {av.__version__}; reads {' '.join(read)}; writes {' '.join(write) or 'nothing that previews need'}"


def _torch() -> str:
    return f"{_version('torch')} (needed to train; runs the encoder on graphics cards)"


def _bpy() -> str:
    if importlib.util.find_spec("bpy") is None:
        raise ImportError('no bpy in this Python: pip install "smirk-blender[blender]" for .blend, .glb, .fbx, .usd')
    return f"bpy {_version('bpy')}"


def _blender() -> str:
    found = shutil.which("blender")
    if found is None:
        raise ImportError("no blender on the path (not needed where bpy is)")
    return found


def _demo() -> str:
    from .demo import demo_clip

    clip, truth = demo_clip()
    _version("scikit-image")
    return f"{clip} ({len(truth)} frames), astronaut of scikit-image {_version('scikit-image')}"


def _prior() -> str:
    from .tracking.landmark_prior import LANDMARK_PRIOR_PATH as path

    if not path.is_file():
        raise ImportError(f"{path} is missing; the solve works without it, less well")
    return f"{path.stat().st_size / 1e6:.1f} MB, {path}"


def _flame() -> str:
    heads = [s for s in user_assets.status() if s.kind in user_assets.FLAME_KINDS and s.path]
    if not heads:
        raise AssetError("no FLAME model of yours; not needed with the bundled head (smirk assets list says where)")
    return ", ".join(f"{s.title}{'' if s.verified else ' (unknown variant)'}, {s.path}" for s in heads)


def _flame_files() -> str:
    around = ("l_eyelid", "r_eyelid", "landmark_embedding", "mediapipe_embedding", "flame_masks", "head_template")
    states = [s for s in user_assets.status() if s.kind in around]
    here = ", ".join(s.kind for s in states if s.path)
    missing = ", ".join(s.kind for s in states if not s.path)
    if not here:
        raise AssetError(f"none of {missing}; only needed with FLAME (smirk assets list says where)")
    return here + (f"; missing: {missing}" if missing else "")


def _encoder_engine() -> str:
    from .encoder.runtime import encoder_report

    return encoder_report()


def _encoder() -> str:
    state = next(s for s in user_assets.status() if s.kind == "smirk-checkpoint")
    if state.path is None:
        raise AssetError("no SMIRK checkpoint of yours; tracking works without (smirk assets list says where)")
    return f"{state.title}, {state.path}; onnxruntime {_version('onnxruntime')}"


def examine() -> Report:
    """Look at everything that matters; nothing is changed, and nothing is downloaded."""
    report = Report()
    report.add("smirk", lambda: f"{__version__}, {Path(__file__).parent}")
    report.add("Python", lambda: f"{platform.python_version()}, {sys.executable}")
    report.add("machine", lambda: f"{platform.platform()}, {os.cpu_count()} cores")
    report.add(
        "NumPy", lambda: f"{_version('numpy')}, SciPy {_version('scipy')}, Pillow {_version('pillow')}", needed=True
    )
    report.add("head", _head, needed=True)
    report.add("landmark prior", _prior)
    report.add("faces", _detector, needed=True)
    report.add("media", _codecs, needed=True)
    report.add("FLAME", _flame)
    report.add("FLAME's files", _flame_files)
    report.add("encoder", _encoder)
    report.add("encoder engine", _encoder_engine)
    report.add("Blender module", _bpy)
    report.add("Blender program", _blender)
    report.add("torch", _torch)
    report.add("demo", _demo)
    return report
