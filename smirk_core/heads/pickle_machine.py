# SPDX-License-Identifier: Apache-2.0
"""Pickles read as data: a small machine of its own for the pickle format, which can import and run nothing.

Python's own unpickler looks names up, calls what it finds and hands hostile state to real objects (a crafted state of a
NumPy dtype alone is enough to read and write memory). This machine has no such way out: a name in the file becomes a
:class:`Global` token, and a call on a token goes to our function of that name in a table, or is refused. What the
functions return are plain values, arrays, and :class:`Unfinished` ones of ours that wait for their state.

Memory and time are bounded: nothing is reserved before its bytes are there, operations are counted, and so is what the
functions make. Nothing recurses over what the file nests.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..errors import AssetError
from .pickle_opcodes import MAX_INTEGER, STEPS, Damaged, plain_key

__all__ = ["Global", "Maker", "RestrictedUnpickler", "Unfinished"]

Maker = Callable[..., Any]
_MAX_OPERATIONS = 5_000_000
_SPARE = 64 << 20  # bytes that a file may make beyond eight times its own size


class Global:
    """A name that the file refers to: ``path`` is ``module.name``; ``maker`` is called for it, None: a bare label."""

    __slots__ = ("maker", "path")

    def __init__(self, path: str, maker: Maker | None) -> None:
        self.path, self.maker = path, maker

    def __repr__(self) -> str:
        return f"<{self.path}>"


class Unfinished:
    """An object that waits for its state; :meth:`finish` returns the value that takes its place."""

    def __init__(self) -> None:
        self.memo_keys: list[int] = []

    def finish(self, state: Any) -> Any:
        """The value, from the state that the file gives (inert data). May raise any Exception for a bad state."""
        raise NotImplementedError


def _printable(text: str) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in text[:120])
    return clean + ("…" if len(text) > 120 else "")


class RestrictedUnpickler:
    """Reads one pickle.

    Args:
        data: bytes that hold the pickle, possibly followed by more.
        allowed: ``"module.name"`` -> function that is called where the file constructs or calls that name, or None for
            names that the file may mention but not call. A key ``"module.*"`` stands for everything in a package; its
            function gets the path first. Names in no such table are refused.
        what: the file, for messages.
        persistent: called with a persistent id (inert data) for its object; without it such ids are refused.
        start: where in ``data`` the pickle begins.
        max_operations: a pickle with more steps is refused.
    """

    def __init__(
        self,
        data: bytes,
        allowed: Mapping[str, Maker | None],
        *,
        what: str = "The file",
        persistent: Callable[[Any], Any] | None = None,
        start: int = 0,
        max_operations: int = _MAX_OPERATIONS,
    ) -> None:
        self.data, self._allowed, self._what, self._persistent = data, allowed, what, persistent
        self.position = start
        self._operations = max_operations
        self._budget = 8 * len(data) + _SPARE
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self._names: dict[str, Global] = {}

    def load(self) -> Any:
        """The value; ``position`` is then the first byte after the pickle.

        Raises:
            AssetError: the file is no pickle, is damaged, too large for its kind, or asks for a name that is not
                allowed (the message names it). Nothing has been executed then or otherwise.
        """
        try:
            return self._run()
        except AssetError:
            raise
        except Exception as error:  # whatever a damaged stream leads to: types, indices, encodings, numbers
            raise AssetError(f"{self._what} is not a pickle file, or it is damaged.") from error

    def _run(self) -> Any:
        data, steps = self.data, STEPS
        for _ in range(self._operations):
            code = data[self.position]
            self.position += 1
            if code == 0x2E:  # STOP
                return self.stack.pop()
            step = steps[code]
            if step is None:
                raise Damaged(f"opcode {code}")
            step(self)
        raise AssetError(f"{self._what} is too long-winded for a model file; it is not read further.")

    # What the opcodes need: first the bytes, then the stack

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        end = self.position + count
        if count < 0 or end > len(self.data):
            raise Damaged("truncated")
        part = self.data[self.position : end]
        self.position = end
        return part

    def number(self, layout: str) -> Any:
        """The next number, by its layout as for ``struct``."""
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def line(self) -> bytes:
        """The bytes up to the next end of line, which is passed over."""
        end = self.data.index(b"\n", self.position)
        part = self.data[self.position : end]
        self.position = end + 1
        return part

    def short_line(self) -> str:
        """The same as text, for numbers: no longer than :data:`MAX_INTEGER`."""
        line = self.line()
        if len(line) > MAX_INTEGER:
            raise Damaged("number too long")
        return line.decode("ascii").rstrip("\r")

    def refuse(self, path: str) -> AssetError:
        """The error for a name that is not allowed."""
        return AssetError(
            f"{self._what} is refused: it asks for {_printable(path)}, which no model file needs. Nothing was run."
        )

    def refer(self, module: Any, name: Any) -> None:
        """Push the token of a name, if the table has it."""
        if type(module) is not str or type(name) is not str:
            raise Damaged("name")
        path = f"{module}.{name}"
        token = self._names.get(path)
        if token is None:
            package = module.split(".", 1)[0] + ".*"
            if path in self._allowed:
                token = Global(path, self._allowed[path])
            elif package in self._allowed and (maker := self._allowed[package]) is not None:
                token = Global(path, partial(maker, path))
            else:
                raise self.refuse(path)
            self._names[path] = token
        self.stack.append(token)

    def call(self, function: Any, arguments: Any) -> Any:
        """What the table makes for a token and its arguments."""
        if type(function) is not Global or type(arguments) is not tuple:
            raise Damaged("call")
        if function.maker is None:
            raise self.refuse(f"a call of {function.path}")
        value = function.maker(*arguments)
        self._charge(value)
        return value

    def _charge(self, value: Any) -> None:
        size = getattr(value, "nbytes", None)
        if size is None:
            size = 16 * len(value) if isinstance(value, (str, bytes, list, tuple, dict, set, frozenset)) else 64
        self._budget -= int(size)
        if self._budget < 0:
            raise AssetError(f"{self._what} unfolds to far more than its own size; it is not read further.")

    def marked(self) -> list[Any]:
        """What was pushed since the last mark; the stack is then the one before it."""
        items = self.stack
        self.stack = self.outer.pop()
        return items

    def remember(self, key: int) -> None:
        """Note the top of the stack in the memo."""
        value = self.stack[-1]
        if isinstance(value, Unfinished):
            value.memo_keys.append(key)
        self.memo[key] = value

    def fill(self, target: Any, pairs: list[Any]) -> None:
        """Put keys and values, one after the other in ``pairs``, into a dictionary."""
        if type(target) is not dict or len(pairs) % 2:
            raise Damaged("items")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            target[plain_key(key)] = value

    def build(self) -> None:
        """Give the object below its state, and put what it becomes in its place."""
        state = self.stack.pop()
        value = self.stack[-1]
        if isinstance(value, Unfinished):
            finished = value.finish(state)
            self._charge(finished)
            self.stack[-1] = finished
            for key in value.memo_keys:
                self.memo[key] = finished
        elif type(value) is not dict:  # an ordered dict may carry attributes, which say nothing here
            raise Damaged("state")

    def persist(self, identifier: Any) -> None:
        """Push the object that an id outside the pickle stands for."""
        if self._persistent is None:
            raise self.refuse("an object outside the file (a persistent id)")
        self.stack.append(self._persistent(identifier))
