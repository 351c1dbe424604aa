# SPDX-License-Identifier: Apache-2.0
"""The two ways to run MediaPipe's face models, behind one small interface. Nothing here opens a connection.

Measured habits of the two, which the code relies on:

* Landmarks times image size are in the convention of pixel centres (mirror test on 50 portraits: the means of x and
  mirrored x add up to 47.02 +- .02 in a 48 pixel wide image, where 47 is centres and 48 would be edges).
* Both crop the face at the place of the last frame's landmarks while they track, and at the detector's box when they
  start; the two differ by 0.9 % of the eye distance and settle within four frames.
* The landmarker smooths with a One Euro filter while it tracks one face: a face that jumps 4 pixels moves 1.8 in the
  first frame. The filter goes by time stamps, so frames are stamped a day apart, which leaves it nothing to
  do; the clip solve smooths without lag.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..errors import AssetError
from ..user_assets import find
from .standins import without_drawing

__all__ = [
    "FACE_LANDMARKER_SHA256",
    "FACE_LANDMARKER_URL",
    "FaceGraph",
    "FaceMeshGraph",
    "LandmarkerGraph",
    "find_face_landmarker",
    "make_graph",
]

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]

FACE_LANDMARKER_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
FACE_LANDMARKER_URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)
# A frame without a face empties a tracker's memory in 2 ms; resetting or making it anew takes 14 to 35 ms.
_NOBODY: Image = np.zeros((64, 64, 3), dtype=np.uint8)
_LOOK = "look"  # the lane of images that stand alone
_STAMP = 100_000_000  # milliseconds between two frames for the landmarker; see above


class FaceGraph(Protocol):
    """MediaPipe's models as two functions; landmarks in pixels of the image that is passed."""

    name: str

    def track(self, image: Image, faces: int, lane: str) -> list[Floats]:
        """Faces of the next frame: starts from where the last call of this lane saw them. (478, 3) float32 each."""
        ...

    def look(self, image: Image, faces: int) -> list[Floats]:
        """Faces of an image on its own. (478, 3) float32 each."""
        ...

    def forget(self, lane: str) -> None:
        """The next :meth:`track` of this lane starts afresh."""
        ...

    def close(self) -> None: ...


def make_graph(
    backend: str = "auto", model: str | os.PathLike[str] | None = None, confidence: float | None = None
) -> FaceGraph:
    """The back end called ``facemesh`` or ``landmarker``; ``auto``: the one that needs no model file, if there is one.

    ``confidence`` is the least that a face needs to be believed, MediaPipe's own 0.5 by default.

    Raises:
        AssetError: MediaPipe or the model file is missing, unfit, or of a version that reports to its maker.
    """
    version = _mediapipe_version()
    has_facemesh = version < (0, 10, 30)  # the legacy solutions and their models left the wheel in 0.10.30
    if backend == "auto":
        backend = "facemesh" if has_facemesh and model is None else "landmarker"
    if backend == "landmarker":
        return LandmarkerGraph(find_face_landmarker(model), confidence)
    if backend != "facemesh":
        raise AssetError(f"There is no face detector '{backend}'; choose auto, facemesh or landmarker.")
    if not has_facemesh:
        raise AssetError("The facemesh detector needs mediapipe 0.10.21 (Python 3.12 or older); choose landmarker.")
    return FaceMeshGraph(confidence)


def _mediapipe_version() -> tuple[int, ...]:
    try:
        text = importlib.metadata.version("mediapipe")
    except importlib.metadata.PackageNotFoundError:
        raise AssetError(
            "MediaPipe is not installed, so faces cannot be found; install mediapipe 0.10.21 "
            "(Python 3.12 or older) or 0.10.33."
        ) from None
    version = tuple(int(part) for part in text.split(".")[:3] if part.isdigit())
    if version > (0, 10, 33):
        raise AssetError(
            f"mediapipe {text} reports its use to its maker over the network; "
            "install 0.10.33 (or 0.10.21 up to Python 3.12), which do not."
        )
    return version


def find_face_landmarker(path: str | os.PathLike[str] | None = None) -> Path:
    """``face_landmarker.task``, verified: as given, else $SMIRK_FACE_LANDMARKER, the user's data folder, the package.

    Raises:
        AssetError: it is in none of them, or it is not the file that it should be.
    """
    given = path or os.environ.get("SMIRK_FACE_LANDMARKER")
    here = Path(__file__).resolve()
    places = [
        user_data_folder() / "face_landmarker.task",
        here.parents[1] / "assets" / "face_landmarker.task",
        here.parents[3] / "shared" / "media" / "face_landmarker.task",  # a checkout with its shared test media
    ]
    imported = find("face_landmarker")
    candidates = [Path(given)] if given else [*([imported] if imported else []), *places]
    found = next((p for p in candidates if p.is_file()), None)
    if found is None:
        where = f"{given} does not exist" if given else f"it is not in {places[0].parent}"
        raise AssetError(
            f"The face model face_landmarker.task is missing: {where}. Get it from {FACE_LANDMARKER_URL} "
            f"and put it into {places[0].parent}, or name its path in SMIRK_FACE_LANDMARKER."
        )
    try:
        digest = hashlib.sha256(found.read_bytes()).hexdigest()
    except OSError as error:
        raise AssetError(f"Cannot read the face model {found}: {error.strerror or error}.") from error
    if digest != FACE_LANDMARKER_SHA256:
        raise AssetError(
            f"{found} is not the face model that is needed (its SHA-256 starts with {digest[:8]}, "
            f"not {FACE_LANDMARKER_SHA256[:8]}); get it again from {FACE_LANDMARKER_URL}."
        )
    return found


def user_data_folder() -> Path:
    """Where models that the user brings are looked for; not created."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "smirk"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "smirk"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "smirk"


_quiet_lock = threading.RLock()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Send what C++ writes to the process's standard error nowhere: TensorFlow Lite greets there at every start."""
    with _quiet_lock, contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # no such descriptor in a windowed program
            saved = os.dup(2)
            stack.callback(os.close, saved)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, nowhere)
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(nowhere, 2)
            stack.callback(os.dup2, saved, 2)
        yield


def _import_mediapipe() -> Any:
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", message="SymbolDatabase.GetPrototype", category=UserWarning)
    try:
        with _quiet(), without_drawing():
            import mediapipe
    except Exception as error:
        raise AssetError(f"MediaPipe is installed but does not start: {error}") from error
    return mediapipe


def _pixels(faces: Any, image: Image) -> list[Floats]:
    height, width = image.shape[:2]
    scale = np.array([width, height, width], dtype=np.float32)
    return [np.array([(p.x, p.y, p.z) for p in face], dtype=np.float32) * scale for face in faces or ()]


class _Pool:
    """MediaPipe objects made when first asked for, one per key; their first run is kept quiet as well."""

    def __init__(self, make: Callable[[str, int], Any]) -> None:
        self._make, self._made, self._ran = make, {}, set()

    def run(self, key: tuple[str, int], call: Callable[[Any], Any]) -> Any:
        if key in self._ran:
            return call(self._made[key])
        with _quiet():
            if key not in self._made:
                self._made[key] = self._make(*key)
            result = call(self._made[key])
        self._ran.add(key)
        return result

    def sizes(self, lane: str) -> list[int]:
        return [key[1] for key in self._made if key[0] == lane]

    def close(self) -> None:
        with _quiet():
            while self._made:
                self._made.popitem()[1].close()
        self._ran.clear()


class FaceMeshGraph:
    """The legacy FaceMesh with irises of mediapipe up to 0.10.21; its models are inside the wheel."""

    def __init__(self, confidence: float | None = None) -> None:
        mediapipe = _import_mediapipe()
        self._options = {} if confidence is None else {"min_detection_confidence": confidence}
        self.name = f"facemesh-{mediapipe.__version__}"
        self._mesh = mediapipe.solutions.face_mesh.FaceMesh
        self._pool = _Pool(self._make)

    def _make(self, lane: str, faces: int) -> Any:
        return self._mesh(
            static_image_mode=lane == _LOOK, max_num_faces=faces, refine_landmarks=True, **self._options
        )  # fmt: skip

    def _run(self, lane: str, image: Image, faces: int) -> list[Floats]:
        found = self._pool.run((lane, faces), lambda mesh: mesh.process(image)).multi_face_landmarks
        return _pixels([face.landmark for face in found or ()], image)

    def track(self, image: Image, faces: int, lane: str) -> list[Floats]:
        return self._run(lane, image, faces)

    def look(self, image: Image, faces: int) -> list[Floats]:
        return self._run(_LOOK, image, faces)

    def forget(self, lane: str) -> None:
        for faces in self._pool.sizes(lane):
            self._run(lane, _NOBODY, faces)

    def close(self) -> None:
        self._pool.close()


class LandmarkerGraph:
    """The Tasks FaceLandmarker with ``face_landmarker.task``."""

    def __init__(self, model: Path, confidence: float | None = None) -> None:
        self._mp = _import_mediapipe()
        names = ("min_face_detection_confidence", "min_face_presence_confidence")
        self._options = {} if confidence is None else dict.fromkeys(names, confidence)
        self.name = f"landmarker-{self._mp.__version__}"
        self._model = model.read_bytes()  # by content: paths with umlauts fail on Windows
        self._clock = 0
        self._pool = _Pool(self._make)

    def _make(self, lane: str, faces: int) -> Any:
        from mediapipe.tasks.python.core.base_options import BaseOptions  # type: ignore[import-untyped]
        from mediapipe.tasks.python.vision import face_landmarker  # type: ignore[import-untyped]
        from mediapipe.tasks.python.vision.core.vision_task_running_mode import (  # type: ignore[import-untyped]
            VisionTaskRunningMode,
        )

        mode = VisionTaskRunningMode.IMAGE if lane == _LOOK else VisionTaskRunningMode.VIDEO
        options = face_landmarker.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=self._model),
            running_mode=mode,
            num_faces=faces,
            **self._options,
        )
        try:
            return face_landmarker.FaceLandmarker.create_from_options(options)
        except OSError as error:  # its library is loaded here, and links two of the system's on Linux
            raise AssetError(
                f"MediaPipe's library does not start ({error}). On Linux it needs libEGL and libGLESv2; on Debian and "
                "Ubuntu: apt install libegl1 libgles2."
            ) from error

    def _wrap(self, image: Image) -> Any:
        return self._mp.Image(image_format=self._mp.ImageFormat.SRGB, data=image)

    def track(self, image: Image, faces: int, lane: str) -> list[Floats]:
        self._clock += _STAMP
        stamp, wrapped = self._clock, self._wrap(image)
        result = self._pool.run((lane, faces), lambda task: task.detect_for_video(wrapped, stamp))
        return _pixels(result.face_landmarks, image)

    def look(self, image: Image, faces: int) -> list[Floats]:
        wrapped = self._wrap(image)
        return _pixels(self._pool.run((_LOOK, faces), lambda task: task.detect(wrapped)).face_landmarks, image)

    def forget(self, lane: str) -> None:
        for faces in self._pool.sizes(lane):
            self.track(_NOBODY, faces, lane)

    def close(self) -> None:
        self._pool.close()
