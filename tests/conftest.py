# SPDX-License-Identifier: Apache-2.0
"""Shared fixtures: a toy head and its take, a real photo, a small clip of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from toys import make_take, make_toy_head, save_head

from smirk_core.heads.head_model import HeadModel
from smirk_core.take import Take

# No test may fail because a machine is slow or shared.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

_exit_status: dict[str, int] = {}


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    _exit_status["code"] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave without Blender's own shutdown, which prints about its memory after the summary and may hang."""
    if "bpy" in sys.modules and "code" in _exit_status:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_exit_status["code"])


@pytest.fixture(scope="session")
def toy_head() -> HeadModel:
    return make_toy_head()


@pytest.fixture(scope="session")
def toy_head_file(toy_head: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_head(toy_head, tmp_path_factory.mktemp("head") / "toy_head.npz")


@pytest.fixture(scope="session")
def flame_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stand-in for FLAME in the official format, inside a stand-in for the official assets folder."""
    from flame_stand_in import write_all

    return write_all(tmp_path_factory.mktemp("flame") / "assets")


@pytest.fixture(scope="session")
def flame_assets(flame_file: Path) -> Path:
    """The assets folder around :func:`flame_file`: lids, landmark embeddings, regions, template."""
    return flame_file.parent.parent


@pytest.fixture
def toy_take(toy_head: HeadModel) -> Take:
    return make_take(toy_head)


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public-domain portrait of an astronaut that comes with scikit-image."""
    pytest.importorskip("skimage")
    from smirk_core.demo import write_photo

    return write_photo(tmp_path_factory.mktemp("media") / "astronaut.png")


@pytest.fixture(scope="session")
def clip(photo: Path) -> Path:
    """Sixteen frames at 25 per second in which the portrait drifts across the picture."""
    import av
    from PIL import Image

    portrait = np.asarray(Image.open(photo))[:400, 50:450]
    path = photo.with_name("drift.mp4")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 320, 320, "yuv420p", 4_000_000
        for i in range(16):
            shifted = np.ascontiguousarray(portrait[4 * i : 4 * i + 320, 3 * i : 3 * i + 320])
            for packet in stream.encode(av.VideoFrame.from_ndarray(shifted, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


@pytest.fixture(scope="session")
def detector() -> None:
    """Skips where faces cannot be found: MediaPipe's newer versions need a model file that is not in the package."""
    from smirk_core.errors import AssetError
    from smirk_core.tracking.face_graphs import make_graph

    try:
        make_graph().close()
    except AssetError as error:
        pytest.skip(str(error))
