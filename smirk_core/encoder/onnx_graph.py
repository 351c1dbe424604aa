# SPDX-License-Identifier: Apache-2.0
"""The encoder as an ONNX graph, made from its table and its folded weights; no package is needed to write it.

Input ``image``: (N, 3, 224, 224) float32 RGB in [0, 1]. Outputs: SMIRK's dictionary, (N, size) float32 each, clamped,
and those of :mod:`smirk_core.encoder.extras` where the encoder has them.
Numbers of fields and types: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .architecture import IMAGE_SIZE, EncoderSize, Output, same_padding
from .extras import ExtraOutput
from .folding import FoldedBranch, FoldedConv
from .protobuf import fields, message

__all__ = [
    "IR_VERSION",
    "OPSET",
    "Graph",
    "build_onnx",
    "encoder_model",
    "extra_output",
    "onnx_problem",
    "output_node",
]

Array = npt.NDArray[Any]
OPSET, IR_VERSION = 17, 8  # ONNX 1.12 of 2022: every ONNX Runtime from 1.12 on
_FLOAT, _INT64, _HALF = 1, 7, 10
_INT_ATTRIBUTE, _INTS_ATTRIBUTE = 2, 7
# What an encoder may be made of: files that others made may hold these and nothing else, above all no loops, no
# functions, no operators from libraries.
_OPERATORS = frozenset((
    "Add", "AveragePool", "BatchNormalization", "Cast", "Clip", "Concat", "Constant", "Conv", "Div", "Exp", "Flatten",
    "Gather", "Gemm", "GlobalAveragePool", "Identity", "MatMul", "Max", "MaxPool", "Min", "Mul", "Pad", "ReduceMean",
    "Relu", "Reshape", "Shape", "Sigmoid", "Slice", "Split", "Squeeze", "Sub", "Transpose", "Unsqueeze",
))  # fmt: skip


class Graph:
    """Nodes and initialisers as they are added."""

    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self.tensors: list[bytes] = []

    def tensor(self, name: str, values: Array) -> str:
        values = np.asarray(values, order="C")  # a single number stays one
        kind = _HALF if values.dtype == np.float16 else {"f": _FLOAT, "i": _INT64}[values.dtype.kind]
        raw = values.astype({_HALF: "<f2", _FLOAT: "<f4", _INT64: "<i8"}[kind]).tobytes()
        self.tensors.append(message((1, list(values.shape)), (2, kind), (8, name), (9, raw)))
        return name

    def node(self, operator: str, inputs: Iterable[str], output: str, **attributes: int | list[int]) -> str:
        parts: list[Any] = [(1, name) for name in inputs]
        parts += [(2, output), (3, output), (4, operator)]
        for name, value in attributes.items():
            if isinstance(value, int):
                attribute = message((1, name), (3, value), (20, _INT_ATTRIBUTE))
            else:  # repeated numbers are not packed in onnx.proto (proto2)
                attribute = message((1, name), *((8, v) for v in value), (20, _INTS_ATTRIBUTE))
            parts.append((5, attribute))
        self.nodes.append(message(*parts))
        return output


def _value(name: str, shape: Iterable[int | str]) -> bytes:
    """ValueInfoProto of a float tensor; words in the shape are free dimensions."""
    dimensions = [(1, message((2, d) if isinstance(d, str) else (1, d))) for d in shape]
    return message((1, name), (2, message((1, message((1, _FLOAT), (2, message(*dimensions)))))))


def _conv(graph: Graph, conv: FoldedConv, name: str, x: str, size: int) -> tuple[str, int]:
    unit = conv.unit
    before, after = same_padding(size, unit.kernel, unit.stride)
    y = graph.node(
        "Conv", [x, graph.tensor(f"{name}.weight", conv.weight), graph.tensor(f"{name}.bias", conv.bias)], name,
        kernel_shape=[unit.kernel] * 2, strides=[unit.stride] * 2, group=unit.groups,
        pads=[before, before, after, after],
    )  # fmt: skip
    return (graph.node("Relu", [y], f"{name}.relu") if unit.relu else y), -(-size // unit.stride)


def output_node(graph: Graph, output: Output, values: str) -> None:
    rows = [graph.tensor(f"{output.name}.{k}", np.array([v])) for k, v in zip(("from", "to"), output.rows, strict=True)]
    axis = graph.tensor(f"{output.name}.axis", np.array([1]))
    if output.low is None or output.high is None:
        graph.node("Slice", [values, *rows, axis], output.name)
        return
    x = graph.node("Slice", [values, *rows, axis], f"{output.name}.raw")
    x = graph.node("Max", [x, graph.tensor(f"{output.name}.low", np.array(output.low))], f"{output.name}.above")
    graph.node("Min", [x, graph.tensor(f"{output.name}.high", np.array(output.high))], output.name)


def extra_output(graph: Graph, output: ExtraOutput, values: str) -> None:
    rows = [graph.tensor(f"{output.name}.{k}", np.array([v])) for k, v in zip(("from", "to"), output.rows, strict=True)]
    axis = graph.tensor(f"{output.name}.axis", np.array([1]))
    operator = {"linear": None, "exp": "Exp", "sigmoid": "Sigmoid"}[output.kind]
    x = graph.node("Slice", [values, *rows, axis], f"{output.name}.raw" if operator else output.name)
    if operator:
        graph.node(operator, [x], output.name)


def build_onnx(
    branches: Iterable[FoldedBranch],
    size: EncoderSize,
    metadata: Mapping[str, str],
    extras: Mapping[str, Array] | None = None,
    extra_outputs: Iterable[ExtraOutput] = (),
    pixels: int = IMAGE_SIZE,
) -> bytes:
    """The bytes of an ``.onnx`` file of the three networks.

    Args:
        branches: from :func:`smirk_core.encoder.folding.fold`.
        size: how many outputs.
        metadata: words kept in the file.
        extras, extra_outputs: weights of the extra layer and what it says.
        pixels: that the networks look at; a picture is averaged down to it first.
    """
    graph = Graph()
    ends: dict[str, str] = {}
    extra_outputs = tuple(extra_outputs)
    picture, zoom = "image", IMAGE_SIZE // pixels
    if zoom > 1:
        picture = graph.node("AveragePool", ["image"], "small", kernel_shape=[zoom] * 2, strides=[zoom] * 2)
    for folded in branches:
        x, side = picture, pixels
        name = folded.branch.name
        for i, block in enumerate(folded.blocks):
            start = x
            for conv in block.convs:
                x, side = _conv(graph, conv, f"{name}.{i}.{conv.unit.conv}", x, side)
            if block.skip:
                x = graph.node("Add", [start, x], f"{name}.{i}.sum")
        x = graph.node("GlobalAveragePool", [x], f"{name}.mean")
        x = graph.node("Flatten", [x], f"{name}.features")
        weight = graph.tensor(f"{name}.head.weight", folded.weight)
        bias = graph.tensor(f"{name}.head.bias", folded.bias)
        ends[name] = graph.node("Gemm", [x, weight, bias], f"{name}.head", transB=1)
        if extras and name == "expression_encoder":
            weight, bias = (graph.tensor(f"{name}.extra.{k}", extras[k]) for k in ("weight", "bias"))
            ends["extra"] = graph.node("Gemm", [x, weight, bias], f"{name}.extra", transB=1)
    for output in size.outputs:
        output_node(graph, output, ends[output.branch])
    for output in extra_outputs:
        extra_output(graph, output, ends["extra"])

    return encoder_model(graph, size, extra_outputs, metadata)


def encoder_model(
    graph: Graph, size: EncoderSize, extra_outputs: Iterable[ExtraOutput], metadata: Mapping[str, str]
) -> bytes:
    """The bytes of a graph that ends in an encoder's outputs."""
    parts: list[Any] = [(1, node) for node in graph.nodes]
    parts += [(2, "smirk_encoder"), *((5, tensor) for tensor in graph.tensors)]
    parts.append((11, _value("image", ("batch", 3, IMAGE_SIZE, IMAGE_SIZE))))
    parts += [(12, _value(o.name, ("batch", o.size))) for o in (*size.outputs, *extra_outputs)]
    notes = [(14, message((1, k), (2, v))) for k, v in metadata.items()]
    return message((1, IR_VERSION), (2, "smirk"), (7, message(*parts)), (8, message((2, OPSET))), *notes)


def onnx_problem(data: bytes) -> str | None:
    """What speaks against running an ``.onnx`` file from elsewhere, or ``None``.

    Looked for: operators that an encoder has no need of, subgraphs and functions, weights outside the file.
    """
    try:
        graphs = [value for number, value in fields(memoryview(data)) if number == 7]
        if any(number == 25 for number, _ in fields(memoryview(data))):
            return "it defines functions"
        if len(graphs) != 1 or isinstance(graphs[0], int):
            return "it holds no graph"
        for number, value in fields(graphs[0]):
            if isinstance(value, int):
                continue
            if number == 5 and any(n in (13, 14) for n, _ in fields(value)):
                return "its weights lie outside the file"
            if number == 15:
                return "it holds sparse weights"
            if number != 1:
                continue
            for n, part in fields(value):
                if n == 4 and (isinstance(part, int) or bytes(part).decode() not in _OPERATORS):
                    return f"it uses the operator {part if isinstance(part, int) else bytes(part).decode()}"
                if n == 7 and not isinstance(part, int) and bytes(part) not in (b"", b"ai.onnx"):
                    return f"it uses operators of {bytes(part).decode()}"
                if n == 5 and not isinstance(part, int):
                    for a, inner in fields(part):
                        if a in (6, 11):
                            return "it holds subgraphs"
                        if a == 5 and not isinstance(inner, int) and any(t in (13, 14) for t, _ in fields(inner)):
                            return "its weights lie outside the file"
    except (ValueError, UnicodeDecodeError):
        return "it is damaged"
    return None
