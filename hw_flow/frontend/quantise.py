"""ONNX nodes as quantisers."""

from __future__ import annotations

import numpy as np
import onnx

from hw_flow.errors import FlowError
from hw_flow.frontend.multithreshold import MultiThreshold
from hw_flow.frontend.nonlinear import Round
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.ops import Add, Div, Op
from hw_flow.frontend.quantisers import BipolarQuant, IntQuant, Quantiser, StagedQuant
from hw_flow.frontend.rounding import ROUNDING
from hw_flow.frontend.site import Site
from hw_flow.ir.tensor import FloatArray, smallest_datatype

WIDEST = 32
# Levels that a Trunc of the first version may give: it does not clip.
_UNBOUNDED = 1 << 40
_INTEGERS = ("int4", "uint4", "int8", "uint8", "int16", "uint16")


def quantiser(site: Site) -> Quantiser:
    """The quantiser of a node out of `hw_flow.frontend.support.QUANTISERS`."""
    if site.source != 0:
        raise FlowError(f"{site.where}: quantises a constant with the activation as a parameter; check the export")
    match site.node.op_type:
        case "BipolarQuant":
            scale = _scale(site)
            return BipolarQuant(node=site.node.name, low=-1, high=1, dtype="BIPOLAR", scale=scale, offset=Const.of(0.0))
        case "MultiThreshold":
            return _multi_threshold(site)
        case "Trunc":
            return _trunc(site)
        case "QuantizeLinear":
            return _quantise_linear(site)
    return _int_quant(site)


def along(site: Site, value: np.ndarray, axis: int, what: str) -> Const:
    """``value`` ``[C]`` along ``axis`` of the tensor (0 is the batch)."""
    rank = len(site.frame) + 1
    if value.size > 1 and not (-rank < axis < rank and value.size == (1, *site.frame)[axis]):
        raise FlowError(f"{site.where}: its {what} has {value.size} elements along axis {axis} of frames of {list(site.frame)}; "
                        "check the export")
    return site.spread(value if value.size == 1 else value.reshape([-1 if i == axis % rank else 1 for i in range(rank)]), what)


def _scale(site: Site) -> Const:
    scale = site.const(1, "scale")
    if (scale.value == 0).any():
        raise FlowError(f"{site.where}: its scale is zero; train or export the network again")
    return scale


def _bits(site: Site, index: int, what: str = "bit width") -> int:
    width = site.array(index, what)
    if width.size != 1 or not float(width.item()).is_integer() or not 1 <= width.item() <= WIDEST:
        raise FlowError(f"{site.where}: its {what} must be one integer from 1 to {WIDEST}, not {width.ravel()[:4].tolist()}; "
                        "use one width per tensor")
    return int(width.item())


def _rounding(site: Site, default: str) -> str:
    mode = str(site.attribute("rounding_mode", default)).upper()
    if mode not in ROUNDING:
        raise FlowError(f"{site.where}: rounding mode '{mode}' is unknown; use one of {', '.join(sorted(ROUNDING))}")
    return ROUNDING[mode]


def levels(bits: int, signed: bool, narrow: bool) -> tuple[int, int, str]:
    """Smallest and largest level, and the QONNX DataType, of an integer quantiser."""
    if bits == 1 and signed:
        return -1, 1, "BIPOLAR"
    low = -(1 << (bits - 1)) + narrow if signed else 0
    high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1 - narrow
    return low, high, "TERNARY" if (low, high) == (-1, 1) else f"{'INT' if signed else 'UINT'}{bits}"


def _int_quant(site: Site) -> IntQuant:
    scale, zero, bits = _scale(site), site.const(2, "zero point"), _bits(site, 3)
    low, high, dtype = levels(bits, bool(site.attribute("signed", 1)), bool(site.attribute("narrow", 0)))
    offset = Const.of_fractions([-scale.at(index) * zero.at(index) for index in range(max(scale.size, zero.size))])
    wide = any(np.asarray(site.static[name]).dtype != np.float32 for name in site.node.input[1:3])
    return IntQuant(node=site.node.name, low=low, high=high, dtype=dtype, scale=scale, offset=offset, zero=zero,
                    rounding=_rounding(site, "ROUND"), wide_parameters=wide)


def _trunc(site: Site) -> StagedQuant:
    """QONNX's Trunc: to the input's grid, shifted right, rounded, and clipped by version 2 alone."""
    name, scale, zero = site.node.name, _scale(site), site.const(2, "zero point")
    second = len(site.node.input) > 5
    bits = _bits(site, 5 if second else 4, "output bit width")
    if second:
        out_scale = site.const(4, "output scale")
        if (out_scale.value <= 0).any() or (scale.value <= 0).any():
            raise FlowError(f"{site.where}: its scales must be positive; train or export the network again")
        shift = Const.of(2.0 ** np.rint(np.log2(out_scale.value / scale.value)))
        low, high, dtype = levels(bits, bool(site.attribute("signed", 1)), bool(site.attribute("narrow", 0)))
        if dtype == "BIPOLAR":  # one signed bit is 0 or -1 here
            low, high, dtype = -1 + bool(site.attribute("narrow", 0)), 0, "INT2"
        out_zero = Const.of_fractions([zero.at(i) / shift.at(i) for i in range(max(zero.size, shift.size))])
    else:
        out_scale, out_zero = scale, zero
        shift = Const.of(2.0 ** (_bits(site, 3, "input bit width") - bits))
        low, high, dtype = -_UNBOUNDED, _UNBOUNDED, f"INT{bits + 1}"
    stages: tuple[Op, ...] = (Div(node=name, by=scale), Add(node=name, by=zero), Round(node=name, mode="HALF_EVEN"),
                              Div(node=name, by=shift))
    count = max(out_scale.size, out_zero.size)
    offset = Const.of_fractions([-out_scale.at(index) * out_zero.at(index) for index in range(count)])
    return StagedQuant(node=name, low=low, high=high, dtype=dtype, scale=out_scale, offset=offset, stages=stages,
                       rounding=_rounding(site, "FLOOR"), zero=out_zero)


def _quantise_linear(site: Site) -> StagedQuant:
    """ONNX's QuantizeLinear: its output is the level itself."""
    name, axis = site.node.name, int(site.attribute("axis", 1))
    scale = along(site, site.array(1, "scale"), axis, "scale")
    if (scale.value == 0).any():
        raise FlowError(f"{site.where}: its scale is zero; train or export the network again")
    zero = site.array(2, "zero point") if len(site.node.input) > 2 and site.node.input[2] else _no_zero(site)
    kind = zero.dtype.name
    if kind not in _INTEGERS:
        raise FlowError(f"{site.where}: quantises to {kind}; only {', '.join(_INTEGERS)} can be compiled")
    low, high, dtype = levels(int("".join(filter(str.isdigit, kind))), kind.startswith("int"), False)
    stages: tuple[Op, ...] = (Div(node=name, by=scale), Round(node=name, mode="HALF_EVEN"))
    if zero.any():
        stages = (*stages, Add(node=name, by=along(site, zero.astype(np.float64), axis, "zero point")))
    return StagedQuant(node=name, low=low, high=high, dtype=dtype, scale=Const.of(1.0), offset=Const.of(0.0), stages=stages,
                       rounding="HALF_EVEN", zero=Const.of(0.0))


def _no_zero(site: Site) -> np.ndarray:
    return np.zeros(1, onnx.helper.tensor_dtype_to_np_dtype(site.attribute("output_dtype", 0) or onnx.TensorProto.UINT8))


def _multi_threshold(site: Site) -> MultiThreshold:
    steps = np.asarray(site.array(1, "threshold matrix"), dtype=np.float64)
    if steps.ndim != 2 or not steps.size:
        raise FlowError(f"{site.where}: its thresholds have shape {list(steps.shape)}; they must be [channels, steps]")
    rows = _threshold_rows(site, np.sort(steps, axis=1))
    scale, bias = float(site.attribute("out_scale", 1.0)), float(site.attribute("out_bias", 0.0))
    if scale == 0:
        raise FlowError(f"{site.where}: its out_scale is zero; export the network again")
    count = steps.shape[1]
    if (count, scale, bias) == (1, 2.0, -1.0):
        first, stride, dtype, unit, offset = -1, 2, "BIPOLAR", 1.0, 0.0
    elif scale == 1.0 and bias.is_integer():
        first, stride, unit, offset = int(bias), 1, 1.0, 0.0
        dtype = smallest_datatype(first, first + count)
    else:
        first, stride, unit, offset = 0, 1, scale, bias
        dtype = smallest_datatype(0, count)
    return MultiThreshold(node=site.node.name, low=first, high=first + stride * count, dtype=dtype, scale=Const.of(unit),
                          offset=Const.of(offset), steps=rows, first=first, stride=stride, out_scale=scale, out_bias=bias)


def _threshold_rows(site: Site, steps: FloatArray) -> FloatArray:
    """One row per channel, or one for all."""
    if len(steps) == 1 or (steps == steps[0]).all():
        return steps[:1]
    layout = str(site.attribute("data_layout", "")) or {1: "NC", 2: "NWC", 3: "NCHW"}.get(len(site.frame), "")
    axis = (layout.index("C") if "C" in layout else 1) - 1
    if not 0 <= axis < len(site.frame) or site.frame[axis] != len(steps):
        raise FlowError(f"{site.where}: {len(steps)} rows of thresholds do not fit frames of {list(site.frame)}; "
                        "check data_layout")
    order = np.arange(len(steps)).reshape([-1 if i == axis else 1 for i in range(len(site.frame))])
    return steps[site.rows(np.broadcast_to(order, site.frame), "thresholds").astype(np.int64)]
