# SPDX-License-Identifier: Apache-2.0
"""Put the figures of the yardstick into docs/accuracy.json and their tables into docs/accuracy.md.

    python -m benchmarks.bundled.page FOLDER [--variant "without renders=FILE" ...]

The page is written by people; what lies between its two marks is written here. ``--variant`` adds a row for an
encoder that was trained with something left out: figures of another run of the table, written with ``-o``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from smirk_core.errors import SmirkError, TrainingError
from smirk_core.export.atomic import atomic

from .measure import CLIPS
from .people import ATTRIBUTION
from .predictors import PREDICTORS, WORDS

__all__ = ["BEGIN", "END", "main", "section", "tables"]

Report = dict[str, Any]
DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- bundled encoder: begin -->", "<!-- bundled encoder: end -->"
_HELD_OUT = (
    "pooled r", "pooled r without gaze", "mean r", "mean slope of the strongest", "slopes within .75 to 1.25",
    "error, active", "error, rest", "face mm",
)  # fmt: skip
_PORTRAITS = (
    "largest mean of a curve", "which", "curves with a mean above .1", "curves above .3 a face", "browDown",
    "smile, smiling", "pairs with the smile higher",
)  # fmt: skip
_COVERS = (
    "exaggeration", "exaggeration of hidden curves", "change of visible curves", "change of visible curves at work",
)  # fmt: skip
_CURVES = (
    "jawOpen", "jawLeft", "jawRight", "mouthFunnel", "mouthPucker", "mouthSmileLeft", "mouthFrownLeft",
    "mouthUpperUpLeft", "mouthLowerDownLeft", "mouthStretchLeft", "browDownLeft", "browInnerUp", "browOuterUpLeft",
    "eyeBlinkLeft", "eyeWideLeft", "eyeSquintLeft", "cheekPuff", "noseSneerLeft", "eyeLookOutLeft", "eyeLookUpLeft",
)  # fmt: skip


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"{value[0]:.3f} ({value[1]:.3f}–{value[2]:.3f})"
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def tables(head: str, columns: list[str], rows: list[tuple[str, list[Any]]]) -> list[str]:
    """A Markdown table; rows without any figure are left out."""
    out = ["", f"| {head} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    kept = [
        f"| {name} | " + " | ".join(map(_cell, cells)) + " |"
        for name, cells in rows
        if any(c is not None for c in cells)
    ]
    return [*out, *kept] if kept else []


def section(report: Report, variants: dict[str, Report]) -> list[str]:
    """All tables as lines of Markdown, between the marks."""
    known: dict[str, Report] = report["predictors"]
    names = [n for n in PREDICTORS if n in known]
    words, about = [WORDS[n] for n in names], report["about"]

    def row(part: str, key: str, *path: str) -> tuple[str, list[Any]]:
        cells = []
        for name in names:
            at = known[name].get(part, {})
            for step in path:
                at = at.get(step, {}) if isinstance(at, dict) else {}
            cells.append(at.get(key) if isinstance(at, dict) else None)
        return key, cells

    given = [(f"{k}, identity given to the solve", row("identity given", k)[1]) for k in ("face mm", "pooled r")]
    out = [BEGIN, "", f"Measured {about.get('date', '')} on {about['machine']}; encoder: {about['encoder']}.", ""]
    out += [
        f"**Held-out people**: {about['random pictures']} pictures of {about['people']} people whom nothing here has "
        "learned from, photographs with another expression, pose and light, exact truth. In brackets the middle 95 % "
        "over resampled people.",
        *tables("held-out people", words, [*(row("held out", k) for k in _HELD_OUT), *given]),
    ]
    for pair, apart in report.get("compared", {}).items():
        one, other = (WORDS[n] for n in pair.split(" over "))
        out += ["", f"Pooled r of {one} minus that of {other}: {_cell(apart)}."]
    curves = []
    for curve in _CURVES:
        cells = [known[n].get("held out", {}).get("curves", {}).get(curve) for n in names]
        curves.append((curve, [None if c is None else f"{c['r']:.2f} / {c['slope']:.2f}" for c in cells]))
    out += ["", "r / slope of single curves on the same pictures:", *tables("curve", words, curves)]
    actions = list(dict.fromkeys(a for n in names for a in known[n].get("single actions", {})))
    single = [(a, row("single actions", "read", a)[1]) for a in actions]
    rest = ("everything else, mean of the actions", [_rest(known[n]) for n in names])
    out += [
        "",
        f"**Single actions at full strength** ({about['single pictures']} pictures): the weight read where 1 is true, "
        "and the sum of all weights read that are 0.",
        *tables("action", words, [*single, rest]),
    ]
    identity = [(f"identity: {k}", row("portraits", k, "identity")[1]) for k in ("comparisons", "nearest")]
    out += [
        "",
        "**Portraits of real people**, neutral ones and the same people smiling. Identity: how often a person's two "
        "pictures are nearer to each other in shape than to another's, and for how many people the own one is nearest.",
        *tables("portraits", words, [*(row("portraits", k) for k in _PORTRAITS), *identity]),
        "",
        "**Covered faces**: real photographs of which a hand, a sheet or a ball hides 10, 25 or 40 %, against "
        "themselves without. Exaggeration is the mean size of all weights over that without the cover.",
        *tables("covered", words, [row("covers", k) for k in _COVERS]),
        "",
        "**Clips**, the whole clip at once where there is a solve; the others frame by frame.",
        *tables("interview", words, _dictionary(known, names, "interview")),
    ]
    jitter = []
    for file in CLIPS:
        for key in ("jitter", "relative", "lag"):
            jitter.append((f"{file}: {key}", row("clips", key, file)[1]))
    out += tables("jitter, jitter over the curves' spread, lag in frames", words, jitter)
    if variants:
        rows = [(name, _summary(r)) for name, r in {"as shipped": report, **variants}.items()]
        out += ["", "**What each part of the recipe is worth** (the encoder alone):"]
        out += tables("encoder", list(_ABLATION), rows)
    return [*out, "", f"Photographs: {ATTRIBUTION}.", "", END]


_ABLATION = ("pooled r", "mean r", "face mm", "error, rest", "curves above .3 a face", "browDown")


def _summary(report: Report) -> list[Any]:
    alone = report["predictors"].get("encoder", {})
    return [alone.get("held out", {}).get(k, alone.get("portraits", {}).get(k)) for k in _ABLATION]


def _brief(report: Report) -> dict[str, Any]:
    """What the page shows of a variant."""
    return dict(zip(_ABLATION, _summary(report), strict=True))


def _rest(known: Report) -> float | None:
    found = [a["everything else"] for a in known.get("single actions", {}).values()]
    return sum(found) / len(found) if found else None


def _dictionary(known: Report, names: list[str], key: str) -> list[tuple[str, list[Any]]]:
    found = [known[n].get("clips", {}).get(key, {}) for n in names]
    return [(k, [f.get(k) for f in found]) for k in dict.fromkeys(k for f in found for k in f)]


def _replaced(page: str, lines: list[str]) -> str:
    """The page with the part between the marks exchanged, or added at its end."""
    text = "\n".join(lines)
    if BEGIN in page and END in page:
        return page[: page.index(BEGIN)] + text + page[page.index(END) + len(END) :]
    return page.rstrip() + "\n\n## The encoder against everything else\n\n" + text + "\n"


def _read(path: Path) -> Report:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(report["predictors"], dict) or not isinstance(report["about"], dict):
            raise KeyError("predictors")
    except (OSError, ValueError, KeyError) as error:
        raise TrainingError(f"{path} holds no figures of the table ({error}).") from error
    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--variant", nargs="*", default=[], metavar="NAME=FILE")
    parser.add_argument("--docs", type=Path, default=DOCS)
    given = parser.parse_args(arguments)
    try:
        report = _read(given.folder / "figures.json")
        variants = {n: _read(Path(f)) for n, _, f in (v.partition("=") for v in given.variant)}
        figures = given.docs / "accuracy.json"
        whole = json.loads(figures.read_text(encoding="utf-8")) if figures.is_file() else {}
        whole["bundled"] = report | ({"variants": {n: _brief(v) for n, v in variants.items()}} if variants else {})
        page = given.docs / "accuracy.md"
        text = _replaced(page.read_text(encoding="utf-8"), section(report, variants))
        with atomic(figures) as temporary:
            temporary.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
        with atomic(page) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except (OSError, SmirkError) as error:
        print(f"page: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
