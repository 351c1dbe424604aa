# SPDX-License-Identifier: Apache-2.0
"""Batched Gauss-Newton for the landmarks of many frames: box bounds, Gaussian priors, smoothness in time, one identity.

Each frame has its own small dense block (about 54 unknowns); frames meet only through the smoothness of neighbours and
through the shared identity. So the blocks are built by batched matrix products, smoothness is handled by conjugate
gradients preconditioned with the inverted blocks, and identity by the Schur complement (Triggs et al. 2000, section 6).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .landmark_model import LandmarkModel
from .one_thread import one_blas_thread

__all__ = ["FrameProblem", "Smoothness", "solve_frames", "solve_with_identity"]

Floats = npt.NDArray[np.floating[Any]]
_CHUNK = 16  # frames whose Jacobian (about 0.2 MB each; few, so that they stay in the cache) is held at once


@dataclass(frozen=True)
class Smoothness:
    """Robust penalty on second differences in time: no lag, straight motion costs nothing, quick motion little.

    Attributes:
        strength: (P,) per unknown, relative to how firmly the landmarks hold it. At strength a and frequency w
            (radians per frame) the response is 1 / (1 + a (2 - 2 cos w)^2).
        coupling: (N - 2,) 1 where three frames are neighbours in time, less where they lie apart, 0 across gaps.
        quick: (P,) second difference at which the penalty starts to let go (Cauchy loss); where a clip is noisier
            than that, its own median second difference takes the place.
    """

    strength: Floats
    coupling: Floats
    quick: Floats

    def weights(self, x: Floats) -> Floats:
        """(N - 2, P) weight of each second difference of the unknowns x (N, P)."""
        bend = np.abs(x[:-2] - 2 * x[1:-1] + x[2:])
        scale = np.maximum(self.quick, 2.0 * np.median(bend, axis=0))
        return (self.coupling[:, None] / (1 + (bend / scale) ** 2)).astype(np.float32)


@dataclass(frozen=True)
class FrameProblem:
    """Everything that is fixed while the unknowns of N frames are solved.

    Attributes:
        landmarks: the head reduced to its landmarks.
        base_rotation: (3, 3).
        points: (N, 2, L) observed u, v divided by the reference scale (metres).
        trust: (N, L) inverse variance of each observed coordinate (1 / m^2), 0 where nothing was seen.
        outlier: (N, L) metres: residuals much longer than this lose their pull (Cauchy loss).
        prior_mean, prior_precision: (N, P).
        low, high: (P,) bounds.
    """

    landmarks: LandmarkModel
    base_rotation: Floats
    points: Floats
    trust: Floats
    outlier: Floats
    prior_mean: Floats
    prior_precision: Floats
    low: Floats
    high: Floats
    smoothness: Smoothness | None = field(default=None)

    def take(self, index: Any) -> FrameProblem:
        """The same problem for some of the frames, without smoothness."""
        return FrameProblem(
            self.landmarks, self.base_rotation, self.points[index], self.trust[index], self.outlier[index],
            self.prior_mean[index], self.prior_precision[index], self.low, self.high,
        )  # fmt: skip


def _residual_weights(problem: FrameProblem, part: slice, points: Floats) -> tuple[Floats, Floats]:
    """Residuals (n, 2, L) and their weights (n, 1, L) after the Cauchy loss."""
    residual = problem.points[part] - points
    square = (residual * residual).sum(1, keepdims=True)
    weight = problem.trust[part][:, None] / (1 + square / problem.outlier[part][:, None] ** 2)
    return residual, weight


def _normal_equations(
    problem: FrameProblem, identity: Floats, x: Floats, with_identity: bool
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Gauss-Newton blocks: H (N, P, P), g (N, P), H_fi (N, P, K), H_ii (K, K), g_i (K)."""
    n, p = x.shape
    k = problem.landmarks.identity_size if with_identity else 0
    hessian, gradient = np.empty((n, p, p), np.float32), np.empty((n, p), np.float32)
    cross = np.empty((n, p, k), np.float32)

    def build(start: int) -> tuple[Floats, Floats] | None:
        part = slice(start, min(start + _CHUNK, n))
        points, slopes, by_identity = problem.landmarks.evaluate(
            identity, x[part], problem.base_rotation, jacobian=True, with_identity=with_identity
        )
        assert slopes is not None
        residual, weight = _residual_weights(problem, part, points)
        root = np.sqrt(weight)
        slopes *= root[..., None]
        residual = (residual * root).reshape(len(points), -1, 1)
        rows = slopes.reshape(len(points), -1, p)
        transposed = np.swapaxes(rows, 1, 2)
        np.matmul(transposed, rows, out=hessian[part])
        gradient[part] = (transposed @ residual)[..., 0]
        if by_identity is None:
            return None
        by_identity *= root[..., None]
        cross[part] = transposed @ by_identity.reshape(len(points), -1, k)
        flat = by_identity.reshape(-1, k)
        return flat.T @ flat, flat.T @ residual.reshape(-1)

    shared, shared_gradient = np.zeros((k, k)), np.zeros(k)
    # NumPy lets go of the interpreter lock in its loops, so plain threads keep all cores busy; threads of the BLAS
    # below them would only fight over the same cores.
    with one_blas_thread(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for both in pool.map(build, range(0, n, _CHUNK)):
            if both is not None:
                shared += both[0]
                shared_gradient += both[1]
    return hessian, gradient, cross, shared, shared_gradient


def _add_prior(problem: FrameProblem, x: Floats, hessian: Floats, gradient: Floats) -> None:
    diagonal = np.arange(x.shape[1])
    hessian[:, diagonal, diagonal] += problem.prior_precision
    gradient += problem.prior_precision * (problem.prior_mean - x)


def _held(problem: FrameProblem, x: Floats, gradient: Floats) -> npt.NDArray[np.bool_]:
    """Unknowns that sit on a bound and are pushed against it: they take no part in this step."""
    return ((x <= problem.low) & (gradient < 0)) | ((x >= problem.high) & (gradient > 0))


def _second_difference(x: Floats, weights: Floats) -> Floats:
    """D^T W D x for the second-difference operator D over frames; weights (N - 2, P)."""
    bend = weights * (x[:-2] - 2 * x[1:-1] + x[2:])
    out = np.zeros_like(x)
    out[:-2] += bend
    out[1:-1] -= 2 * bend
    out[2:] += bend
    return out


def _conjugate_gradients(hessian: Floats, right: Floats, free: Floats, weights: Floats, iterations: int = 60) -> Floats:
    """Solve (blockdiag(H) + D^T W D) d = right on the free unknowns; W is (N - 2, P). Block-Jacobi preconditioned."""
    load = np.zeros_like(right)
    load[:-2] += weights
    load[1:-1] += 4 * weights
    load[2:] += weights
    block = hessian.copy()
    diagonal = np.arange(right.shape[1])
    block[:, diagonal, diagonal] += load
    inverse = np.linalg.inv(block).astype(np.float32)

    def apply(d: Floats) -> Floats:
        return free * ((hessian @ d[..., None])[..., 0] + _second_difference(d, weights))

    def precondition(r: Floats) -> Floats:
        return free * (inverse @ r[..., None])[..., 0]

    step = np.zeros_like(right)
    residual = free * right
    first = float((residual * residual).sum()) or 1.0
    z = precondition(residual)
    direction = z
    energy = float((residual * z).sum())
    for _ in range(iterations):
        image = apply(direction)
        length = energy / max(float((direction * image).sum()), 1e-30)
        step += length * direction
        residual -= length * image
        if float((residual * residual).sum()) < 1e-8 * first:
            break
        z = precondition(residual)
        previous, energy = energy, float((residual * z).sum())
        direction = z + (energy / max(previous, 1e-30)) * direction
    return step


def _limit(problem: FrameProblem, x: Floats, step: Floats) -> Floats:
    return np.clip(x + step, problem.low, problem.high)


def solve_frames(problem: FrameProblem, identity: Floats, x: Floats, iterations: int) -> Floats:
    """Solve the unknowns of all frames for a given identity.

    Args:
        problem: observations, priors, bounds, and smoothness if wanted.
        identity: (K,).
        x: (N, P) start.
        iterations: Gauss-Newton steps.

    Returns:
        (N, P) within the bounds.
    """
    x = np.clip(x, problem.low, problem.high).astype(np.float32)
    smooth = problem.smoothness if problem.smoothness is not None and len(x) >= 3 else None
    diagonal = np.arange(x.shape[1])
    for _ in range(iterations):
        hessian, gradient, *_ = _normal_equations(problem, identity, x, with_identity=False)
        weights = np.zeros((0, x.shape[1]), np.float32)
        if smooth is not None:
            stiffness = hessian[:, diagonal, diagonal].mean(0) + problem.prior_precision.mean(0)
            weights = smooth.weights(x) * (smooth.strength * stiffness).astype(np.float32)
        _add_prior(problem, x, hessian, gradient)
        if smooth is not None:
            gradient -= _second_difference(x, weights)
        held = _held(problem, x, gradient)
        gradient[held] = 0
        hessian *= ~held[:, :, None] & ~held[:, None, :]
        hessian[:, diagonal, diagonal] += held + 1e-4 * hessian[:, diagonal, diagonal]
        if smooth is None:
            step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        else:
            step = _conjugate_gradients(hessian, gradient, (~held).astype(np.float32), weights)
        x = _limit(problem, x, step)
    return x


def solve_with_identity(
    problem: FrameProblem,
    identity: Floats,
    x: Floats,
    identity_precision: Floats,
    iterations: int,
    identity_mean: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Solve one identity together with the unknowns of a few frames.

    Args:
        problem: observations, priors, bounds; smoothness is ignored.
        identity: (K,) start.
        x: (N, P) start.
        identity_precision: (K,) of the prior.
        iterations: Gauss-Newton steps.
        identity_mean: (K,) of the prior; the mean face by default.

    Returns:
        identity (K,), unknowns (N, P).
    """
    x = np.clip(x, problem.low, problem.high).astype(np.float32)
    identity = identity.astype(np.float64)
    mean = np.zeros_like(identity) if identity_mean is None else identity_mean
    diagonal = np.arange(x.shape[1])
    for _ in range(iterations):
        hessian, gradient, cross, shared, shared_gradient = _normal_equations(problem, identity, x, with_identity=True)
        _add_prior(problem, x, hessian, gradient)
        held = _held(problem, x, gradient)
        gradient[held] = 0
        cross[held] = 0
        hessian *= ~held[:, :, None] & ~held[:, None, :]
        hessian[:, diagonal, diagonal] += held + 1e-4 * hessian[:, diagonal, diagonal]
        # Eliminate the frames: (H_ii - sum H_if H_ff^-1 H_fi) d_i = g_i - sum H_if H_ff^-1 g_f.
        both = np.linalg.solve(hessian, np.concatenate([cross, gradient[..., None]], axis=2))
        eliminated = np.tensordot(cross, both, axes=((0, 1), (0, 1))).astype(np.float64)  # (K, K + 1)
        system = shared + np.diag(identity_precision) - eliminated[:, :-1]
        right = shared_gradient - identity_precision * (identity - mean) - eliminated[:, -1]
        move = np.linalg.solve(system + 1e-6 * np.trace(system) / len(system) * np.eye(len(system)), right)
        identity = np.clip(identity + move, -4.0, 4.0)
        step = both[..., -1] - (both[..., :-1] @ move.astype(np.float32))
        x = _limit(problem, x, step)
    return identity, x
