# SPDX-License-Identifier: Apache-2.0
"""``python -m training.export_weights RUN -o FOLDER``: a run's averaged encoder as files that everybody can load.

Written are ``NAME.safetensors``, ``NAME.float16.safetensors``, ``NAME.onnx``, ``NAME.json`` (hashes, parity, lineage)
and ``NAME.md``, the beginning of a model card. Each file is read back and compared with the network in torch.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from smirk_core.encoder.architecture import IMAGE_SIZE, PREFIX
from smirk_core.encoder.checkpoint import Weights, checked_weights, load_weights
from smirk_core.encoder.runtime import make_encoder
from smirk_core.encoder.safetensors_file import to_safetensors
from smirk_core.encoder.smirk_encoder import SmirkEncoder
from smirk_core.errors import SmirkError, TrainingError
from smirk_core.export.atomic import atomic

from . import checkpoints
from .config import Config, as_dict

__all__ = ["averaged_weights", "export", "main"]

Array = npt.NDArray[Any]
_TOLERANCE = 2e-4  # between engines in float32; batch normalisation is folded into the graph
_TOLERANCE_HALF = 0.1  # of weights kept in half precision; stated in the report


def averaged_weights(run: Path) -> tuple[Weights, dict[str, Any], Config]:
    """The averaged encoder (the last one where none was kept) of a run or a checkpoint, its state, its settings.

    Raises:
        TrainingError: there is no checkpoint, or it is damaged.
    """
    if (run / "manifest.json").is_file():
        state, config = checkpoints.load(run)
    else:
        found = checkpoints.latest(run)
        if found is None:
            raise TrainingError(f"{run} holds no checkpoint of a training run.")
        _, state, config = found
    values = state["average"]["values"] if state["average"] else state["encoder"]
    arrays = {PREFIX + k: v.cpu().numpy() for k, v in values.items()}
    return checked_weights(arrays, head=state["head"], source=run.name), state, config


def export(run: Path, folder: Path, name: str = "encoder") -> dict[str, Any]:
    """Write all files.

    Returns:
        What ``NAME.json`` says.

    Raises:
        TrainingError: a file, read back, gives other numbers than the network.
        ExportError: the folder cannot be written.
    """
    weights, state, config = averaged_weights(run)
    words = {
        "kind": "smirk-encoder-1", "head": weights.head, "head_digest": state["head_digest"],
        "trained_pixels": str(config.data.size), "steps": str(state["step"]),
    }  # fmt: skip
    whole = {PREFIX + k: v for k, v in weights.arrays.items()}
    half = {k: v.astype(np.float16) if v.dtype == np.float32 else v for k, v in whole.items()}
    files = {
        f"{name}.safetensors": to_safetensors(whole, words),
        f"{name}.float16.safetensors": to_safetensors(half, words),
        f"{name}.onnx": weights.to_onnx(),
    }
    crops = _crops()
    wanted = _in_torch(weights, crops)
    parity, hashes = {}, {}
    for file, content in files.items():
        with atomic(folder / file) as path:
            path.write_bytes(content)
        found = load_weights(folder / file)
        parity[file] = _apart(make_encoder(found, "cpu").encode(crops), wanted)
        limit = _TOLERANCE_HALF if "float16" in file else _TOLERANCE
        if not parity[file] <= limit:
            raise TrainingError(f"{folder / file} gives other numbers than the network, by {parity[file]:.3g}.")
        hashes[file] = hashlib.sha256(content).hexdigest()
    report = {
        "name": name,
        "head": weights.head,
        "head_digest": state["head_digest"],
        "identity": weights.size.n_shape,
        "expressions": weights.size.n_exp,
        "trained_pixels": config.data.size,
        "steps": state["step"],
        "images": state["step"] * config.data.batch,
        "averaged": bool(state["average"]),
        "sha256": hashes,
        "largest_difference_to_torch": parity,
        "config": as_dict(config),
    }
    with atomic(folder / f"{name}.json") as path:
        path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    with atomic(folder / f"{name}.md") as path:
        path.write_text(_card(report), encoding="utf-8")
    return report


def _crops() -> Array:
    """(8, 224, 224, 3) uint8: smooth colours and noise."""
    dice = np.random.default_rng(0)
    coarse = torch.from_numpy(dice.uniform(0, 255, (8, 3, 9, 9)))
    smooth = torch.nn.functional.interpolate(coarse, (IMAGE_SIZE, IMAGE_SIZE), mode="bicubic").permute(0, 2, 3, 1)
    return (smooth.numpy() + dice.normal(0, 12, smooth.shape)).clip(0, 255).astype(np.uint8)


def _in_torch(weights: Weights, crops: Array) -> dict[str, Array]:
    network = SmirkEncoder(weights.size).eval()
    network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in weights.arrays.items()})
    with torch.no_grad():
        out = network(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255)
    return {k: v.numpy() for k, v in out.items()}


def _apart(found: Mapping[str, Array], wanted: Mapping[str, Array]) -> float:
    return max(float(np.abs(found[k] - v).max()) for k, v in wanted.items())


def _card(report: Mapping[str, Any]) -> str:
    """The facts of a model card; what data may be used for has to be written by the one who trained."""
    data = report["config"]["data"]
    names = [f"* `{file}`: sha256 `{digest}`" for file, digest in report["sha256"].items()]
    return "\n".join([
        f"# {report['name']}",
        "",
        f"SMIRK's encoder for the head `{report['head']}`: {report['identity']} identity and {report['expressions']} "
        f"expression coefficients. Trained for {report['steps']} steps, {report['images']} images of "
        f"{report['trained_pixels']} pixels, from the source `{data['source']}`.",
        "",
        *names,
        "",
        *(() if report["trained_pixels"] == IMAGE_SIZE else (
            f"**Not for use as it is:** it learned from pictures of {report['trained_pixels']} pixels, and the tracker "
            f"gives it {IMAGE_SIZE}.", "",
        )),
        "To be written before it is passed on: where the pictures came from and what their licences allow; who is in",
        "them and who is not; what was measured (`python -m training.evaluate`); what it cannot see.",
        "",
    ])  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m training.export_weights", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run, or one of its checkpoints")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--name", default="encoder")
    parsed = parser.parse_args(arguments)
    try:
        report = export(parsed.run, parsed.out, parsed.name)
    except SmirkError as error:
        print(f"export_weights: {error}", file=sys.stderr)
        return 2
    for file, apart in report["largest_difference_to_torch"].items():
        print(f"{parsed.out / file}  largest difference to torch {apart:.2g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
