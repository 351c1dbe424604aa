# SPDX-License-Identifier: Apache-2.0
"""One table of all predictors over all parts, printed and written as JSON.

    python -m benchmarks.bundled.table FOLDER [--encoder FILE|bundled|none] [--predictors NAME ...] [--fresh NAME ...]

FOLDER holds the set that ``benchmarks.bundled.held_out`` drew; figures go to FOLDER/figures.json, one entry for each
predictor. Those that are there are kept and printed again: only the ones that are asked for and missing, named in
``--fresh``, or that use another encoder than before are measured.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from smirk_core.encoder.runtime import load_encoder
from smirk_core.errors import SmirkError
from smirk_core.export.atomic import atomic
from smirk_core.heads.library import load_head

from . import measure
from .held_out import load_held_out
from .measure import Row, Yard
from .predictors import PREDICTORS, WORDS, Predictors

__all__ = ["PARTS", "lines", "main", "run"]

PARTS: dict[str, Callable[[Yard, Predictors, str], Row]] = {
    "held out": measure.held_out,
    "single actions": measure.single_actions,
    "portraits": measure.portraits,
    "covers": measure.covers,
    "clips": measure.clips,
    "identity given": measure.identity_given,
}
_NEEDS_ENCODER = ("encoder", "both")


def run(yard: Yard, predictors: Predictors, name: str, parts: list[str]) -> Iterator[tuple[str, Row]]:
    """Figures of a predictor, part by part as they are ready."""
    for part in parts:
        start = time.perf_counter()
        yield part, _known(PARTS[part](yard, predictors, name))
        print(f"  {WORDS[name]}: {part} in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)


def _known(value: Any) -> Any:
    """Figures that cannot be told are null: JSON has no NaN."""
    if isinstance(value, dict):
        return {k: _known(v) for k, v in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _report(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"predictors": {}}


def _save(path: Path, predictors: dict[str, Any], **more: dict[str, Any]) -> dict[str, Any]:
    """Put figures of some predictors into the file, beside what other runs have written there meanwhile."""
    report = _report(path)
    report["predictors"].update(predictors)
    for name, values in more.items():
        report[name] = report.get(name, {}) | values
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return report


def _number(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"{value[0]:.3f} ({value[1]:.3f}–{value[2]:.3f})"
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def lines(report: dict[str, Any], names: list[str]) -> list[str]:
    """The table as Markdown: a row for each figure, a column for each predictor."""
    chosen = [n for n in names if n in report["predictors"]]
    out = []

    def block(title: str, get: Callable[[dict[str, Row]], Row | None]) -> None:
        found = {n: get(report["predictors"][n]) or {} for n in chosen}
        keys = list(dict.fromkeys(k for row in found.values() for k, v in row.items() if not isinstance(v, dict)))
        if keys:
            out.extend(
                ["", f"| {title} | " + " | ".join(WORDS[n] for n in chosen) + " |", "|---" * (len(chosen) + 1) + "|"]
            )
            out.extend(f"| {k} | " + " | ".join(_number(found[n].get(k, "")) for n in chosen) + " |" for k in keys)

    block("held-out people", lambda p: p.get("held out"))
    block("identity given to the solve", lambda p: p.get("identity given"))
    for pair, apart in report.get("compared", {}).items():
        out.append(f"\npooled r, {pair}: {_number(apart)}")
    block("single action at full strength", lambda p: {k: v["read"] for k, v in p.get("single actions", {}).items()})
    block("portraits", lambda p: p.get("portraits"))
    block("identity of a pair", lambda p: p.get("portraits", {}).get("identity"))
    block("covered faces", lambda p: p.get("covers"))
    block("interview", lambda p: p.get("clips", {}).get("interview"))
    for file in measure.CLIPS:
        block(file, lambda p, f=file: p.get("clips", {}).get(f))
    return out


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", default="none", help="a file, bundled, or none")
    parser.add_argument("--predictors", nargs="*", choices=PREDICTORS, default=list(PREDICTORS))
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--fresh", nargs="*", choices=PREDICTORS, default=[], help="measure again")
    parser.add_argument("--faces", type=Path, default=Path("../shared/faces"))
    parser.add_argument("--media", type=Path, default=Path("../shared/media"))
    parser.add_argument("-o", "--output", type=Path, help="figures, instead of FOLDER/figures.json")
    given = parser.parse_args(arguments)
    try:
        model = load_head("open")
        encoder = None if given.encoder == "none" else load_encoder(given.encoder, "cpu", model)
        path = given.output or given.folder / "figures.json"
        report = _report(path)
        names = [n for n in given.predictors if encoder is not None or n not in _NEEDS_ENCODER]
        yard = Yard(model, load_held_out(given.folder, model), given.folder, given.faces, given.media)
        predictors = Predictors(model, encoder, given.media / "face_landmarker.task")
        parts = [p for p in given.parts if _can(p, given.faces, given.media)]
        for name in names:
            known = report["predictors"].get(name, {})
            mark = encoder.digest[:12] if encoder is not None and name in _NEEDS_ENCODER else ""
            if name in given.fresh or known.get("encoder", "") != mark:
                known = {}
            yard.fresh = name in given.fresh
            for part, row in run(yard, predictors, name, [p for p in parts if p not in known]):
                known = known | {part: row, "encoder": mark}
                _save(path, {name: known})
        yard.fresh = False
        truth = yard.truth
        about = {
            "random pictures": len(yard.random),
            "single pictures": len(truth) - len(yard.random),
            "people": len(set(truth.person.tolist())),
            "head that drew": truth.head[:12],
            "head that read": model.digest[:12],
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "date": time.strftime("%Y-%m-%d"),
            "encoder": "none" if encoder is None else f"{encoder.name} {encoder.digest[:12]}",
        }
        report = _save(path, {}, compared=measure.compared(yard, predictors), about=about)
    except SmirkError as error:
        print(f"table: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines(report, given.predictors)))
    return 0


def _can(part: str, faces: Path, media: Path) -> bool:
    """Whether a part's inputs are there; its absence is said."""
    needed = {"portraits": faces / "index.csv", "covers": faces / "index.csv", "clips": media / measure.CLIPS[0]}
    there = part not in needed or needed[part].is_file()
    if not there:
        print(f"table: {part} are left out, {needed[part]} is missing", file=sys.stderr)
    return there


if __name__ == "__main__":
    sys.exit(main())
