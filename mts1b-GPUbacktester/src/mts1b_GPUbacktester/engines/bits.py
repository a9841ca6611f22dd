"""Sixty-four bars in one word: comparisons and conditions as bit arithmetic.

Bit k of word w stands for bar 64 w + k. One vector instruction compares eight bars, and a
condition of many parts costs one instruction a part for 64 bars.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from mts1b_GPUbacktester.engines.compiling import compiled

ir: Any = vars(cgutils)["ir"]
structure: Any = cgutils.create_struct_proxy

__all__ = [
    "above_word",
    "first_bit",
    "last_bit",
    "latched",
    "lowest_of_16",
    "not_below_word",
    "ones",
]

_LANES = 8
_WORD = 64


def _comparison(context: Any, builder: Any, signature: Any, args: Any, predicate: str) -> Any:
    """Emit eight comparisons of eight doubles each, packed into one 64-bit word."""
    pointers = [
        builder.bitcast(
            builder.gep(structure(kind)(context, builder, value=value).data, [start]),
            ir.VectorType(ir.DoubleType(), _LANES).as_pointer(),
        )
        for kind, value, start in (
            (signature.args[0], args[0], args[2]),
            (signature.args[1], args[1], args[3]),
        )
    ]
    word_type = ir.IntType(_WORD)
    word = ir.Constant(word_type, 0)
    for part in range(_WORD // _LANES):
        index = ir.Constant(ir.IntType(64), part)
        left, right = (builder.load(builder.gep(at, [index]), align=8) for at in pointers)
        truth = builder.fcmp_ordered(predicate, left, right)
        packed = builder.zext(builder.bitcast(truth, ir.IntType(_LANES)), word_type)
        word = builder.or_(word, builder.shl(packed, ir.Constant(word_type, part * _LANES)))
    return word


def _compare(predicate: str) -> Any:
    """Return the compiled comparison of two stretches of 64 values as 64 bits.

    Its arguments are two flat float64 arrays and where to start in each; 64 values must be
    readable from there. A comparison with NaN is false.
    """

    def comparison(typing: Any, left: Any, right: Any, left_at: Any, right_at: Any) -> Any:
        signature = types.uint64(left, right, types.int64, types.int64)

        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _comparison(context, builder, signature, args, predicate)

        return signature, emit

    return intrinsic(comparison)


def _lowest(typing: Any, values: Any, start: Any) -> Any:
    """Return the lowest of 16 values of a flat float64 array; one that is NaN counts for nothing.

    16 values must be readable from ``start``, and the first 8 be known.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = structure(signature.args[0])(context, builder, value=args[0]).data
        vector = ir.VectorType(ir.DoubleType(), _LANES)
        at = builder.bitcast(builder.gep(data, [args[1]]), vector.as_pointer())
        left, right = (
            builder.load(builder.gep(at, [ir.Constant(ir.IntType(64), part)]), align=8)
            for part in range(2)
        )
        lowest = builder.select(builder.fcmp_ordered("<", right, left), right, left)
        width = _LANES
        while width > 1:
            width //= 2
            left, right = (
                builder.shuffle_vector(
                    lowest,
                    lowest,
                    ir.Constant(
                        ir.VectorType(ir.IntType(32), width), list(range(first, first + width))
                    ),
                )
                for first in (0, width)
            )
            lowest = builder.select(builder.fcmp_ordered("<", right, left), right, left)
        return builder.extract_element(lowest, ir.Constant(ir.IntType(32), 0))

    return types.float64(values, types.int64), emit


def _ones(typing: Any, word: Any) -> Any:
    """Return how many bits are set."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), emit


def _last_bit(typing: Any, word: Any) -> Any:
    """Return the position of the highest bit that is set; -1 where none is."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        leading = builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))
        return builder.sub(ir.Constant(ir.IntType(_WORD), _WORD - 1), leading)

    return types.int64(types.uint64), emit


def _first_bit(typing: Any, word: Any) -> Any:
    """Return the position of the lowest bit that is set; 64 where none is."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), emit


above_word: Any = _compare(">")
not_below_word: Any = _compare(">=")
first_bit: Any = intrinsic(_first_bit)
lowest_of_16: Any = intrinsic(_lowest)
last_bit: Any = intrinsic(_last_bit)
ones: Any = intrinsic(_ones)


@compiled()
def latched(entry: Any, leave: Any, carry: Any) -> Any:
    """Return the bits from each entry until the next exit; an exit on the same bar wins.

    A carry-lookahead of the recursion q(t) = entry(t) & ~leave(t) | q(t - 1) & ~leave(t), with
    ``carry`` (0 or 1) for the bar before the word.
    """
    keep = ~leave
    made = entry & keep
    made |= keep & carry
    for shift in (1, 2, 4, 8, 16, 32):
        made |= keep & (made << shift)
        keep &= keep << shift
    return made
