# SPDX-License-Identifier: Apache-2.0
"""MediaPipe without its drawing packages: faces are found all the same, and nobody is fooled by a stand-in."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from smirk_core.tracking.standins import DRAWING_PACKAGES, StandIn, without_drawing

HIDE = f"""
import sys

class Hidden:
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {DRAWING_PACKAGES!r}:
            if any(type(f).__name__ == "_Finder" for f in sys.meta_path):
                return sys.meta_path[-1].find_spec(name, path, target)
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


def test_faces_are_found_where_the_drawing_packages_are_missing(detector, photo):
    code = f"""{HIDE}
import json
import numpy as np
from PIL import Image
from smirk_core.tracking.face_graphs import make_graph
graph = make_graph()
found = graph.look(np.asarray(Image.open({str(photo)!r}).convert("RGB")), 1)
loaded = [n for n in {DRAWING_PACKAGES!r} if n in sys.modules]
try:
    import cv2
except ModuleNotFoundError:
    loaded.append("no cv2")
print(json.dumps([loaded, [f.tolist() for f in found]]))
graph.close()
"""
    result = run(code)
    assert result.returncode == 0, result.stderr
    loaded, found = json.loads(result.stdout)
    assert loaded == ["no cv2"]
    with_them = run(
        f"import json, numpy as np; from PIL import Image; from smirk_core.tracking.face_graphs import make_graph; "
        f"g = make_graph(); print(json.dumps([f.tolist() for f in "
        f"g.look(np.asarray(Image.open({str(photo)!r}).convert('RGB')), 1)])); g.close()"
    )
    assert found == json.loads(with_them.stdout) and len(found[0]) == 478


def test_a_stand_in_says_who_it_stands_for(monkeypatch):
    monkeypatch.setattr("smirk_core.tracking.standins.DRAWING_PACKAGES", ("surely_missing",))
    with without_drawing():
        import surely_missing.inner  # pyright: ignore[reportMissingImports]

        assert isinstance(surely_missing, StandIn)
        with pytest.raises(ImportError, match=r"surely_missing\.inner\.circle was asked for"):
            _ = surely_missing.inner.circle
        assert not hasattr(surely_missing, "__wrapped__")
        with pytest.raises(ModuleNotFoundError):
            import another_missing  # pyright: ignore[reportMissingImports]  # noqa: F401
    with pytest.raises(ModuleNotFoundError):
        import surely_missing
    assert not [m for m in sys.modules.values() if isinstance(m, StandIn)]


def test_what_is_installed_is_used():
    with without_drawing():
        import PIL

        assert not isinstance(PIL, StandIn)
    finders = len(sys.meta_path)
    with pytest.raises(ValueError), without_drawing():
        raise ValueError
    assert len(sys.meta_path) == finders


def test_a_system_without_gl_libraries_is_told_which(tmp_path):
    """MediaPipe 0.10.33 loads its library late; what it links may be missing on a server."""
    import importlib.metadata

    if importlib.metadata.version("mediapipe").startswith("0.10.2"):
        pytest.skip("this MediaPipe brings its own GL libraries")
    from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker

    from smirk_core.errors import AssetError
    from smirk_core.tracking.face_graphs import LandmarkerGraph

    def fails(options):
        raise OSError("libGLESv2.so.2: cannot open shared object file")

    (tmp_path / "face_landmarker.task").write_bytes(b"x")
    graph = LandmarkerGraph(tmp_path / "face_landmarker.task")
    before, FaceLandmarker.create_from_options = FaceLandmarker.create_from_options, fails
    try:
        with pytest.raises(AssetError, match=r"libGLESv2\.so\.2.*apt install"):
            graph._make("look", 1)
    finally:
        FaceLandmarker.create_from_options = before
