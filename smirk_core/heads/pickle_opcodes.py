# SPDX-License-Identifier: Apache-2.0
"""The opcodes of the pickle format, protocols 0 to 5 (Python's ``pickletools`` documents them), for the machine."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .pickle_machine import RestrictedUnpickler as Machine

__all__ = ["MAX_INTEGER", "STEPS", "Damaged", "plain_key"]

MAX_INTEGER = 1024  # bytes or digits of one number
_KEYS = (str, bytes, bool, int, float, type(None))


class Damaged(Exception):
    """The stream does not follow the format."""


def plain_key(value: Any) -> Any:
    """A key as it is: deep tuples could overflow the stack and crafted numbers slow a dictionary down."""
    if not isinstance(value, _KEYS) or (type(value) is int and abs(value) >= 1 << 60):
        raise Damaged("key")
    return value


def _integer(text: str) -> int | bool:
    return {"00": False, "01": True}[text] if text in ("00", "01") else int(text)


def _latin(raw: bytes) -> str:
    return raw.decode("latin1")


def _quoted(machine: Machine) -> str:
    line = machine.line().rstrip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise Damaged("string")
    return _latin(codecs.escape_decode(line[1:-1])[0])


def _utf(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _long(raw: bytes) -> int:
    if len(raw) > MAX_INTEGER:
        raise Damaged("number too long")
    return int.from_bytes(raw, "little", signed=True)


STEPS: list[Callable[[Machine], None] | None] = [None] * 256


def _step(code: bytes) -> Callable[[Callable[[Machine], None]], Callable[[Machine], None]]:
    def note(function: Callable[[Machine], None]) -> Callable[[Machine], None]:
        STEPS[code[0]] = function
        return function

    return note


def _pushing(code: bytes, value: Callable[[Machine], Any]) -> None:
    """An opcode that does nothing but push a value."""

    def push(m: Machine) -> None:
        made = value(m)  # first: closing a mark changes the stack
        m.stack.append(made)

    STEPS[code[0]] = push


_pushing(b"N", lambda m: None)
_pushing(b"\x88", lambda m: True)
_pushing(b"\x89", lambda m: False)
_pushing(b"]", lambda m: [])
_pushing(b"}", lambda m: {})
_pushing(b")", lambda m: ())
_pushing(b"\x8f", lambda m: set())
_pushing(b"I", lambda m: _integer(m.short_line()))
_pushing(b"L", lambda m: int(m.short_line().rstrip("Ll")))
_pushing(b"F", lambda m: float(m.short_line()))
_pushing(b"J", lambda m: m.number("<i"))
_pushing(b"K", lambda m: m.number("<B"))
_pushing(b"M", lambda m: m.number("<H"))
_pushing(b"G", lambda m: m.number(">d"))
_pushing(b"\x8a", lambda m: _long(m.take(m.number("<B"))))
_pushing(b"\x8b", lambda m: _long(m.take(m.number("<i"))))
_pushing(b"S", _quoted)
_pushing(b"T", lambda m: _latin(m.take(m.number("<i"))))
_pushing(b"U", lambda m: _latin(m.take(m.number("<B"))))
_pushing(b"V", lambda m: m.line().decode("raw-unicode-escape"))
_pushing(b"X", lambda m: _utf(m.take(m.number("<I"))))
_pushing(b"\x8c", lambda m: _utf(m.take(m.number("<B"))))
_pushing(b"\x8d", lambda m: _utf(m.take(m.number("<Q"))))
_pushing(b"B", lambda m: m.take(m.number("<I")))
_pushing(b"C", lambda m: m.take(m.number("<B")))
_pushing(b"\x8e", lambda m: m.take(m.number("<Q")))
_pushing(b"\x96", lambda m: m.take(m.number("<Q")))  # a bytearray; bytes serve the same
_pushing(b"2", lambda m: m.stack[-1])
_pushing(b"g", lambda m: m.memo[int(m.short_line())])
_pushing(b"h", lambda m: m.memo[m.number("<B")])
_pushing(b"j", lambda m: m.memo[m.number("<I")])
_pushing(b"t", lambda m: tuple(m.marked()))
_pushing(b"l", lambda m: m.marked())
_pushing(b"\x91", lambda m: frozenset(map(plain_key, m.marked())))
_pushing(b"\x85", lambda m: (m.stack.pop(),))
_pushing(b"R", lambda m: _reduce(m))
_pushing(b"\x81", lambda m: _reduce(m))  # NEWOBJ constructs a class, which here is the same


def _reduce(m: Machine) -> Any:
    arguments = m.stack.pop()
    return m.call(m.stack.pop(), arguments)


@_step(b"\x80")
def _protocol(m: Machine) -> None:
    if m.number("<B") > 5:
        raise Damaged("protocol")


@_step(b"\x95")
def _frame(m: Machine) -> None:
    if m.number("<Q") > len(m.data) - m.position:
        raise Damaged("frame")


@_step(b"(")
def _mark(m: Machine) -> None:
    m.outer.append(m.stack)
    m.stack = []


@_step(b"0")
def _pop(m: Machine) -> None:
    if m.stack:
        m.stack.pop()
    else:
        m.marked()


@_step(b"1")
def _pop_mark(m: Machine) -> None:
    m.marked()


@_step(b"\x86")
def _pair(m: Machine) -> None:
    m.stack[-2:] = [(m.stack[-2], m.stack[-1])]


@_step(b"\x87")
def _triple(m: Machine) -> None:
    m.stack[-3:] = [(m.stack[-3], m.stack[-2], m.stack[-1])]


@_step(b"d")
def _dict(m: Machine) -> None:
    pairs, made = m.marked(), {}
    m.fill(made, pairs)
    m.stack.append(made)


@_step(b"a")
def _append(m: Machine) -> None:
    value = m.stack.pop()
    _extend(m, [value])


@_step(b"e")
def _appends(m: Machine) -> None:
    _extend(m, m.marked())


def _extend(m: Machine, values: list[Any]) -> None:
    if type(m.stack[-1]) is not list:
        raise Damaged("append")
    m.stack[-1].extend(values)


@_step(b"s")
def _set_item(m: Machine) -> None:
    value, key = m.stack.pop(), m.stack.pop()
    m.fill(m.stack[-1], [key, value])


@_step(b"u")
def _set_items(m: Machine) -> None:
    pairs = m.marked()
    m.fill(m.stack[-1], pairs)


@_step(b"\x90")
def _add_items(m: Machine) -> None:
    values = m.marked()
    if type(m.stack[-1]) is not set:
        raise Damaged("set")
    m.stack[-1].update(map(plain_key, values))


@_step(b"p")
def _put(m: Machine) -> None:
    m.remember(int(m.short_line()))


@_step(b"q")
def _binput(m: Machine) -> None:
    m.remember(m.number("<B"))


@_step(b"r")
def _long_binput(m: Machine) -> None:
    m.remember(m.number("<I"))


@_step(b"\x94")
def _memoize(m: Machine) -> None:
    m.remember(len(m.memo))


@_step(b"c")
def _global_line(m: Machine) -> None:
    module = m.line().decode("utf-8")
    m.refer(module, m.line().decode("utf-8"))


@_step(b"\x93")
def _stack_global(m: Machine) -> None:
    name = m.stack.pop()
    m.refer(m.stack.pop(), name)


@_step(b"i")
def _inst(m: Machine) -> None:
    arguments = tuple(m.marked())
    _global_line(m)
    m.stack.append(m.call(m.stack.pop(), arguments))


@_step(b"o")
def _obj(m: Machine) -> None:
    function, *arguments = m.marked()
    m.stack.append(m.call(function, tuple(arguments)))


@_step(b"\x92")
def _new_with_keywords(m: Machine) -> None:
    if m.stack.pop():
        raise Damaged("keywords")
    m.stack.append(_reduce(m))


@_step(b"b")
def _build(m: Machine) -> None:
    m.build()


@_step(b"P")
def _persistent_line(m: Machine) -> None:
    m.persist(m.line().decode("ascii"))


@_step(b"Q")
def _persistent(m: Machine) -> None:
    m.persist(m.stack.pop())


def _extension(m: Machine, layout: str) -> None:
    raise m.refuse(f"number {m.number(layout)} of Python's extension registry")


STEPS[0x82] = partial(_extension, layout="<B")
STEPS[0x83] = partial(_extension, layout="<H")
STEPS[0x84] = partial(_extension, layout="<i")


@_step(b"\x97")
def _outside_buffer(m: Machine) -> None:
    raise m.refuse("a buffer outside the file")


@_step(b"\x98")
def _read_only(m: Machine) -> None:
    if not m.stack:
        raise Damaged("buffer")
