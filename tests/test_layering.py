# SPDX-License-Identifier: Apache-2.0
"""Who may import whom. The arrows of the design, held by the syntax trees; and what a bare import may cost."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "mediapipe", "bpy", "av", "cv2", "scipy", "skimage", "onnxruntime", "anny")

# room -> the rooms of smirk_core that it may import, beside itself. Nothing points back.
BASE = {"errors", "progress"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "progress": {"errors"},
    "safe_npz": set(),
    "asset_catalog": set(),
    "user_assets": BASE | {"asset_catalog"},
    "heads": BASE | {"safe_npz", "user_assets"},
    "take": BASE | {"heads", "safe_npz"},
    "encoder": BASE | {"heads", "user_assets"},
    "asset_import": BASE | {"heads", "encoder", "export", "user_assets", "asset_catalog"},
    "importers": BASE | {"heads", "take", "encoder", "safe_npz"},
    "retarget": BASE | {"heads", "take"},
    "refine": BASE | {"heads", "take"},
    "tracking": BASE | {"heads", "take", "encoder", "refine", "user_assets"},
    "rendering": BASE | {"heads", "take", "tracking", "safe_npz"},
    "groom": BASE | {"heads", "safe_npz"},
    "skin": BASE | {"heads", "rendering"},
    "neural": BASE | {"heads", "rendering", "encoder"},
    "detail": BASE | {"heads", "take", "tracking", "rendering", "export", "safe_npz"},
    "export": BASE | {"heads", "take", "retarget"},
    "compare": BASE | {"heads", "take", "export"},
    "commands": BASE
    | {"heads", "take", "refine", "tracking", "export", "rendering", "retarget", "doctor", "demo"}
    | {"importers", "user_assets", "asset_import", "encoder", "detail"},
    "demo": BASE | {"heads", "take", "tracking", "export", "rendering", "commands", "compare"},
    "doctor": BASE | {"user_assets", "heads", "take", "tracking", "demo", "encoder"},
    "worker": BASE | {"take", "tracking", "export", "commands"},
    "cli": BASE | {"commands"},
    "__main__": {"cli"},
    "__init__": {"heads", "take", "tracking"},
}
# package -> the only rooms that may name it, and those only inside functions (see below).
ALLOWED_PACKAGES: dict[str, set[str]] = {
    "torch": {"neural", "encoder", "rendering"},
    "mediapipe": {"tracking"},
    "anny": {"heads"},
    "skimage": {"demo"},
}
# The torch side of a room: imported by those who ask for torch, never on the way to inference without it.
TORCH_FILES = {"backbone.py", "smirk_encoder.py", "torch_engine.py", "lit_shading.py"}
AT_MODULE_LEVEL_NEVER = ("torch", "mediapipe", "anny", "bpy", "onnxruntime")


def modules() -> list[Path]:
    return sorted((ROOT / "smirk_core").rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(ROOT / "smirk_core").parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> list[tuple[str, int]]:
    """Absolute dotted names of everything that a file imports, with line numbers."""
    package = list(path.relative_to(ROOT).parent.parts)
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            # ``from . import x`` names modules, not things in one
            found += [(f"{name}.{a.name}" if node.module is None else name, node.lineno) for a in node.names]
    return found


def test_there_is_something_to_check():
    rooms = {room_of(p) for p in modules()}
    assert {"heads", "take", "tracking", "export", "cli", "rendering"} <= rooms
    assert rooms <= set(ALLOWED), f"rooms without a rule: {sorted(rooms - set(ALLOWED))}"


def test_the_rules_have_no_circle_but_the_front_door():
    """Following the arrows never leads back; doctor and demo are commands in files of their own."""
    ends = {"commands", "doctor", "demo"}
    seen: dict[str, int] = {}

    def visit(room: str, path: tuple[str, ...]) -> None:
        assert room not in path, " -> ".join((*path, room))
        if room in seen:
            return
        for other in ALLOWED[room] - (ends if room in ends else set()):
            visit(other, (*path, room))
        seen[room] = 1

    for room in ALLOWED:
        visit(room, ())


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_arrows(path):
    room = room_of(path)
    for name, line in imports(path):
        parts = name.split(".")
        if parts[0] == "smirk_core":
            target = parts[1] if len(parts) > 1 else "__init__"
            if target in ("__version__", "__init__"):
                continue
            assert target == room or target in ALLOWED[room], f"{path}:{line} {room} must not import {target}"
        assert parts[0] not in ("bpy", "blender_smirk", "training"), f"{path}:{line} imports {name}"
        if parts[0] in ALLOWED_PACKAGES:
            assert room in ALLOWED_PACKAGES[parts[0]], f"{path}:{line} {room} must not import {parts[0]}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_heavy_packages_are_imported_where_they_are_used(path):
    """Outside functions torch, MediaPipe and the like are named nowhere but in the rooms that are made of them."""
    if room_of(path) == "neural" or (room_of(path) in ("encoder", "rendering") and path.name in TORCH_FILES):
        return
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        for name in names:
            assert name.split(".")[0] not in AT_MODULE_LEVEL_NEVER, f"{path}:{node.lineno} imports {name}"


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import smirk_core",
        "from smirk_core import Take, load_head",
        "from smirk_core.cli import parser; parser()",
        "import smirk_core.export.csv, smirk_core.heads.decode, smirk_core.refine.layers",
        "import smirk_core.worker",
    ],
)
def test_cheap_imports_load_nothing_heavy(statement):
    assert loaded_after(statement) == set()


def test_the_public_door_to_tracking_needs_no_torch_and_no_blender():
    assert not loaded_after("from smirk_core import track") & {"torch", "bpy", "mediapipe", "skimage", "anny"}


@pytest.mark.parametrize("path", sorted((ROOT / "blender_smirk").rglob("*.py")), ids=lambda p: p.name)
def test_blender_side_needs_neither_torch_nor_mediapipe(path):
    for name, line in imports(path):
        assert name.split(".")[0] not in ("torch", "mediapipe", "anny", "cv2"), f"{path}:{line} imports {name}"


LICENCES = dict.fromkeys(("smirk_core", "training", "tests", "benchmarks", "release"), "Apache-2.0")


@pytest.mark.parametrize("folder", [*LICENCES, "blender_smirk"])
def test_every_file_names_its_licence(folder):
    wanted = LICENCES.get(folder, "GPL-3.0-or-later")
    wrong = [
        str(p.relative_to(ROOT))
        for p in (ROOT / folder).rglob("*.py")
        if p.stat().st_size and not p.read_text(encoding="utf-8").startswith(f"# SPDX-License-Identifier: {wanted}\n")
    ]
    assert not wrong
