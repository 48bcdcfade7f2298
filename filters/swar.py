"""Eight bytes at once as one number (SIMD within a register): where a line ends, and where a run of letters does."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types

from filters.compiled import generated, inlined, inner

Bytes = npt.NDArray[np.uint8]

SLACK = 7  # bytes of memory behind the last one from which `eight_bytes` reads


def _each(byte: int) -> np.uint64:
    return np.uint64(byte * 0x0101010101010101)


_ONES, _HIGH, _LOW, _FEEDS, _CASE = _each(1), _each(0x80), _each(0x7F), _each(10), _each(0x20)
# What carries a byte of 7 bits into its highest bit if it is not before, or behind, letters or digits.
_FROM_A, _BEHIND_Z, _FROM_0, _BEHIND_9 = _each(0x80 - 97), _each(0x80 - 123), _each(0x80 - 48), _each(0x80 - 58)


@generated
def eight_bytes(context: Any, data: Any, at: Any) -> Any:
    """The bytes from a place on, the first one lowest. They must lie in the memory of the array."""

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        array = context.make_array(data)(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return types.uint64(data, types.intp), generate


@generated
def zero_bits(context: Any, value: Any) -> Any:
    """How many of the lowest bits are 0: 64 of 0."""

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@inner
def end_of_line(data: Bytes, at: int, end: int) -> int:
    """Where the next line feed stands from a place on, or the end. Needs no slack."""
    while at + 8 <= end:
        feeds = eight_bytes(data, at) ^ _FEEDS  # a byte that is 0 is a line feed
        if (feeds - _ONES) & ~feeds & _HIGH:
            break
        at += 8
    while at < end and data[at] != 10:
        at += 1
    return at


@inlined
def letters_of(eight: np.uint64) -> np.uint64:
    """The highest bit of each byte that is an ASCII letter."""
    small = (eight & _LOW) | _CASE
    return (small + _FROM_A) & ~(small + _BEHIND_Z) & ~eight & _HIGH


@inlined
def digits_of(eight: np.uint64) -> np.uint64:
    """The highest bit of each byte that is an ASCII digit."""
    low = eight & _LOW
    return (low + _FROM_0) & ~(low + _BEHIND_9) & ~eight & _HIGH


@inner
def alphanumeric_run(data: Bytes, at: int, end: int) -> tuple[int, bool]:
    """Where a run of ASCII letters and digits ends, and whether it has a letter. Needs slack."""
    any_letter = np.uint64(0)
    while at < end:
        eight: np.uint64 = eight_bytes(data, at)
        letters = letters_of(eight)
        others = (letters | digits_of(eight)) ^ _HIGH
        if end - at < 8:
            others |= _HIGH << np.uint64(8 * (end - at))
        any_letter |= letters & (others - np.uint64(1)) & ~others  # the bits below the first of the others
        step = zero_bits(others) >> 3
        at += step
        if step < 8:
            break
    return at, any_letter != 0
