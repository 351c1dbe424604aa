# SPDX-License-Identifier: Apache-2.0
"""The torch modules against published outputs, and that these tests would notice the usual mistakes."""

from __future__ import annotations

import numpy as np
import pytest
from formula import fixture_error, fixture_image, fixtures, formula_weights

from smirk_core.encoder.architecture import BRANCHES, EncoderSize, encoder_keys

torch = pytest.importorskip("torch")


def loaded(size: EncoderSize | None = None):
    from smirk_core.encoder.smirk_encoder import SmirkEncoder

    weights = formula_weights(size)
    model = SmirkEncoder(weights.size)
    model.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in weights.arrays.items()}, strict=True)
    return model.eval()


def outputs(model) -> dict[str, np.ndarray]:
    with torch.no_grad():
        return {k: v.numpy() for k, v in model(torch.from_numpy(fixture_image())).items()}


def test_outputs_equal_the_published_ones():
    assert fixture_error(outputs(loaded())) < 1e-6


def test_features_and_raw_outputs_equal_the_published_ones():
    model, image = loaded(), torch.from_numpy(fixture_image())
    truth = fixtures()["encoder"]
    with torch.no_grad():
        raw = model.raw(image)
        tail = torch.cat([raw["eyelid_params"], raw["jaw_params"]], dim=1)[0].numpy()
        np.testing.assert_allclose(tail, truth["raw_expression_head_last5"], atol=1e-6)
        for name, values in truth["pooled_first4"].items():
            pooled = getattr(model, name).encoder.pooled(image)[0, :4].numpy()
            np.testing.assert_allclose(pooled, values, atol=1e-6)


def test_symmetric_padding_would_be_noticed():
    from smirk_core.encoder import backbone

    model = loaded()
    for module in model.modules():
        if isinstance(module, backbone.SameConv) and module.unit.stride == 2:
            module.forward = lambda x, m=module: torch.nn.functional.conv2d(
                x, m.weight, None, m.stride, (1, 1), 1, m.groups
            )
    assert fixture_error(outputs(model)) > 1e-3


def test_another_epsilon_would_be_noticed():
    model = loaded()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert (module.eps, module.momentum) == (1e-3, 0.1)
            module.eps = 1e-5
    assert fixture_error(outputs(model)) > 1e-5


def test_names_are_those_of_the_table_in_its_order():
    from smirk_core.encoder.smirk_encoder import SmirkEncoder

    size = EncoderSize(n_shape=4, n_exp=7)
    state = SmirkEncoder(size).state_dict()
    assert {k: tuple(v.shape) for k, v in state.items()} == encoder_keys(size)
    assert list(state) == list(encoder_keys(size))


def test_an_odd_picture_is_padded_as_tensorflow_does():
    with torch.no_grad():
        maps = loaded().pose_encoder.encoder(torch.zeros(1, 3, 225, 97))
    assert maps.shape == (1, 576, 8, 4)


def test_training_starts_at_the_mean_face_seven_crops_wide():
    from smirk_core.encoder.smirk_encoder import SmirkEncoder

    torch.manual_seed(0)
    model = SmirkEncoder()
    pose, shape, expression = (getattr(model, b.name).head for b in BRANCHES)
    assert pose.bias[3].item() == 7.0 and not pose.weight[3].any()
    assert 0 < pose.weight.abs().max().item() < 0.001 / np.sqrt(576) * 1.001
    assert not shape.weight.any() and not shape.bias.any()
    assert 0 < expression.weight.abs().max().item() < 0.1 / np.sqrt(960) * 1.001
    out = model.eval()(torch.rand(2, 3, 224, 224))
    assert torch.allclose(out["cam"][:, 0], torch.tensor(7.0))
    assert not out["shape_params"].any()


def test_it_can_be_trained():
    model = loaded(EncoderSize(n_shape=3, n_exp=5)).train()
    before = model.pose_encoder.encoder.bn1.running_mean.clone()
    out = model(torch.rand(2, 3, 224, 224))
    sum(v.square().sum() for v in out.values()).backward()
    missing = [k for k, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert not missing
    assert not torch.equal(before, model.pose_encoder.encoder.bn1.running_mean)
