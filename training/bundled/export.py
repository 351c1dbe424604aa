# SPDX-License-Identifier: Apache-2.0
"""A trained network as a file that everybody can load: ``python -m training.bundled.export RUN -o FOLDER``.

The teacher becomes an ONNX graph with the inputs and outputs of SMIRK's encoder and our extras, weights in half
precision, which looks at every face and at its mirror image; the student becomes a checkpoint with SMIRK's names as
well. What is read back is compared with torch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from smirk_core.encoder.architecture import BRANCHES, CROP_SCALE, IMAGE_SIZE, EncoderSize
from smirk_core.encoder.checkpoint import Weights, load_weights
from smirk_core.encoder.extras import REGIONS, extra_outputs
from smirk_core.encoder.onnx_graph import Graph, encoder_model, extra_output, output_node
from smirk_core.encoder.runtime import make_encoder
from smirk_core.errors import SmirkError, TrainingError
from smirk_core.export.atomic import atomic
from smirk_core.heads.library import load_head

from .answers import FACE_GROUPS, Answers
from .both_ways import BothWays, mirrored_rows
from .calibrate import OWN, Calibration
from .networks import Student, Teacher
from .train import load_network, read_state

__all__ = ["export", "main", "student_weights", "teacher_graph"]

Array = npt.NDArray[Any]
_POSE, _SHAPE = ("rotation", "camera"), ("identity",)
_FACE = ("expression", "eyelids", "jaw")
_EXTRA = ("eyes", "face_sigma", "points", "point_sigma", "visibility")
_POINT_SIGMA_SHIFT = -3.5  # as in the objective
_FLIP = {"from": -1, "to": -(2**31), "axis": 3, "step": -1}  # of a slice: the last axis backwards


def head_rows(
    answers: Answers, weight: Array, bias: Array, names: Sequence[str], calibration: Calibration
) -> tuple[Array, Array]:
    """Rows of a linear layer that answers in units of spread, turned to real units, calibrated, in another order."""
    scale, mean = answers.scale.numpy().astype(np.float64), answers.mean.numpy().astype(np.float64)
    rows, offsets = [], []
    for name in names:
        part = answers.parts[name].columns
        gain, shift = scale[part].copy(), mean[part].copy()
        extra = np.zeros_like(gain)
        if name in calibration.gain:
            gain *= calibration.gain[name]
            shift = (shift - calibration.rest[name]) * calibration.gain[name]
        if name == "point_sigma":
            extra += _POINT_SIGMA_SHIFT
        if name == "face_sigma":  # its logarithm, in real units
            gain, shift, extra = _sigma_rows(answers, calibration)
        rows.append(weight[part].astype(np.float64) * gain[:, None])
        offsets.append(bias[part].astype(np.float64) * gain + shift + extra)
    return np.concatenate(rows).astype(np.float32), np.concatenate(offsets).astype(np.float32)


def _sigma_rows(answers: Answers, calibration: Calibration) -> tuple[Array, Array, Array]:
    """Factor of the rows, 0, and offset: the network's word for its uncertainty, drawn towards what is typical."""
    face = answers.scale[: answers.parts["eyes"].stop].numpy().astype(np.float64)
    zero = np.zeros_like(face)
    if not calibration.typical:
        return np.ones_like(face), zero, np.log(face)
    typical, said = (np.concatenate([t[n] for n in FACE_GROUPS]) for t in (calibration.typical, calibration.said))
    return np.full_like(face, OWN), zero, typical - OWN * said


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Array, Array]:
    """A convolution with its batch normalisation folded in."""
    var, mean = norm.running_var, norm.running_mean
    assert var is not None and mean is not None
    gain = (norm.weight / torch.sqrt(var + norm.eps)).detach().double()
    weight = conv.weight.detach().double() * gain[:, None, None, None]
    bias = norm.bias.detach().double() - mean.double() * gain
    return weight.numpy(), bias.numpy()


class _Drawing:
    """Layers of the teacher as nodes, weights in half precision."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.count = graph, 0

    def weights(self, name: str, values: Array) -> str:
        half = self.graph.tensor(f"{name}.half", values.astype(np.float16))
        return self.graph.node("Cast", [half], name, to=1)

    def conv(self, x: str, pair: nn.Sequential, relu: bool) -> str:
        conv, norm = pair[0], pair[1]
        assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        weight, bias = _folded(conv, norm)
        return self.plain_conv(x, weight, bias, conv, relu)

    def plain_conv(self, x: str, weight: Array, bias: Array, conv: nn.Conv2d, relu: bool) -> str:
        self.count += 1
        name, pad = f"conv{self.count}", int(conv.padding[0])
        offset = self.graph.tensor(f"{name}.bias", bias.astype(np.float32))
        x = self.graph.node(
            "Conv", [x, self.weights(f"{name}.weight", weight), offset],
            name, kernel_shape=list(conv.kernel_size), strides=list(conv.stride), pads=[pad] * 4, group=1,
        )  # fmt: skip
        return self.graph.node("Relu", [x], f"{name}.relu") if relu else x

    def mixed(self, x: str, order: Array, sign: Array, known: Array) -> str:
        """Answers to N pictures and then to their mirror images, (2 N, rows), to (N, rows): their means where known."""
        shape = self.graph.tensor(f"{x}.shape", np.array([2, -1, len(order)]))
        both = self.graph.node("Reshape", [x, shape], f"{x}.both")
        seen, other = (
            self.graph.node("Gather", [both, self.graph.tensor(f"{x}.{n}", np.array(k))], f"{x}.{n}.rows", axis=0)
            for k, n in enumerate(("seen", "other"))
        )
        other = self.graph.node("Gather", [other, self.graph.tensor(f"{x}.order", order)], f"{x}.turned", axis=1)
        share = np.where(known, 0.5, 0.0).astype(np.float32)
        parts = [
            self.graph.node("Mul", [v, self.graph.tensor(f"{v}.share", w.astype(np.float32))], f"{v}.part")
            for v, w in ((seen, 1 - share), (other, share * sign))
        ]
        return self.graph.node("Add", parts, f"{x}.mean")


def teacher_graph(
    network: Teacher, answers: Answers, size: int, words: Mapping[str, str], calibration: Calibration
) -> bytes:
    """The bytes of the teacher's ``.onnx`` file."""
    graph = Graph()
    draw = _Drawing(graph)
    zoom = IMAGE_SIZE // size
    x = graph.node("AveragePool", ["image"], "small", kernel_shape=[zoom] * 2, strides=[zoom] * 2)
    x = graph.node("Sub", [x, graph.tensor("half", np.array([0.5], np.float32))], "centred")
    span = [graph.tensor(f"flip.{n}", np.array([v])) for n, v in _FLIP.items()]
    x = graph.node("Concat", [x, graph.node("Slice", [x, *span], "flipped")], "both_ways", axis=0)
    for layer in network.trunk:
        if isinstance(layer, nn.Sequential):
            x = draw.conv(x, layer, relu=False)
        elif isinstance(layer, nn.ReLU):
            x = graph.node("Relu", [x], f"{x}.relu")
        elif isinstance(layer, nn.MaxPool2d):
            x = graph.node("MaxPool", [x], "pooled", kernel_shape=[2, 2], strides=[2, 2])
        else:
            y = draw.conv(draw.conv(x, layer.first, relu=True), layer.second, relu=False)  # type: ignore[union-attr]
            skip = x if isinstance(layer.skip, nn.Identity) else draw.conv(x, layer.skip, relu=False)  # type: ignore[union-attr]
            x = graph.node("Add", [y, skip], f"{y}.sum")
            x = graph.node("Relu", [x], f"{x}.relu")
    squeeze, hidden = network.squeeze[0], network.hidden[0]
    assert isinstance(squeeze, nn.Conv2d) and isinstance(hidden, nn.Linear) and squeeze.bias is not None
    x = draw.plain_conv(x, squeeze.weight.detach().numpy(), squeeze.bias.detach().numpy(), squeeze, relu=True)
    x = graph.node("Flatten", [x], "flat")
    weight = draw.weights("hidden.weight", hidden.weight.detach().numpy())
    x = graph.node("Gemm", [x, weight, graph.tensor("hidden.bias", hidden.bias.detach().numpy())], "hidden", transB=1)
    x = graph.node("Relu", [x], "features")
    encoder_size = EncoderSize(answers.model.identity_size, answers.model.expression_size)
    last_weight, last_bias = network.head.weight.detach().numpy(), network.head.bias.detach().numpy()
    ends = {}
    order, sign, known = (v.numpy() for v in mirrored_rows(answers))
    groups = {"pose_encoder": _POSE, "shape_encoder": _SHAPE, "expression_encoder": _FACE, "extra": _EXTRA}
    for branch, names in groups.items():
        rows, offset = head_rows(answers, last_weight, last_bias, names, calibration)
        inputs = [x, draw.weights(f"{branch}.weight", rows), graph.tensor(f"{branch}.bias", offset)]
        columns = [answers.parts[n].columns for n in names]
        place = np.full(answers.size, -1)  # where a row of an answer stands in this branch
        place[np.concatenate([np.arange(c.start, c.stop) for c in columns])] = np.arange(len(offset))
        mine = [np.concatenate([v[c] for c in columns]) for v in (order, sign, known)]
        ends[branch] = draw.mixed(graph.node("Gemm", inputs, branch, transB=1), place[mine[0]], mine[1], mine[2])
    extras = extra_outputs(encoder_size.n_exp)
    for output in encoder_size.outputs:
        output_node(graph, output, ends[output.branch])
    for output in extras:
        extra_output(graph, output, ends["extra"])
    return encoder_model(graph, encoder_size, extras, words)


def student_weights(network: Student, answers: Answers, size: int, head: str, calibration: Calibration) -> Weights:
    """The student with SMIRK's names."""
    arrays: dict[str, Array] = {}
    extras: dict[str, Array] = {}
    order = {"pose_encoder": _POSE, "shape_encoder": _SHAPE, "expression_encoder": _FACE}
    for branch in BRANCHES:
        body = network.backbones[branch.name].state_dict()
        arrays |= {f"{branch.name}.encoder.{k}": v.numpy() for k, v in body.items()}
        layer = network.heads[branch.name]
        assert isinstance(layer, nn.Linear)
        whole = np.zeros((answers.size, branch.features), np.float32)
        bias = np.zeros(answers.size, np.float32)
        at = 0
        for name in network.own[branch.name]:
            part = answers.parts[name]
            count = part.stop - part.start
            whole[part.columns] = layer.weight.detach().numpy()[at : at + count]
            bias[part.columns] = layer.bias.detach().numpy()[at : at + count]
            at += count
        rows, offset = head_rows(answers, whole, bias, order[branch.name], calibration)
        arrays[f"{branch.name}.{branch.head}.0.weight"], arrays[f"{branch.name}.{branch.head}.0.bias"] = rows, offset
        if branch.name == "expression_encoder":
            extras["weight"], extras["bias"] = head_rows(answers, whole, bias, _EXTRA, calibration)
    encoder_size = EncoderSize(answers.model.identity_size, answers.model.expression_size)
    return Weights(arrays, encoder_size, head, "student", "", b"", extras, size, tuple(int(v) for v in answers.points))


def export(
    run: Path, folder: Path, calibration: Calibration | None = None, crop_scale: float = CROP_SCALE
) -> dict[str, Any]:
    """Write ``encoder.onnx`` (teacher) or ``encoder.safetensors`` and ``encoder.onnx`` (student), and ``encoder.json``.

    Args:
        run: of the training. folder: of the files. calibration: of every number.
        crop_scale: side of the crops that the encoder shall be given, in sizes of the landmarks' box.

    Raises:
        TrainingError: there is no trained state, or a file gives other numbers than the network.
    """
    model = load_head("open")
    answers = Answers(model)
    network = load_network(run, answers)
    state = read_state(run)
    assert state is not None
    calibration = calibration or Calibration.none(answers)
    words = {"kind": "smirk-encoder-1", "head": model.name, "pixels": str(state["size"]), "regions": ",".join(REGIONS),
             "points": ",".join(str(v) for v in answers.points), "crop": str(crop_scale)}  # fmt: skip
    files: dict[str, bytes] = {}
    if isinstance(network, Teacher):
        files["encoder.onnx"] = teacher_graph(network, answers, state["size"], words, calibration)
    else:
        assert isinstance(network, Student)
        weights = student_weights(network, answers, state["size"], model.name, calibration)
        weights = replace(weights, crop_scale=crop_scale)
        half = {k: v.astype(np.float16) if v.dtype == np.float32 else v for k, v in weights.arrays.items()}
        extras = {k: v.astype(np.float16) for k, v in weights.extras.items()}
        small = replace(weights, arrays=half, extras=extras)
        files = {"encoder.safetensors": small.to_safetensors()}
    report: dict[str, Any] = {
        "kind": state["kind"], "head": model.name, "head_digest": model.digest, "pixels": state["size"],
        "crop_scale": crop_scale,
        "faces": state["seen"], "minutes": round(state["spent"] / 60, 1), "sha256": {}, "difference_to_torch": {},
    }  # fmt: skip
    crops = np.random.default_rng(0).integers(0, 255, (4, 28, 28, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    for name, data in files.items():
        with atomic(folder / name) as path:
            path.write_bytes(data)
        found = make_encoder(load_weights(folder / name), "cpu").encode(crops)
        wanted = _in_torch(network, answers, crops, state["size"], calibration)
        apart = max(float(np.abs(found[k] - v).max()) for k, v in wanted.items())
        if not apart < 0.05:
            raise TrainingError(f"{folder / name} gives other numbers than the network, by {apart:.3g}.")
        report["sha256"][name], report["difference_to_torch"][name] = hashlib.sha256(data).hexdigest(), apart
    with atomic(folder / "encoder.json") as path:
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


@torch.no_grad()
def _in_torch(
    network: nn.Module, answers: Answers, crops: Array, size: int, calibration: Calibration
) -> dict[str, Array]:
    image = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    small = torch.nn.functional.avg_pool2d(image, IMAGE_SIZE // size)
    network = BothWays(network, answers) if isinstance(network, Teacher) else network
    answer = network(small.to(memory_format=torch.channels_last))
    groups = calibration.apply(answers.groups(answer, clamp=False))
    return {
        "pose_params": groups["rotation"].numpy(), "expression_params": groups["expression"].numpy(),
        "eyelid_params": groups["eyelids"].clamp(0, 1).numpy(), "gaze_params": groups["eyes"].numpy(),
        "points": answers.places(answer).flatten(1).numpy(),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m training.bundled.export", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--calibration", type=Path, help="of training.bundled.calibrate")
    parser.add_argument("--crop-scale", type=float, default=1.1, help="side of the crops over the landmarks' box")
    given = parser.parse_args(arguments)
    try:
        calibration = Calibration.read(given.calibration) if given.calibration else None
        report = export(given.run, given.output, calibration, given.crop_scale)
    except SmirkError as error:
        print(f"export: {error}", file=sys.stderr)
        return 2
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
