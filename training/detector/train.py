# SPDX-License-Identifier: Apache-2.0
"""Train the model of the detector: detected landmarks to ARKit weights with their uncertainty.

    python -m training.detector.train --data DIR [DIR ...] -o smirk_core/assets/landmark_prior.npz

A plain perceptron on principal components of aligned landmarks and of their change from a neutral picture of the same
person (left out of 40 % of the examples, so that it also works without). Loss: Gaussian likelihood for the standard
deviations (the means see it with its gradient rescaled, beta-NLL, Seitzer et al. 2022) and a squared error that
counts active weights more, which keeps strong expressions strong. The output file needs only NumPy.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from smirk_core.heads.parameters import ARKIT_NAMES
from smirk_core.tracking.landmark_prior import LANDMARK_PRIOR_PATH, LOG_SIGMA

from ..data.expressions import MIRRORED
from ..data.mediapipe_points import BROWS, EYES, IRISES, LIPS, OVAL, mirror_permutation
from .dataset import CHECKED, Detections, load_detections, reference_face

__all__ = ["main"]

Floats = npt.NDArray[np.floating[Any]]
_FLIP = np.array([-1.0, 1.0, 1.0], np.float32)  # points across the face
_TURN = np.array([1.0, -1.0, -1.0], np.float32)  # rotation vectors under the same mirror


@dataclass(frozen=True)
class Settings:
    shape_components: int = 128
    change_components: int = 128
    hidden: tuple[int, ...] = (384, 384)
    epochs: int = 60
    batch: int = 512
    rate: float = 2e-3
    decay: float = 0.02
    dropout: float = 0.1
    without_neutral: float = 0.4
    active: float = 2.0
    noise: float = 0.05
    seed: int = 0


def _emphasis() -> Floats:
    """(1434,) weight of each coordinate: an iris moves a millimetre and says more than a cheek that moves three."""
    weight = np.ones(478, np.float32)
    for points, value in ((OVAL, 0.5), (LIPS, 1.5), (BROWS, 2.0), (EYES, 2.5), (IRISES, 4.0)):
        weight[points] = value
    return np.repeat(weight, 3)


def _components(rows: Floats, count: int) -> Floats:
    """(count, D) leading principal directions of centred and weighted rows, by the D x D covariance."""
    weight = _emphasis()
    rows = rows * weight
    covariance = (rows.T @ rows).astype(np.float64) / len(rows)
    _, vectors = np.linalg.eigh(covariance)
    return vectors[:, ::-1][:, :count].T.astype(np.float32) * weight


def _mirrored(data: Detections) -> Detections:
    """The same pictures in a mirror."""
    partner = mirror_permutation()
    return Detections(
        points=data.points[:, partner] * _FLIP,
        rotation=data.rotation * _TURN,
        turn=data.turn * _TURN,
        weights=data.weights[:, MIRRORED],
        group=data.group + 500_000,
        person=data.person,
        rest=data.rest,
        task=data.task,
        real=data.real,
        landmarks=data.landmarks,
    )


def _joined(a: Detections, b: Detections) -> Detections:
    return Detections(**{k: np.concatenate([a.__dict__[k], b.__dict__[k]]) for k in a.__dict__})


class _Sampler:
    """Inputs from principal components; a neutral of the same group is drawn anew every time."""

    def __init__(self, data: Detections, shape: Floats, change: Floats, mean: Floats) -> None:
        flat = data.points.reshape(len(data.points), -1)
        self.shape = torch.from_numpy((flat - mean) @ shape.T)
        self.level = torch.from_numpy(flat @ change.T)
        self.rotation = torch.from_numpy(data.rotation)
        self.task = torch.from_numpy(data.task.astype(np.float32))[:, None]
        order = np.flatnonzero(data.rest)
        groups = data.group[order]
        sort = np.argsort(groups, kind="stable")
        order, groups = order[sort], groups[sort]
        self.first = torch.from_numpy(np.searchsorted(groups, data.group, "left"))
        self.count = torch.from_numpy(np.searchsorted(groups, data.group, "right")) - self.first
        self.order = torch.from_numpy(order)

    def __call__(self, index: torch.Tensor, without: float, generator: torch.Generator) -> torch.Tensor:
        """(B, A + D + 8) features of some pictures, as in LandmarkPrior.features."""
        count, first = self.count[index], self.first[index]
        known = (torch.rand(len(index), generator=generator) >= without) & (count > 0)
        level = torch.zeros_like(self.level[index])
        pose = torch.zeros_like(self.rotation[index])
        # One neutral or the mean of two: clips offer one frame or several.
        draws = 1 + (torch.rand(len(index), generator=generator) < 0.5).long()
        for draw in (0, 1):
            pick = (torch.rand(len(index), generator=generator) * count).long().clamp(max=(count - 1).clamp(min=0))
            rest = self.order[(first + pick).clamp(max=len(self.order) - 1)]
            share = ((draws > draw).float() / draws)[:, None]
            level += share * self.level[rest]
            pose += share * self.rotation[rest]
        flag = known.float()[:, None]
        change = (self.level[index] - level) * flag
        return torch.cat([self.shape[index], change, self.rotation[index], pose * flag, flag, self.task[index]], 1)


def _network(inputs: int, outputs: int, settings: Settings) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    width = inputs
    for hidden in settings.hidden:
        layers += [torch.nn.Linear(width, hidden), torch.nn.SiLU(), torch.nn.Dropout(settings.dropout)]
        width = hidden
    layers.append(torch.nn.Linear(width, outputs))
    return torch.nn.Sequential(*layers)


def _loss(out: torch.Tensor, truth: torch.Tensor, settings: Settings) -> torch.Tensor:
    k = truth.shape[1]
    mean, log_sigma = out[:, :k], out[:, k:].clamp(*LOG_SIGMA)
    square = (mean - truth) ** 2
    variance = torch.exp(2 * log_sigma)
    likelihood = 0.5 * square.detach() / variance + log_sigma
    pull = 0.5 * square * (torch.exp(2 * log_sigma.detach()) ** -0.5)  # beta = 0.5
    active = square * (1 + settings.active * truth)
    return likelihood.mean() + pull.mean() + 4.0 * active.mean()


class _Check:
    """Answers of the finished network on people who did not shape it: they set the scale of its uncertainty."""

    def __init__(
        self,
        model: torch.nn.Sequential,
        sampler: _Sampler,
        data: Detections,
        input_mean: torch.Tensor,
        input_scale: torch.Tensor,
    ) -> None:
        self.truth = torch.from_numpy(data.weights)
        self._model, self._sampler = model, sampler
        self._mean, self._scale = input_mean, input_scale

    def answers(self, without: float) -> tuple[torch.Tensor, torch.Tensor]:
        """(N, 52) means in [0, 1] and sigmas."""
        self._model.eval()
        generator = torch.Generator().manual_seed(1)
        k = self.truth.shape[1]
        with torch.no_grad():
            x = self._sampler(torch.arange(len(self.truth)), without, generator)
            out = self._model(((x - self._mean) / self._scale).clamp(-6, 6))
        return out[:, :k].clamp(0, 1), torch.exp(out[:, k:].clamp(*LOG_SIGMA))

    def sigma_scale(self, without: float) -> torch.Tensor:
        """(52,) factor on each sigma that makes it honest."""
        mean, sigma = self.answers(without)
        factor = ((mean - self.truth) / sigma).pow(2).mean(0).sqrt()
        print(f"sigma is off by {factor.median():.2f} on {len(self.truth)} pictures; corrected", flush=True)
        return factor.clamp(0.5, 4.0)


def _save(path: Path, arrays: dict[str, npt.NDArray[Any]], header: dict[str, Any]) -> None:
    arrays = arrays | {"header": np.array(json.dumps(header, sort_keys=True))}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        np.savez_compressed(file, **arrays)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def train(data: Detections, settings: Settings, state: Path | None) -> tuple[dict[str, npt.NDArray[Any]], int]:
    """Arrays of the asset and the number of pictures used."""
    torch.manual_seed(settings.seed)
    # The raw pixels are not needed here, and would double the memory.
    data = replace(data, landmarks=np.zeros((len(data.weights), 0), np.float32)).select(~data.unseen)
    kept = data.person % CHECKED == 1
    others, data = data.select(kept), data.select(~kept)
    data = _joined(data, _mirrored(data))
    flat = data.points.reshape(len(data.points), -1)
    mean = flat.mean(0)
    some = np.random.default_rng(settings.seed).permutation(len(flat))[:12000]
    shape = _components(flat[some] - mean, settings.shape_components)
    groups, first = np.unique(data.group[data.rest], return_index=True)
    rest_row = np.flatnonzero(data.rest)[first]
    at = np.searchsorted(groups, data.group[some]).clip(max=len(groups) - 1)
    has = groups[at] == data.group[some]
    change = _components(flat[some[has]] - flat[rest_row[at[has]]], settings.change_components)

    sampler = _Sampler(data, shape, change, mean)
    generator = torch.Generator().manual_seed(settings.seed)
    truth = torch.from_numpy(data.weights)
    everything = torch.randperm(len(truth), generator=generator)
    probe = sampler(everything[:20000], 0.0, generator)
    input_mean = probe.mean(0)
    input_scale = probe.std(0).clamp(min=1e-6)
    # Poses keep their natural zero (unknown poses are 0), flags keep 0 and 1.
    input_mean[-8:] = 0
    input_scale[-8:-2] = 0.3
    input_scale[-2:] = 1
    input_mean[settings.shape_components : -8] = 0  # no change stays no change
    # Equal variance for every component would turn detector noise into signal.
    for part in (slice(0, settings.shape_components), slice(settings.shape_components, -8)):
        input_scale[part] = torch.maximum(input_scale[part], 0.01 * input_scale[part].max())

    model = _network(probe.shape[1], 2 * truth.shape[1], settings)
    steps = len(truth) // settings.batch
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings.rate, weight_decay=settings.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.rate, total_steps=settings.epochs * steps, pct_start=0.1
    )
    start = 0
    if state is not None and state.exists():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        schedule.load_state_dict(saved["schedule"])
        start = int(saved["epoch"])
        print(f"resuming after epoch {start}", flush=True)
    began = time.perf_counter()
    for epoch in range(start, settings.epochs):
        model.train()
        total = 0.0
        order = torch.randperm(len(truth), generator=generator)
        for step in range(steps):
            index = order[step * settings.batch : (step + 1) * settings.batch]
            x = (sampler(index, settings.without_neutral, generator) - input_mean) / input_scale
            x[:, :-8] += settings.noise * torch.randn(x[:, :-8].shape, generator=generator)
            x = x.clamp(-6, 6)
            loss = _loss(model(x), truth[index], settings)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        if (epoch + 1) % 5 == 0 or epoch + 1 == settings.epochs:
            print(f"epoch {epoch + 1}: loss {total / steps:.4f}, {time.perf_counter() - began:.0f} s", flush=True)
            if state is not None:
                parts = {"model": model.state_dict(), "optimiser": optimiser.state_dict()}
                torch.save({**parts, "schedule": schedule.state_dict(), "epoch": epoch + 1}, state)

    reference, weight = reference_face()
    arrays: dict[str, npt.NDArray[Any]] = {
        "names": np.array(ARKIT_NAMES),
        "reference": reference.astype(np.float32),
        "stable": weight.astype(np.float32),
        "mean": mean.astype(np.float32),
        "basis": shape.astype(np.float16),
        "change_basis": change.astype(np.float16),
        "input_mean": input_mean.numpy(),
        "input_scale": input_scale.numpy(),
    }
    linear = [layer for layer in model if isinstance(layer, torch.nn.Linear)]
    check = _Check(model, _Sampler(others, shape, change, mean), others, input_mean, input_scale)
    k, last = truth.shape[1], linear[-1]
    with torch.no_grad():
        last.bias[k:] += torch.log(check.sigma_scale(settings.without_neutral))
    for i, layer in enumerate(linear):
        arrays[f"layer{i}/weight"] = layer.weight.detach().numpy().astype(np.float16)
        arrays[f"layer{i}/bias"] = layer.bias.detach().numpy()
    return arrays, len(truth) // 2


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the model of the detector.")
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("-o", "--output", type=Path, default=LANDMARK_PRIOR_PATH)
    parser.add_argument("--epochs", type=int, default=Settings.epochs)
    parser.add_argument("--hidden", type=int, default=384)
    parser.add_argument("--noise", type=float, default=Settings.noise, help="on inputs of unit variance")
    parser.add_argument("--active", type=float, default=Settings.active, help="extra weight of active actions")
    parser.add_argument("--dropout", type=float, default=Settings.dropout)
    parser.add_argument("--decay", type=float, default=Settings.decay)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--state", type=Path, default=None, help="file to resume from and to save progress to")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = load_detections(options.data)
    settings = Settings(
        epochs=options.epochs,
        hidden=(options.hidden, options.hidden),
        noise=options.noise,
        active=options.active,
        dropout=options.dropout,
        decay=options.decay,
    )
    arrays, used = train(data, settings, options.state)
    header = {
        "kind": "smirk-landmark-prior-1",
        "pictures": used,
        "real_pictures": int((data.real & ~data.unseen).sum()),
        "licence": "Apache-2.0",
    }
    _save(options.output, arrays, header)
    parameters = sum(v.size for k, v in arrays.items() if "layer" in k or "basis" in k)
    print(f"wrote {options.output}: {used} pictures, {parameters} numbers")


if __name__ == "__main__":
    main()
