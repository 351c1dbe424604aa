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

import codecs
import struct
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..errors import AssetError

__all__ = ["Global", "Maker", "RestrictedUnpickler", "Unfinished", "plain_key"]

Maker = Callable[..., Any]
_MAX_OPERATIONS = 5_000_000
_SPARE = 64 << 20  # bytes that a file may make beyond eight times its own size
_MAX_INTEGER = 1024  # bytes or digits of one number
_PLAIN_KEYS = (str, bytes, bool, int, float, type(None))


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


class _Damaged(Exception):
    """The stream does not follow the format."""


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
        self._data, self._allowed, self._what, self._persistent = data, allowed, what, persistent
        self.position = start
        self._operations = max_operations
        self._budget = 8 * len(data) + _SPARE
        self._stack: list[Any] = []
        self._outer: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
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
        data, steps = self._data, _STEPS
        for _ in range(self._operations):
            code = data[self.position]
            self.position += 1
            if code == 0x2E:  # STOP
                return self._stack.pop()
            step = steps[code]
            if step is None:
                raise _Damaged(f"opcode {code}")
            step(self)
        raise AssetError(f"{self._what} is too long-winded for a model file; it is not read further.")

    # Reading

    def _take(self, count: int) -> bytes:
        end = self.position + count
        if count < 0 or end > len(self._data):
            raise _Damaged("truncated")
        part = self._data[self.position : end]
        self.position = end
        return part

    def _number(self, layout: str) -> Any:
        return struct.unpack(layout, self._take(struct.calcsize(layout)))[0]

    def _line(self) -> bytes:
        end = self._data.index(b"\n", self.position)
        part = self._data[self.position : end]
        self.position = end + 1
        return part

    def _short_line(self) -> str:
        line = self._line()
        if len(line) > _MAX_INTEGER:
            raise _Damaged("number too long")
        return line.decode("ascii").rstrip("\r")

    # Names and calls

    def refuse(self, path: str) -> AssetError:
        """The error for a name that is not allowed."""
        return AssetError(
            f"{self._what} is refused: it asks for {_printable(path)}, which no model file needs. Nothing was run."
        )

    def _global(self, module: Any, name: Any) -> None:
        if type(module) is not str or type(name) is not str:
            raise _Damaged("name")
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
        self._stack.append(token)

    def call(self, function: Any, arguments: Any) -> Any:
        """What the table makes for a token and its arguments."""
        if type(function) is not Global or type(arguments) is not tuple:
            raise _Damaged("call")
        if function.maker is None:
            raise self.refuse(f"a call of {function.path}")
        value = function.maker(*arguments)
        self._charge(value)
        return value

    def _charge(self, value: Any) -> None:
        size = getattr(value, "nbytes", None)
        if size is None:
            size = (
                16 * len(value) if isinstance(value, (str, bytes, bytearray, list, tuple, dict, set, frozenset)) else 64
            )
        self._budget -= int(size)
        if self._budget < 0:
            raise AssetError(f"{self._what} unfolds to far more than its own size; it is not read further.")

    def _marked(self) -> list[Any]:
        items = self._stack
        self._stack = self._outer.pop()
        return items

    def _remember(self, key: int) -> None:
        value = self._stack[-1]
        if isinstance(value, Unfinished):
            value.memo_keys.append(key)
        self._memo[key] = value

    def _fill(self, target: Any, pairs: list[Any]) -> None:
        if type(target) is not dict or len(pairs) % 2:
            raise _Damaged("items")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            target[plain_key(key)] = value

    def _build(self) -> None:
        state = self._stack.pop()
        value = self._stack[-1]
        if isinstance(value, Unfinished):
            finished = value.finish(state)
            self._charge(finished)
            self._stack[-1] = finished
            for key in value.memo_keys:
                self._memo[key] = finished
        elif type(value) is not dict:  # an ordered dict may carry attributes, which say nothing here
            raise _Damaged("state")

    def _persist(self, identifier: Any) -> None:
        if self._persistent is None:
            raise self.refuse("an object outside the file (a persistent id)")
        self._stack.append(self._persistent(identifier))


def plain_key(value: Any) -> Any:
    """A key as it is: deep tuples could overflow the stack and crafted numbers slow a dictionary down."""
    if not isinstance(value, _PLAIN_KEYS) or (type(value) is int and abs(value) >= 1 << 60):
        raise _Damaged("key")
    return value


def _integer(text: str) -> int | bool:
    return {"00": False, "01": True}[text] if text in ("00", "01") else int(text)


def _latin(raw: bytes) -> str:
    return raw.decode("latin1")


def _quoted(machine: RestrictedUnpickler) -> str:
    line = machine._line().rstrip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise _Damaged("string")
    return _latin(codecs.escape_decode(line[1:-1])[0])


def _utf(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _long(raw: bytes) -> int:
    if len(raw) > _MAX_INTEGER:
        raise _Damaged("number too long")
    return int.from_bytes(raw, "little", signed=True)


Machine = RestrictedUnpickler
_STEPS: list[Callable[[Machine], None] | None] = [None] * 256


def _step(code: bytes) -> Callable[[Callable[[Machine], None]], Callable[[Machine], None]]:
    def note(function: Callable[[Machine], None]) -> Callable[[Machine], None]:
        _STEPS[code[0]] = function
        return function

    return note


def _pushing(code: bytes, value: Callable[[Machine], Any]) -> None:
    """An opcode that does nothing but push a value."""

    def push(m: Machine) -> None:
        made = value(m)  # first: closing a mark changes the stack
        m._stack.append(made)

    _STEPS[code[0]] = push


_pushing(b"N", lambda m: None)
_pushing(b"\x88", lambda m: True)
_pushing(b"\x89", lambda m: False)
_pushing(b"]", lambda m: [])
_pushing(b"}", lambda m: {})
_pushing(b")", lambda m: ())
_pushing(b"\x8f", lambda m: set())
_pushing(b"I", lambda m: _integer(m._short_line()))
_pushing(b"L", lambda m: int(m._short_line().rstrip("Ll")))
_pushing(b"F", lambda m: float(m._short_line()))
_pushing(b"J", lambda m: m._number("<i"))
_pushing(b"K", lambda m: m._number("<B"))
_pushing(b"M", lambda m: m._number("<H"))
_pushing(b"G", lambda m: m._number(">d"))
_pushing(b"\x8a", lambda m: _long(m._take(m._number("<B"))))
_pushing(b"\x8b", lambda m: _long(m._take(m._number("<i"))))
_pushing(b"S", _quoted)
_pushing(b"T", lambda m: _latin(m._take(m._number("<i"))))
_pushing(b"U", lambda m: _latin(m._take(m._number("<B"))))
_pushing(b"V", lambda m: m._line().decode("raw-unicode-escape"))
_pushing(b"X", lambda m: _utf(m._take(m._number("<I"))))
_pushing(b"\x8c", lambda m: _utf(m._take(m._number("<B"))))
_pushing(b"\x8d", lambda m: _utf(m._take(m._number("<Q"))))
_pushing(b"B", lambda m: m._take(m._number("<I")))
_pushing(b"C", lambda m: m._take(m._number("<B")))
_pushing(b"\x8e", lambda m: m._take(m._number("<Q")))
_pushing(b"\x96", lambda m: m._take(m._number("<Q")))  # a bytearray; bytes serve the same
_pushing(b"2", lambda m: m._stack[-1])
_pushing(b"g", lambda m: m._memo[int(m._short_line())])
_pushing(b"h", lambda m: m._memo[m._number("<B")])
_pushing(b"j", lambda m: m._memo[m._number("<I")])
_pushing(b"t", lambda m: tuple(m._marked()))
_pushing(b"l", lambda m: m._marked())
_pushing(b"\x91", lambda m: frozenset(map(plain_key, m._marked())))
_pushing(b"\x85", lambda m: (m._stack.pop(),))
_pushing(b"R", lambda m: _reduce(m))
_pushing(b"\x81", lambda m: _reduce(m))  # NEWOBJ constructs a class, which here is the same


def _reduce(m: Machine) -> Any:
    arguments = m._stack.pop()
    return m.call(m._stack.pop(), arguments)


@_step(b"\x80")
def _protocol(m: Machine) -> None:
    if m._number("<B") > 5:
        raise _Damaged("protocol")


@_step(b"\x95")
def _frame(m: Machine) -> None:
    if m._number("<Q") > len(m._data) - m.position:
        raise _Damaged("frame")


@_step(b"(")
def _mark(m: Machine) -> None:
    m._outer.append(m._stack)
    m._stack = []


@_step(b"0")
def _pop(m: Machine) -> None:
    if m._stack:
        m._stack.pop()
    else:
        m._marked()


@_step(b"1")
def _pop_mark(m: Machine) -> None:
    m._marked()


@_step(b"\x86")
def _pair(m: Machine) -> None:
    m._stack[-2:] = [(m._stack[-2], m._stack[-1])]


@_step(b"\x87")
def _triple(m: Machine) -> None:
    m._stack[-3:] = [(m._stack[-3], m._stack[-2], m._stack[-1])]


@_step(b"d")
def _dict(m: Machine) -> None:
    pairs, made = m._marked(), {}
    m._fill(made, pairs)
    m._stack.append(made)


@_step(b"a")
def _append(m: Machine) -> None:
    value = m._stack.pop()
    _extend(m, [value])


@_step(b"e")
def _appends(m: Machine) -> None:
    _extend(m, m._marked())


def _extend(m: Machine, values: list[Any]) -> None:
    if type(m._stack[-1]) is not list:
        raise _Damaged("append")
    m._stack[-1].extend(values)


@_step(b"s")
def _set_item(m: Machine) -> None:
    value, key = m._stack.pop(), m._stack.pop()
    m._fill(m._stack[-1], [key, value])


@_step(b"u")
def _set_items(m: Machine) -> None:
    pairs = m._marked()
    m._fill(m._stack[-1], pairs)


@_step(b"\x90")
def _add_items(m: Machine) -> None:
    values = m._marked()
    if type(m._stack[-1]) is not set:
        raise _Damaged("set")
    m._stack[-1].update(map(plain_key, values))


@_step(b"p")
def _put(m: Machine) -> None:
    m._remember(int(m._short_line()))


@_step(b"q")
def _binput(m: Machine) -> None:
    m._remember(m._number("<B"))


@_step(b"r")
def _long_binput(m: Machine) -> None:
    m._remember(m._number("<I"))


@_step(b"\x94")
def _memoize(m: Machine) -> None:
    m._remember(len(m._memo))


@_step(b"c")
def _global_line(m: Machine) -> None:
    module = m._line().decode("utf-8")
    m._global(module, m._line().decode("utf-8"))


@_step(b"\x93")
def _stack_global(m: Machine) -> None:
    name = m._stack.pop()
    m._global(m._stack.pop(), name)


@_step(b"i")
def _inst(m: Machine) -> None:
    arguments = tuple(m._marked())
    _global_line(m)
    m._stack.append(m.call(m._stack.pop(), arguments))


@_step(b"o")
def _obj(m: Machine) -> None:
    function, *arguments = m._marked()
    m._stack.append(m.call(function, tuple(arguments)))


@_step(b"\x92")
def _new_with_keywords(m: Machine) -> None:
    if m._stack.pop():
        raise _Damaged("keywords")
    m._stack.append(_reduce(m))


@_step(b"b")
def _build(m: Machine) -> None:
    m._build()


@_step(b"P")
def _persistent_line(m: Machine) -> None:
    m._persist(m._line().decode("ascii"))


@_step(b"Q")
def _persistent(m: Machine) -> None:
    m._persist(m._stack.pop())


def _extension(m: Machine, layout: str) -> None:
    raise m.refuse(f"number {m._number(layout)} of Python's extension registry")


_STEPS[0x82] = partial(_extension, layout="<B")
_STEPS[0x83] = partial(_extension, layout="<H")
_STEPS[0x84] = partial(_extension, layout="<i")


@_step(b"\x97")
def _outside_buffer(m: Machine) -> None:
    raise m.refuse("a buffer outside the file")


@_step(b"\x98")
def _read_only(m: Machine) -> None:
    if not m._stack:
        raise _Damaged("buffer")
