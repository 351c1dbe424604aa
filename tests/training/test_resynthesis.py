# SPDX-License-Identifier: Apache-2.0
"""A fresh neural renderer on a frozen encoder."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from smirk_core.encoder.architecture import EncoderSize  # noqa: E402
from smirk_core.encoder.smirk_encoder import SmirkEncoder  # noqa: E402
from smirk_core.errors import TrainingError  # noqa: E402
from smirk_core.heads.library import load_head  # noqa: E402
from smirk_core.neural.face_model import FaceModel  # noqa: E402
from smirk_core.neural.paths import Paths  # noqa: E402
from training.data.plain import plain_batch  # noqa: E402
from training.resynthesis import resynthesis  # noqa: E402


def test_it_learns_repeats_itself_and_leaves_the_encoder_alone():
    head = load_head()
    torch.manual_seed(0)
    face = FaceModel(head, 32, landmarks=("mediapipe_478",))
    encoder = SmirkEncoder(EncoderSize(head.identity_size, head.expression_size))
    paths = Paths(encoder, None, face, torch.ones(len(head.triangles)), dilation=1).eval()
    dice = torch.Generator().manual_seed(1)
    batches = [plain_batch(face, 8, dice) for _ in range(8)]
    before = {k: v.clone() for k, v in paths.state_dict().items()}
    with torch.no_grad():  # as in the suite
        fresh, taught, again = (
            resynthesis(paths, batches, steps=n, width=4) for n in (0, 40, 40)
        )  # one pixel of dilation: 32 are few
    assert taught["neural_render_steps"] == 40 and taught == again
    assert taught["neural_render_l1"] < 0.9 * fresh["neural_render_l1"]
    assert taught["neural_render_structure"] < 0.8 * fresh["neural_render_structure"]
    assert all(torch.equal(v, before[k]) for k, v in paths.state_dict().items())
    with pytest.raises(TrainingError, match="at least 32 faces"):
        resynthesis(paths, batches[:1], steps=1)
