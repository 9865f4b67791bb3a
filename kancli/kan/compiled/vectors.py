# numba, which may be absent, fills in arguments and types.
# pyright: reportMissingImports=false, reportCallIssue=false
"""Vectors of numbers for numba kernels, as LLVM has them: for any CPU, whatever LLVM can prove.

LLVM's own vectoriser gives up on loops that write to one row of a table and read others, since they may overlap. A
vector of more numbers than the CPU's lies in several registers, whose sums do not wait for one another.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES, FOUR = 8, 4
ALIGNMENT = 64  # bytes of the widest vectors, which read faster from multiples of it
_INDEX = ir.IntType(32)


class Vector(types.Type):
    """Some numbers of one dtype."""

    def __init__(self, dtype: Any, lanes: int) -> None:
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Vector({dtype} x {lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        element = manager.lookup(kind.dtype).get_value_type()
        super().__init__(manager, kind, ir.VectorType(element, kind.lanes))


def _loader(lanes: int) -> Any:
    @intrinsic
    def load(typingctx: Any, array: Any, index: Any) -> Any:
        """The vector at a place of a contiguous one-dimensional array."""
        vector = Vector(array.dtype, lanes)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            like = ir.Constant(context.get_value_type(vector), ir.Undefined)
            place = _place(context, builder, signature.args[0], *args, like)
            return builder.load(place, align=array.dtype.bitwidth // 8)

        return vector(array, types.intp), codegen

    return load


load, load_four = _loader(LANES), _loader(FOUR)


@intrinsic
def load_as(typingctx: Any, array: Any, index: Any, like: Any) -> Any:
    """`load` of as many numbers as a vector has."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, signature.args[0], *args)
        return builder.load(place, align=array.dtype.bitwidth // 8)

    return like(array, types.intp, like), codegen


@intrinsic
def store(typingctx: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write a vector to a place of a contiguous one-dimensional array."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        place = _place(context, builder, signature.args[0], args[0], args[1], args[2])
        builder.store(args[2], place, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, types.intp, vector), codegen


@intrinsic
def load_apart(typingctx: Any, array: Any, index: Any, step: Any) -> Any:
    """The vector of numbers of a contiguous one-dimensional array that lie so many places apart, from a place on."""
    vector = Vector(array.dtype, LANES)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        result, place = ir.Constant(context.get_value_type(vector), ir.Undefined), args[1]
        for lane in range(LANES):
            number = builder.load(cgutils.gep_inbounds(builder, data, place), align=array.dtype.bitwidth // 8)
            result = builder.insert_element(result, number, ir.Constant(_INDEX, lane))
            place = builder.add(place, args[2])
        return result

    return vector(array, types.intp, types.intp), codegen


def _place(context: Any, builder: Any, kind: Any, array: Any, index: Any, vector: Any) -> Any:
    """The place of an array as that of a vector's first number."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(cgutils.gep_inbounds(builder, data, index), vector.type.as_pointer())


def _repeat(builder: Any, number: Any, vector: Any) -> Any:
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(_INDEX, 0))
    return builder.shuffle_vector(
        first, undefined, ir.Constant(ir.VectorType(_INDEX, vector.count), [0] * vector.count)
    )


def _splatter(lanes: int) -> Any:
    @intrinsic
    def splat(typingctx: Any, number: Any) -> Any:
        """The vector of a number repeated."""
        vector = Vector(number, lanes)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _repeat(builder, args[0], context.get_value_type(vector))

        return vector(number), codegen

    return splat


splat, splat_four, splat_sixteen, splat_sixty_four = (_splatter(lanes) for lanes in (LANES, FOUR, 16, 64))


def _number(context: Any, builder: Any, signature: Any, args: Any, below: int = 0) -> Any:
    """One number of a contiguous two-dimensional array, some rows below a place; no index counts from the end."""
    view = context.make_array(signature.args[0])(context, builder, args[0])
    length = builder.extract_value(view.shape, 1)
    row = builder.add(args[1], ir.Constant(args[1].type, below))
    index = builder.add(builder.mul(row, length), args[2])
    place = cgutils.gep_inbounds(builder, view.data, index)
    return builder.load(place, align=signature.args[0].dtype.bitwidth // 8)


@intrinsic
def spread(typingctx: Any, array: Any, row: Any, column: Any) -> Any:
    """The vector of one number of a contiguous two-dimensional array, repeated; no index counts from the end."""
    vector = Vector(array.dtype, LANES)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _repeat(builder, _number(context, builder, signature, args), context.get_value_type(vector))

    return vector(array, types.intp, types.intp), codegen


@intrinsic
def spread_as(typingctx: Any, array: Any, row: Any, column: Any, like: Any) -> Any:
    """`spread` to as many numbers as a vector has."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _repeat(builder, _number(context, builder, signature, args[:3]), args[3].type)

    return like(array, types.intp, types.intp, like), codegen


@intrinsic
def four_rows(typingctx: Any, array: Any, row: Any, column: Any) -> Any:
    """The vector of a column's numbers in four rows of a contiguous two-dimensional array, from a row on."""
    vector = Vector(array.dtype, FOUR)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        result = ir.Constant(context.get_value_type(vector), ir.Undefined)
        for below in range(FOUR):
            number = _number(context, builder, signature, args, below)
            result = builder.insert_element(result, number, ir.Constant(_INDEX, below))
        return result

    return vector(array, types.intp, types.intp), codegen


@intrinsic
def multiply_add(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = args[0].type
        name = f"llvm.fma.v{a.lanes}f{a.dtype.bitwidth}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
        return builder.call(function, args)

    return a(a, b, c), codegen


@intrinsic
def multiply(typingctx: Any, a: Any, b: Any) -> Any:
    """a b."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fmul(*args)

    return a(a, b), codegen


@intrinsic
def total(typingctx: Any, vector: Any) -> Any:
    """The sum of a vector's numbers, halves first."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        (part,), size = args, vector.lanes
        while size > 1:
            size //= 2
            halves = [
                builder.shuffle_vector(
                    part, part, ir.Constant(ir.VectorType(_INDEX, size), list(range(start, start + size)))
                )
                for start in (0, size)
            ]
            part = builder.fadd(*halves)
        return builder.extract_element(part, ir.Constant(_INDEX, 0))

    return vector.dtype(vector), codegen


@intrinsic
def length(typingctx: Any, vector: Any) -> Any:
    """How many numbers a vector has."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.get_constant(types.intp, vector.lanes)

    return types.intp(vector), codegen


@intrinsic
def power_of_two(typingctx: Any, exponent: Any, like: Any) -> Any:
    """2 to a whole exponent, in the dtype of `like`; the exponent is that of a normal number."""
    size, bias, shift = (32, 127, 23) if like == types.float32 else (64, 1023, 52)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.IntType(size)
        whole = builder.trunc(args[0], kind) if exponent.bitwidth > size else args[0]
        bits = builder.shl(builder.add(whole, ir.Constant(kind, bias)), ir.Constant(kind, shift))
        return builder.bitcast(bits, context.get_value_type(like))

    return like(exponent, like), codegen
