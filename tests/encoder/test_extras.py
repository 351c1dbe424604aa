# SPDX-License-Identifier: Apache-2.0
"""What our encoders say beyond SMIRK's six outputs: files carry it, both engines agree on it, official files stay as
they were, and the solve hears it."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
from formula import formula_tensor, formula_weights

from smirk_core.encoder.architecture import PREFIX, EncoderSize
from smirk_core.encoder.checkpoint import checked_weights, crop_scale_of, load_weights, point_vertices
from smirk_core.encoder.extras import (
    DENSE_POINTS,
    EXTRA_LAYER,
    REGIONS,
    dense_points,
    extra_outputs,
    points_of,
    vertex_embedding,
)
from smirk_core.encoder.runtime import Encoder, load_encoder, make_encoder, usual_encoder
from smirk_core.errors import AssetError
from smirk_core.heads.decode import landmark_points
from smirk_core.heads.library import load_head
from smirk_core.tracking.crop import crop_transform
from smirk_core.tracking.crop_encoder import CropEncoder, EncodedFaces
from smirk_core.tracking.measured import measured_parameters, network_arrays

SIZE = EncoderSize(n_shape=6, n_exp=39)
POINTS = 4
ROWS = SIZE.n_exp + 13 + len(REGIONS) + 3 * POINTS
needs_ort = pytest.mark.skipif(importlib.util.find_spec("onnxruntime") is None, reason="no ONNX Runtime here")
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="no torch here")


@pytest.fixture(scope="module")
def weights():
    shapes = {"weight": (ROWS, 960), "bias": (ROWS,)}
    extras = {k: formula_tensor(f"{PREFIX}{EXTRA_LAYER}.{k}", s) for k, s in shapes.items()}
    return replace(formula_weights(SIZE, head="open-1"), extras=extras, pixels=112, vertices=(3, 1, 4, 15))


@pytest.fixture(scope="module")
def crops():
    return np.random.default_rng(3).integers(0, 256, (3, 224, 224, 3), np.uint8)


def test_rows_are_a_partition_of_the_layer():
    outputs = extra_outputs(39)
    assert [o.rows[0] for o in outputs[1:]] == [o.rows[1] for o in outputs[:-1]]
    assert points_of(outputs[-1].rows[1], 39) == DENSE_POINTS
    with pytest.raises(ValueError, match="cannot be those"):
        points_of(outputs[-1].rows[1] + 1, 39)


@needs_ort
@needs_torch
def test_both_engines_agree(weights, crops):
    from smirk_core.encoder.torch_engine import TorchEngine

    on_torch = Encoder("x", "", "open-1", SIZE, TorchEngine(weights, "cpu"), extras=weights.extra_outputs)
    found, wanted = make_encoder(weights, "cpu").encode(crops), on_torch.encode(crops)
    assert set(found) == set(wanted) >= {"gaze_params", "sigma_params", "points", "point_sigma", "region_visibility"}
    for name, values in wanted.items():
        np.testing.assert_allclose(found[name], values, atol=2e-4, rtol=1e-3, err_msg=name)
    assert (found["sigma_params"] > 0).all() and found["points"].shape == (3, 2 * POINTS)
    assert ((found["region_visibility"] > 0) & (found["region_visibility"] < 1)).all()


@needs_ort
def test_a_network_for_112_pixels_sees_the_crop_averaged(weights, crops):
    blocks = crops.reshape(3, 112, 2, 112, 2, 3).astype(float).mean((2, 4)).round().astype(np.uint8)
    even = blocks.repeat(2, 1).repeat(2, 2)
    encoder = make_encoder(weights, "cpu")
    a, b = encoder.encode(even)["expression_params"], encoder.encode(crops)["expression_params"]
    whole = make_encoder(replace(weights, pixels=224), "cpu").encode(crops)["expression_params"]
    assert np.abs(a - b).max() < 0.1 * np.abs(whole - b).max()


@needs_ort
def test_files_carry_it(weights, crops, tmp_path):
    (tmp_path / "e.safetensors").write_bytes(weights.to_safetensors())
    (tmp_path / "e.onnx").write_bytes(weights.to_onnx())
    read = load_weights(tmp_path / "e.safetensors")
    assert read.pixels == 112 and read.vertices == weights.vertices
    np.testing.assert_array_equal(read.extras["weight"], weights.extras["weight"])
    first, second = (load_encoder(tmp_path / n) for n in ("e.safetensors", "e.onnx"))
    assert first.outputs == second.outputs and first.vertices == second.vertices == weights.vertices
    for name, values in first.encode(crops).items():
        np.testing.assert_array_equal(second.encode(crops)[name], values)
    assert first.encode(crops[:0])["points"].shape == (0, 2 * POINTS)


def test_official_weights_stay_as_they_were():
    plain = formula_weights(SIZE, head="open-1")
    assert plain.extra_outputs == () and plain.pixels == 224
    assert b"extra" not in plain.to_onnx() and b"AveragePool" not in plain.to_onnx().replace(b"GlobalAveragePool", b"")


@pytest.mark.parametrize("fault", ["shape", "nan", "half", "points", "pixels"])
def test_a_damaged_layer_is_refused(weights, fault):
    tensors = {PREFIX + k: v for k, v in weights.arrays.items()}
    extras = {k: v.copy() for k, v in weights.extras.items()}
    vertices, pixels = weights.vertices, 112
    if fault == "shape":
        extras["weight"] = extras["weight"][:, :-1]
    elif fault == "nan":
        extras["bias"][0] = np.nan
    elif fault == "half":
        del extras["bias"]
    elif fault == "points":
        vertices = vertices[:-1]
    else:
        pixels = 100
    tensors |= {f"{PREFIX}{EXTRA_LAYER}.{k}": v for k, v in extras.items()}
    with pytest.raises(AssetError):
        checked_weights(tensors, head="open-1", pixels=pixels, vertices=vertices)


def test_words_that_name_no_points():
    assert point_vertices({}) == point_vertices({"points": "1,x"}) == point_vertices({"points": "9" * 40}) == ()
    assert point_vertices({"points": "7,8"}) == (7, 8)


@needs_ort
def test_files_say_how_large_a_crop_is(weights, tmp_path):
    near = replace(weights, crop_scale=1.1)
    for name, data in (("e.onnx", near.to_onnx()), ("e.safetensors", near.to_safetensors())):
        (tmp_path / name).write_bytes(data)
        assert make_encoder(load_weights(tmp_path / name), "cpu").crop_scale == 1.1
    assert crop_scale_of({}, "e") == make_encoder(weights, "cpu").crop_scale == 1.4
    for text in ("", "wide", "nan", "0", "-1", "9" * 40):
        with pytest.raises(AssetError, match="e asks for crops"):
            crop_scale_of({"crop": text}, "e")


@needs_ort
def test_a_face_is_cut_as_its_encoder_wants(weights):
    sizes = []
    for scale in (1.1, 2.2):
        cutter = CropEncoder(make_encoder(replace(weights, crop_scale=scale), "cpu"))
        cutter.add(np.zeros((480, 640, 3), np.uint8), [np.array([[200.0, 100, 0], [300, 200, 0]])])
        sizes.append(1 / cutter.finish().crops[0, 0, 0])
        cutter.close()
    assert sizes[1] == pytest.approx(2 * sizes[0], rel=0.02)


def test_dense_points_are_places_of_the_face():
    head = load_head("open")
    points = dense_points(head)
    assert len(np.unique(points)) == DENSE_POINTS and head.regions["face"][points].all()
    assert not head.regions["sockets"][points].any() and not head.regions["mouth_interior"][points].any()
    for region in ("brows", "eyes", "lips", "nose"):
        assert head.regions[region][points].sum() >= 10, region
    embedding = vertex_embedding(head, points)
    at = landmark_points(head, head.template[None], embedding)[0]
    np.testing.assert_allclose(at, head.template[points], atol=1e-7)


def test_measured_parameters_in_the_units_of_a_take():
    head = load_head("open")
    landmarks = np.array([[100.0, 80], [300, 90], [210, 340], [120, 200]])
    crop = crop_transform(landmarks)
    outputs = {
        o.name: np.zeros((1, o.size), np.float32) for o in (*EncoderSize(140, 39).outputs, *extra_outputs(39, 2))
    }
    outputs["cam"][:] = (8.0, 0.01, -0.02)
    outputs["expression_params"][:] = 1.5
    outputs["sigma_params"] = np.arange(48, dtype=np.float32)[None] + 1
    outputs["region_visibility"][:] = 0.99
    outputs["points"][:] = (0.25, -0.5, 0, 0)
    outputs["point_sigma"][:] = 0.1
    found = measured_parameters(EncodedFaces(outputs, crop.matrix[None], (5, 6)), head)
    assert found.groups["expression"].max() == head.expression_range[1]
    assert found.spread["eyelids"].tolist() == [[40, 41]] and found.spread["eyes"].tolist() == [[45, 46, 47, 48]]
    wanted = crop.to_frame(np.array([[112 * 1.25, 112 * 0.5], [112.0, 112.0]]))
    np.testing.assert_allclose(found.points[0], wanted, atol=1e-4)
    np.testing.assert_allclose(found.point_error, 0.1 * 112 / crop.matrix[0, 0], rtol=1e-6)
    assert found.vertices.tolist() == [5, 6]
    outputs["region_visibility"][:, REGIONS.index("mouth")] = 0.01  # unseen, it is drawn to rest
    covered = measured_parameters(EncodedFaces(outputs, crop.matrix[None], (5, 6)), head).groups["expression"][0]
    value = dict(zip(head.expression_names, covered, strict=True))
    assert value["mouthSmileLeft"] < 0.4 and value["browInnerUp"] > 0.9
    kept = network_arrays(EncodedFaces(outputs, crop.matrix[None], (5, 6)), np.zeros(1))
    assert {"expression_params", "gaze_params", "sigma_params", "region_visibility"} <= set(kept)
    assert not {"points", "point_sigma"} & set(kept)  # their size
    again = measured_parameters(EncodedFaces({k: v for k, v in kept.items() if k in outputs}, kept["crop"]), head)
    np.testing.assert_array_equal(again.groups["expression"], [covered])  # a take's own arrays are read back
    assert again.points is None and again.visibility is not None


def test_auto_is_ours_only_for_the_open_head(monkeypatch, tmp_path):
    from smirk_core.encoder import runtime

    head = load_head("open")
    there = tmp_path / "encoder.onnx"
    monkeypatch.setattr(runtime, "BUNDLED_ENCODER_PATH", there)
    assert usual_encoder(head) == "none"
    there.write_bytes(b"x")
    monkeypatch.setattr(runtime, "available_providers", lambda: ("cpu",))
    assert usual_encoder(head) == "bundled"
    assert usual_encoder(replace(head, name="flame-2020")) == "none"
    monkeypatch.setattr(runtime, "available_providers", tuple)
    assert usual_encoder(head) == "none"
