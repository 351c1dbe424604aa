# SPDX-License-Identifier: Apache-2.0
"""Speed of the image encoder, and what half precision costs; writes docs/performance.json.

    python -m benchmarks.bench_encoder [cpu] [cuda] [--encoder FILE] [--print]

``cpu``: milliseconds a crop on ONNX Runtime with one thread and with all, in torch where it is installed, seconds to
open a checkpoint. ``cuda``: crops a second in batches of 256 on an NVIDIA card, crops already there and with the way
to the card and back, in three precisions, with their errors against float32 on the processor. Without ``--encoder`` the
weights are random: speed does not depend on them, errors do a little.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from smirk_core.encoder.architecture import PREFIX, EncoderSize, encoder_keys
from smirk_core.encoder.checkpoint import Weights, checked_weights, load_weights
from smirk_core.encoder.runtime import load_encoder, make_encoder

from .performance import REPORT, ROOT, machine

BATCH = 256


def random_weights(seed: int = 0) -> Weights:
    """Weights that keep signals at their size: He's normal convolutions, batch normalisation near the identity."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in encoder_keys(EncoderSize()).items():
        noise = rng.standard_normal(shape)
        if name.endswith("num_batches_tracked"):
            values = np.zeros(shape, np.int64)
        elif len(shape) == 4:
            values = noise * np.sqrt(2 / np.prod(shape[1:]))
        elif name.endswith(("running_var", "weight")) and len(shape) == 1:
            values = np.exp(0.1 * noise)
        else:
            values = 0.1 * noise
        tensors[PREFIX + name] = values.astype(np.float32) if len(shape) else values
    return checked_weights(tensors, source="random weights")


def some_crops(count: int) -> np.ndarray:
    """(count, 224, 224, 3) uint8: cut-outs of a portrait at different places and sizes."""
    from PIL import Image

    picture = Image.open(ROOT / "tests" / "data" / "face.png").convert("RGB")
    rng = np.random.default_rng(0)
    side = min(picture.size)
    crops = []
    for _ in range(count):
        size = rng.uniform(0.5, 0.95) * side
        left, top = rng.uniform(0, picture.width - size), rng.uniform(0, picture.height - size)
        crops.append(np.asarray(picture.resize((224, 224), box=(left, top, left + size, top + size))))
    return np.stack(crops)


def milliseconds(call: Callable[[], Any], crops: int, runs: int) -> dict[str, float]:
    """Median times per crop after two untimed calls: by the clock, and of the processor (which others cannot take)."""
    wall, own = [], []
    for i in range(runs + 2):
        begin, begin_own = time.perf_counter(), time.process_time()
        call()
        if i >= 2:
            own.append(time.process_time() - begin_own)
            wall.append(time.perf_counter() - begin)
    return {k: round(1e3 * statistics.median(v) / crops, 2) for k, v in (("clock", wall), ("processor", own))}


def errors(exact: dict[str, np.ndarray], rough: dict[str, np.ndarray]) -> dict[str, float]:
    """Per output, the largest difference in units of that output's root mean square over pictures."""
    return {
        name: float(f"{np.abs(rough[name] - values).max() / max(float(np.sqrt((values**2).mean())), 1e-9):.1e}")
        for name, values in exact.items()
    }


def measure_cpu(weights: Weights) -> dict[str, Any]:
    crops = some_crops(32)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.safetensors"
        path.write_bytes(weights.to_safetensors())
        begin = time.perf_counter()
        encoder = load_encoder(path, "cpu")
        figures["seconds_to_open"] = round(time.perf_counter() - begin, 2)
    figures["engine"] = encoder.engine.name
    threads = os.cpu_count() or 1
    for label, count in (("one_thread", 1), (f"{threads}_threads", threads)):
        engine = make_encoder(weights, "cpu", threads=count).engine
        figures[f"ms_per_crop_{label}"] = {
            f"batch_{n}": milliseconds(lambda e=engine, n=n: e.encode(crops[:n]), n, 60 if n == 1 else 8)
            for n in (1, 8, 32)
        }
    try:
        import torch
    except ImportError:
        return figures
    from smirk_core.encoder.torch_engine import TorchEngine

    torch.set_num_threads(1)
    exact = encoder.engine.encode(crops)
    figures["torch"] = {"version": torch.__version__, "threads": 1}
    for precision in ("float32", "bfloat16", "float16"):
        engine = TorchEngine(weights, "cpu", precision)
        figures["torch"][f"error_{precision}"] = errors(exact, engine.encode(crops))
        if precision == "float32":
            figures["torch"]["ms_per_crop"] = {
                f"batch_{n}": milliseconds(lambda e=engine, n=n: e.encode(crops[:n]), n, 8) for n in (1, 8, 32)
            }
    return figures


def measure_cuda(weights: Weights, seconds: float = 3.0) -> dict[str, Any]:
    import torch

    from smirk_core.encoder.torch_engine import TorchEngine

    crops = some_crops(BATCH)
    exact = TorchEngine(weights, "cpu").encode(crops[:32])
    figures: dict[str, Any] = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "batch": BATCH}

    def rate(call: Callable[[], Any]) -> int:
        for _ in range(5):
            call()
        torch.cuda.synchronize()
        done, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            for _ in range(10):
                call()
            torch.cuda.synchronize()
            done += 10 * BATCH
        return round(done / (time.perf_counter() - begin))

    for precision in ("float32", "float16", "bfloat16"):
        engine = TorchEngine(weights, "cuda", precision)
        there = torch.from_numpy(crops).cuda()

        def on_card(engine: TorchEngine = engine, there: Any = there) -> Any:
            with torch.inference_mode(), engine.exact():
                return engine.forward(engine.pixels(there))

        rows: dict[str, Any] = {"crops_per_second_on_card": rate(on_card)}
        rows["crops_per_second_with_transfer"] = rate(lambda e=engine: e.encode(crops))
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            on_card()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            on_card()
        rows["crops_per_second_on_card_graph"] = rate(graph.replay)
        rows["error"] = errors(exact, engine.encode(crops[:32]))
        figures[precision] = rows
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["cpu", "cuda", []], default=[])
    parser.add_argument("--encoder", type=Path, help="weights to use instead of random ones")
    parser.add_argument("--print", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    weights = load_weights(arguments.encoder) if arguments.encoder else random_weights()
    for part in arguments.parts or ["cpu"]:
        figures = {"cpu": measure_cpu, "cuda": measure_cuda}[part](weights)
        command = f"python -m benchmarks.bench_encoder {part}"
        figures |= {"weights": weights.source, "command": command, "machine": machine()}
        print(part, json.dumps(figures, indent=1))
        if not arguments.print:
            report = json.loads(REPORT.read_text(encoding="utf-8")) if REPORT.exists() else {}
            report["encoder" if part == "cpu" else "encoder_cuda"] = figures
            REPORT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
