"""ONNX nodes as element-wise operators and quantisers."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np
import onnx

from hw_flow.errors import FlowError
from hw_flow.frontend.nonlinear import Clip, LeakyRelu, Power, Sigmoid, Tanh
from hw_flow.frontend.numeric import Const
from hw_flow.frontend.ops import Add, BatchNorm, Div, Mul, Op
from hw_flow.frontend.quantisers import ROUNDING, BipolarQuant, IntQuant, MultiThreshold, Quantiser
from hw_flow.frontend.site import Site
from hw_flow.frontend.support import LAYOUT
from hw_flow.ir.tensor import FloatArray, smallest_datatype

_WIDEST = 32


def elementwise(site: Site) -> tuple[Op, ...]:
    """Operators of a node between quantisers; FlowError if it is none."""
    node, name = site.node, site.node.name
    if node.op_type in LAYOUT:
        return _layout(site)
    if site.frame != site.out_frame:
        raise FlowError(f"{site.where}: changes frames of {list(site.frame)} to {list(site.out_frame)} by broadcasting; "
                        "give its constant the shape of the activation")
    match node.op_type:
        case "Add":
            return (Add(node=name, by=site.const(1 - site.source, "constant")),)
        case "Sub" if site.source == 0:
            by = site.const(1, "constant")
            return (Add(node=name, by=Const(-by.value, by.delta)),)
        case "Sub":
            return Mul(node=name, by=Const.of(-1.0)), Add(node=name, by=site.const(0, "constant"))
        case "Mul":
            return (Mul(node=name, by=site.const(1 - site.source, "constant")),)
        case "Div" if site.source == 0:
            by = site.const(1, "divisor")
            if (by.value == 0).any():
                raise FlowError(f"{site.where}: divides by zero; train or export the network again")
            return (Div(node=name, by=by),)
        case "Neg":
            return (Mul(node=name, by=Const.of(-1.0)),)
        case "Pow" if site.source == 0:
            exponent = site.array(1, "exponent")
            if exponent.size == 1 and float(exponent.item()).is_integer() and 1 <= exponent.item() <= 16:
                return (Power(node=name, exponent=int(exponent.item())),) if exponent.item() > 1 else ()
        case "BatchNormalization":
            return (_batch_norm(site),)
        case "Relu":
            return (LeakyRelu(node=name, slope=Const.of(0.0)),)
        case "LeakyRelu":
            return (LeakyRelu(node=name, slope=Const.of(site.attribute("alpha", 0.01))),)
        case "PRelu":
            return (LeakyRelu(node=name, slope=site.const(1, "slope")),)
        case "Clip":
            return (_clip(site),)
        case "HardSigmoid":
            alpha, beta = (Const.of(float(np.float32(site.attribute(*item)))) for item in (("alpha", 0.2), ("beta", 0.5)))
            return Mul(node=name, by=alpha), Add(node=name, by=beta), Clip(node=name, low=0.0, high=1.0)
        case "Sigmoid":
            return (Sigmoid(node=name),)
        case "Tanh":
            return (Tanh(node=name),)
    raise FlowError(f"{site.where}: this form of {node.op_type} is not supported between integer layers; "
                    "use operators with constant operands, or end the network before it")


def moves_only_axes(site: Site) -> bool:
    """Whether a Transpose keeps the elements of a frame in their order (it only moves axes of size 1)."""
    axes = site.attribute("perm", list(reversed(range(len(site.frame) + 1))))
    shape = (1, *site.frame)
    real = [axis for axis in axes[1:] if shape[axis] != 1]
    return bool(axes[0] == 0 and real == sorted(real))


def _layout(site: Site) -> tuple[Op, ...]:
    if site.node.op_type == "Transpose" and not moves_only_axes(site):
        raise FlowError(f"{site.where}: transposes an activation of frame {list(site.frame)}; export the network without it "
                        "(transposes of weights are fine)")
    if site.node.op_type == "Cast" and site.attribute("to", 1) not in (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE):
        raise FlowError(f"{site.where}: casts an activation to an integer type; use a Quant node instead")
    if prod(site.frame) != prod(site.out_frame):
        raise FlowError(f"{site.where}: changes the size of a frame; check the export")
    return ()


def _batch_norm(site: Site) -> BatchNorm:
    if site.attribute("training_mode", 0):
        raise FlowError(f"{site.where}: is in training mode; export the network in evaluation mode")
    weight, bias, mean, variance = (
        site.channels(site.array(index, what), what) for index, what in enumerate(("weight", "bias", "mean", "variance"), start=1)
    )
    epsilon = float(np.float32(site.attribute("epsilon", 1e-5)))
    if (variance.value + epsilon <= 0).any():
        raise FlowError(f"{site.where}: a variance is not positive; train or export the network again")
    return BatchNorm.build(site.node.name, weight=weight, bias=bias, mean=mean, variance=variance, epsilon=epsilon)


def _clip(site: Site) -> Clip:
    ends = []
    for index, (name, default) in enumerate((("min", -np.inf), ("max", np.inf)), start=1):
        given = index < len(site.node.input) and site.node.input[index]
        bound = site.array(index, f"{name}imum") if given else np.asarray(site.attribute(name, default))
        if bound.size != 1:
            raise FlowError(f"{site.where}: its {name}imum has {bound.size} elements; it must be one number")
        ends.append(float(bound.item()))
    if ends[0] > ends[1]:
        raise FlowError(f"{site.where}: clips to an empty range [{ends[0]}, {ends[1]}]; check the export")
    return Clip(node=site.node.name, low=ends[0], high=ends[1])


def quantiser(site: Site) -> Quantiser:
    """The quantiser of a Quant, IntQuant, BipolarQuant or MultiThreshold node."""
    if site.source != 0:
        raise FlowError(f"{site.where}: quantises a constant with the activation as a parameter; check the export")
    match site.node.op_type:
        case "BipolarQuant":
            scale = _scale(site)
            return BipolarQuant(node=site.node.name, low=-1, high=1, dtype="BIPOLAR", scale=scale, offset=Const.of(0.0))
        case "MultiThreshold":
            return _multi_threshold(site)
    return _int_quant(site)


def _scale(site: Site) -> Const:
    scale = site.const(1, "scale")
    if (scale.value == 0).any():
        raise FlowError(f"{site.where}: its scale is zero; train or export the network again")
    return scale


def _int_quant(site: Site) -> IntQuant:
    scale, zero = _scale(site), site.const(2, "zero point")
    width = site.array(3, "bit width")
    if width.size != 1 or not float(width.item()).is_integer() or not 1 <= width.item() <= _WIDEST:
        raise FlowError(f"{site.where}: its bit width must be one integer from 1 to {_WIDEST}, not {width.ravel()[:4].tolist()}; "
                        "use one width per tensor")
    bits, signed, narrow = int(width.item()), bool(site.attribute("signed", 1)), bool(site.attribute("narrow", 0))
    mode = str(site.attribute("rounding_mode", "ROUND")).upper()
    if mode not in ROUNDING:
        raise FlowError(f"{site.where}: rounding mode '{mode}' is unknown; use one of {', '.join(sorted(ROUNDING))}")
    if bits == 1 and signed:
        low, high, dtype = -1, 1, "BIPOLAR"
    else:
        low = -(1 << (bits - 1)) + narrow if signed else 0
        high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1 - narrow
        dtype = "TERNARY" if (low, high) == (-1, 1) else f"{'INT' if signed else 'UINT'}{bits}"
    offset = Const.of_fractions(_products(scale, zero))
    wide = any(np.asarray(site.static[name]).dtype != np.float32 for name in site.node.input[1:3])
    return IntQuant(node=site.node.name, low=low, high=high, dtype=dtype, scale=scale, offset=offset, zero=zero,
                    rounding=ROUNDING[mode], wide_parameters=wide)


def _products(scale: Const, zero: Const) -> list[Fraction]:
    return [-scale.at(index) * zero.at(index) for index in range(max(scale.size, zero.size))]


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
