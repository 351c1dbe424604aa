# SPDX-License-Identifier: Apache-2.0
"""Opens hostile files in a process of its own, with little memory, and counts what happens; prints JSON.

``runner.py mutated LIST COUNT`` opens COUNT damaged copies of each good file, ``runner.py made LIST`` opens files as
they are. LIST has lines of "KIND<tab>PATH".
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hostile.mutations import mutate
from hostile.samples import OPENERS
from smirk_core.errors import SmirkError

MEMORY = 4 << 30  # bytes of address space, libraries included
# What no reader of files has any reason to do.
_RUNS = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "os.startfile", "subprocess.Popen", "socket.connect",
         "pickle.find_class", "ctypes.dlopen", "shutil.rmtree", "webbrowser.open")  # fmt: skip
_executed: list[str] = []
_watching = False


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and event in _RUNS:
        _executed.append(f"{event} {arguments!r:.80}")


def watch() -> None:
    """Begin to count; for the rest of the process."""
    import numpy.testing  # asks a program what processor this is, once  # noqa: F401

    sys.addaudithook(_audit)


def _bound() -> None:
    try:
        import resource
    except ImportError:  # Windows: the counts still hold, the bound is not tested there
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _mutated(kind: str, good: Path, count: int, folder: Path) -> Iterator[tuple[str, Path]]:
    content = good.read_bytes()
    path = folder / f"hostile{''.join(good.suffixes)}"
    for seed in range(count):
        path.write_bytes(mutate(content, seed))
        yield kind, path


def open_all(files: Iterable[tuple[str, Path]]) -> dict[str, object]:
    """Open every file as its kind is opened; what was refused, what was read, what went wrong, what was executed."""
    global _watching
    refused, read, slowest, wrong = 0, 0, 0.0, []
    _executed.clear()
    for number, (kind, path) in enumerate(files):
        began = time.perf_counter()
        _watching = True
        try:
            OPENERS[kind](path)
            read += 1
        except SmirkError as error:
            refused += 1
            if "\n" in str(error) or not str(error):
                wrong.append(f"{kind} {number}: not one line: {error!r:.200}")
        except BaseException:
            wrong.append(f"{kind} {number} {path.name}: {traceback.format_exc()[-1200:]}")
        finally:
            _watching = False
        slowest = max(slowest, time.perf_counter() - began)
    return {"refused": refused, "read": read, "wrong": wrong, "executed": [*_executed], "slowest_s": round(slowest, 3)}


def main(arguments: list[str]) -> None:
    _bound()
    watch()
    lines = Path(arguments[1]).read_text(encoding="utf-8").splitlines()
    listed = [(kind, Path(path)) for kind, path in (line.split("\t") for line in lines)]
    if arguments[0] == "made":
        results = {"made": open_all(listed)}
    else:
        with tempfile.TemporaryDirectory() as folder:
            count = int(arguments[2])
            results = {kind: open_all(_mutated(kind, good, count, Path(folder))) for kind, good in listed}
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
