"""Elements of a stream in the encoding that a kernel or another tensor wants."""

from __future__ import annotations

from hw_flow.errors import FlowError
from hw_flow.ir import Tensor
from hw_flow.rtl.encode import signed_width


def signed_bits(tensor: Tensor) -> int:
    """Bits of two's complement that hold every value of ``tensor``."""
    return signed_width(*tensor.limits)


def signed_lines(target: str, port: str, tensor: Tensor, lanes: int, *, width: int, shift: int = 0) -> list[str]:
    """Assign the elements on ``port``, as two's complement times ``2**shift``, to ``target[lane]`` of ``width`` bits."""
    # No generate loop: synthesis takes its variable for a parameter of the module where that is a black box.
    shifted = f" << {shift}" if shift else ""
    return [f"  assign {target}[{lane}] = {width}'($signed({element(port, lane, tensor)})){shifted};" for lane in range(lanes)]


def element(port: str, lane: int, tensor: Tensor) -> str:
    """Element ``lane`` on ``port`` as an expression whose two's complement is its value."""
    if tensor.dtype == "BIPOLAR":
        return f"{{!{port}[{lane}], 1'b1}}"
    bits = f"{port}[{lane * tensor.width}+:{tensor.width}]"
    return bits if tensor.signed else f"{{1'b0, {bits}}}"


def recoded(name: str, port: str, source: Tensor, out: Tensor, lanes: int) -> tuple[str, list[str]]:
    """Wire that carries the beats of ``port`` in the encoding of ``out``, and the lines that declare and drive it.

    Raises
    ------
    FlowError : a value of ``source`` that ``out`` cannot hold.
    """
    if (source.width, source.signed, source.dtype == "BIPOLAR") == (out.width, out.signed, out.dtype == "BIPOLAR"):
        return port, []
    check_range(out, *source.limits)
    if out.dtype == "BIPOLAR":
        raise FlowError(f"'{out.name}': BIPOLAR, made of '{source.name}', which is {source.dtype}; declare both alike")
    width = out.width
    return name, [f"  logic [{lanes - 1}:0][{width - 1}:0] {name};", *signed_lines(name, port, source, lanes, width=width)]


def check_range(out: Tensor, low: int, high: int) -> None:
    """FlowError unless ``out`` holds the results from ``low`` to ``high``."""
    if low < out.limits[0] or high > out.limits[1]:
        raise FlowError(f"'{out.name}': values from {low} to {high}, which {out.dtype} cannot represent; declare it wider")
