"""Exact integer weights behind the constant operand of a MatMul, Gemm or Conv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from hw_flow.errors import FlowError
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.rewrite import attribute
from hw_flow.ir.tensor import IntArray, smallest_datatype

WIDEST = 16
# Plain initialisers: largest integer looked for when they may be multiples of one scale.
_LARGEST = 255


@dataclass(frozen=True, eq=False)
class Weights:
    """Weights ``[MH, MW]`` as integers, and the scale per output channel (``[1]`` or ``[MH]``)."""

    values: IntArray
    dtype: str
    scale: Const


@dataclass(frozen=True, eq=False)
class _Scaled:
    """A constant as integers times a scale, both of the constant's full shape."""

    values: IntArray
    scale: np.ndarray


def weights_of(node: onnx.NodeProto, graph: onnx.GraphProto, static: Mapping[str, np.ndarray], *, axis: int) -> Weights:
    """Weights of ``node``'s second input, with ``axis`` (of the outputs) first and all others flattened behind it.

    Raises FlowError where they are not integers times a scale per output channel.
    """
    name = node.input[1]
    found = _trace(name, {out: item for item in graph.node for out in item.output}, static)
    if found is None:
        found = _from_plain(node, static[name], axis)
    if not found.values.size:
        raise FlowError(f"{node.name}: its weights have shape {list(found.values.shape)}; check the export")
    values, scale = (np.moveaxis(part, axis, 0).reshape(part.shape[axis], -1) for part in (found.values, found.scale))
    if not (scale == scale[:, :1]).all():
        raise FlowError(f"{node.name}: the scale of its weights changes along the inputs; "
                        "use one scale for all weights or one per output channel")
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if not -(1 << (WIDEST - 1)) <= low <= high < 1 << (WIDEST - 1):
        raise FlowError(f"{node.name}: weights reach {max(-low, high):,}; at most {WIDEST} bits are supported, "
                        "quantise them further")
    return Weights(np.ascontiguousarray(values), narrowest(values), Const.of(scale[:, 0]))


def narrowest(values: IntArray) -> str:
    """Narrowest of BIPOLAR, TERNARY and INT2.. that holds all ``values``."""
    if np.abs(values).max(initial=0) <= 1:
        return "BIPOLAR" if (values != 0).all() else "TERNARY"
    return smallest_datatype(min(int(values.min()), -1), int(values.max()))


def _trace(name: str, producers: Mapping[str, onnx.NodeProto], static: Mapping[str, np.ndarray]) -> _Scaled | None:
    """Follow a constant back to its quantiser through nodes that only move elements."""
    node = producers.get(name)
    if node is None:
        return None
    if node.op_type in ("Quant", "IntQuant", "BipolarQuant"):
        return _quantised(node, static)
    if node.op_type == "DequantizeLinear":
        return _dequantised(node, static)
    if node.op_type in ("Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"):
        source = _trace(node.input[0], producers, static)
        if source is None:
            return None
        if node.op_type == "Transpose":
            axes = attribute(node, "perm")
            return _Scaled(source.values.transpose(axes), source.scale.transpose(axes))
        shape = static[name].shape
        return _Scaled(source.values.reshape(shape), source.scale.reshape(shape))
    return None


def _quantised(node: onnx.NodeProto, static: Mapping[str, np.ndarray]) -> _Scaled:
    """What a Quant, IntQuant or BipolarQuant makes of constants."""
    value = np.asarray(static[node.output[0]], dtype=np.float64)
    scale = np.broadcast_to(_scale(node, static), value.shape)
    if not all(np.isfinite(static[name]).all() for name in (node.input[0], *node.input[2:3])):
        raise FlowError(f"{node.name}: the weights before it, or their zero point, hold NaN or infinity; train or export the "
                        "network again")
    bits = np.asarray(static[node.input[3]]) if len(node.input) > 3 else np.ones(1)
    if not bits.size or not np.isin(bits, range(1, 33)).all():
        raise FlowError(f"{node.name}: its bit width must be an integer from 1 to 32, not {bits.ravel()[:4].tolist()}; train or "
                        "export the network again")
    whole = np.rint(value / scale)
    if np.abs(value / scale - whole).max(initial=0) > 0.05:
        raise FlowError(f"{node.name}: weights have a zero point that is no integer; use a symmetric weight quantiser")
    return _Scaled(whole.astype(np.int64), scale)


def _dequantised(node: onnx.NodeProto, static: Mapping[str, np.ndarray]) -> _Scaled:
    """What a DequantizeLinear makes of constants, ``(x - zero_point) * scale``, the last two per tensor or along an axis."""
    whole = np.asarray(static[node.input[0]], dtype=np.int64)
    if len(node.input) > 2 and node.input[2]:
        whole = whole - _along(node, np.asarray(static[node.input[2]], dtype=np.int64), whole.ndim)
    return _Scaled(whole, np.broadcast_to(_along(node, _scale(node, static), whole.ndim), whole.shape))


def _along(node: onnx.NodeProto, value: np.ndarray, rank: int) -> np.ndarray:
    axis = int(attribute(node, "axis", 1)) % max(1, rank)
    return value.reshape([-1 if index == axis and value.size > 1 else 1 for index in range(rank)])


def _scale(node: onnx.NodeProto, static: Mapping[str, np.ndarray]) -> np.ndarray:
    scale = np.asarray(static[node.input[1]], dtype=np.float64)
    if not np.isfinite(scale).all() or (scale == 0).any():
        raise FlowError(f"{node.name}: a scale of the weights is zero or not finite; train or export them again")
    return scale


def _from_plain(node: onnx.NodeProto, value: np.ndarray, axis: int) -> _Scaled:
    """Constants without a quantiser: integers, or integers times one scale (or one per output channel)."""
    exact = np.asarray(value, dtype=np.float64)
    if (exact == np.rint(exact)).all():
        return _Scaled(exact.astype(np.int64), np.ones_like(exact))
    scale = _common_scale(exact)
    if scale is not None:
        return _Scaled(np.rint(exact / scale).astype(np.int64), np.full_like(exact, scale))
    rows = [_common_scale(row) for row in np.moveaxis(exact, axis, 0)]
    if all(row is not None for row in rows):
        shape = [-1 if index == axis else 1 for index in range(exact.ndim)]
        scales = np.broadcast_to(np.array(rows, dtype=np.float64).reshape(shape), exact.shape)
        return _Scaled(np.rint(exact / scales).astype(np.int64), scales)
    count = len(np.unique(exact))
    raise FlowError(f"{node.name}: weights are not quantised (found {count:,} distinct non-integer values); "
                    "export the layer with a weight quantiser")


def _common_scale(values: np.ndarray) -> float | None:
    """The float32 scale of which all ``values`` are float32 multiples of at most 255, if there is one."""
    sizes = np.unique(np.abs(values))
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return 1.0
    if len(sizes) > _LARGEST:
        return None
    top = sizes[-1]
    for count in range(1, _LARGEST + 1):
        guess = top / count
        whole = np.rint(sizes / guess)
        if np.abs(sizes / guess - whole).max() > 1e-4:
            continue
        base = np.float32(guess)
        for scale in (base, np.nextafter(base, np.float32(0)), np.nextafter(base, np.float32(np.inf))):
            if (np.float32(whole) * scale == np.float32(sizes)).all():
                return float(scale)
    return None
