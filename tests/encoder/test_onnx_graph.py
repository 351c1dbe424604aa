# SPDX-License-Identifier: Apache-2.0
"""The ONNX graph that is written here: what ONNX Runtime and ONNX's own checker make of it, and what is refused."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from formula import fixture_error, fixture_image, formula_weights
from hypothesis import given
from hypothesis import strategies as st

from smirk_core.encoder import onnx_graph
from smirk_core.encoder.architecture import EncoderSize
from smirk_core.encoder.folding import fold
from smirk_core.encoder.onnx_graph import build_onnx, onnx_problem
from smirk_core.encoder.protobuf import fields, message, varint

SMALL = EncoderSize(n_shape=6, n_exp=4)


def run(data: bytes, images: np.ndarray) -> dict[str, np.ndarray]:
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": images}), strict=True))


def test_outputs_equal_the_published_ones():
    assert fixture_error(run(formula_weights().to_onnx(), fixture_image())) < 1e-6


def test_symmetric_padding_would_be_noticed(monkeypatch):
    monkeypatch.setattr(onnx_graph, "same_padding", lambda size, kernel, stride: ((kernel - 1) // 2,) * 2)
    assert fixture_error(run(formula_weights().to_onnx(), fixture_image())) > 1e-3


def test_another_epsilon_would_be_noticed():
    weights = formula_weights()
    data = build_onnx(fold(weights.arrays, weights.size, epsilon=1e-5), weights.size, {})
    assert fixture_error(run(data, fixture_image())) > 1e-5


def test_a_batch_is_what_its_pictures_are_alone():
    data = formula_weights(SMALL).to_onnx()
    images = np.random.default_rng(0).random((5, 3, 224, 224), np.float32)
    together = run(data, images)
    assert {k: v.shape for k, v in together.items()} == {o.name: (5, o.size) for o in SMALL.outputs}
    alone = [run(data, images[i : i + 1]) for i in range(5)]
    for name, values in together.items():
        np.testing.assert_allclose(values, np.concatenate([a[name] for a in alone]), atol=1e-6)


def test_lids_and_jaw_are_held_within_their_bounds():
    weights = formula_weights(SMALL)
    arrays = dict(weights.arrays)
    head = "expression_encoder.expression_layers.0."
    for value, lids, jaw in ((5.0, 1.0, (5.0, 0.2, 0.2)), (-5.0, 0.0, (0.0, -0.2, -0.2))):
        arrays[head + "weight"] = np.zeros_like(arrays[head + "weight"])
        arrays[head + "bias"] = np.full_like(arrays[head + "bias"], value)
        out = run(build_onnx(fold(arrays, SMALL), SMALL, {}), fixture_image())
        assert (out["eyelid_params"] == lids).all() and (out["expression_params"] == value).all()
        np.testing.assert_array_equal(out["jaw_params"], np.array([jaw], np.float32))


def test_onnx_itself_finds_no_fault():
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(formula_weights(SMALL).to_onnx())
    onnx.checker.check_model(model, full_check=True)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert {p.key: p.value for p in model.metadata_props} == {"kind": "smirk-encoder-1", "head": "flame"}


@given(st.integers(0, 2**63 - 1), st.binary(max_size=300), st.floats(width=32, allow_nan=False))
def test_messages_are_read_as_they_were_written(number, raw, real):
    data = message((1, number), (2, raw), (3, "ä"), (4, real), (5, [1, number]))
    got = [(n, v if isinstance(v, int) else bytes(v)) for n, v in fields(memoryview(data))]
    assert got == [
        (1, number), (2, raw), (3, "ä".encode()), (4, struct.pack("<f", real)), (5, b"\x01" + varint(number)),
    ]  # fmt: skip


def test_negative_numbers_take_ten_bytes():
    assert varint(-1) == b"\xff" * 9 + b"\x01"
    assert varint(300) == b"\xac\x02"


@given(st.binary(max_size=200))
def test_noise_is_refused_without_a_fuss(data):
    assert onnx_problem(data) is not None


def graph(*parts: tuple[int, bytes]) -> bytes:
    return message((1, 8), (7, message(*parts)), (8, message((2, 17))))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (graph((1, message((4, "Loop")))), "operator Loop"),
        (graph((1, message((4, "Conv"), (7, "com.evil")))), "operators of com.evil"),
        (graph((1, message((4, "Constant"), (5, message((1, "value"), (6, b"")))))), "subgraphs"),
        (graph((1, message((4, "Constant"), (5, message((5, message((14, 1)))))))), "outside the file"),
        (
            graph((5, message((8, "w"), (13, message((1, "location"), (2, "/etc/passwd"))), (14, 1)))),
            "outside the file",
        ),
        (graph() + message((25, b"")), "functions"),
        (b"", "no graph"),
        (graph()[:-3], "damaged"),
    ],
)
def test_graphs_that_could_do_more_than_compute_are_refused(data, says):
    assert says in (onnx_problem(data) or "")


def test_our_own_graph_is_not_refused():
    assert onnx_problem(formula_weights(SMALL).to_onnx()) is None
