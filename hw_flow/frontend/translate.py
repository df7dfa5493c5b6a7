"""ONNX nodes as element-wise operators."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np
import onnx

from hw_flow.errors import FlowError
from hw_flow.frontend.branches import Product
from hw_flow.frontend.curves import PI, Curve, Elu, Erf, Exp, Reciprocal, Sigmoid, Softplus, Sqrt, Tanh, constant
from hw_flow.frontend.nonlinear import Absolute, Clip, Extremum, LeakyRelu, Power, Round, Sign
from hw_flow.frontend.numeric import Const, sqrt_fraction
from hw_flow.frontend.ops import Add, BatchNorm, Div, Mul, Op
from hw_flow.frontend.quantise import along, quantiser
from hw_flow.frontend.site import Site
from hw_flow.frontend.support import LAYOUT

__all__ = ["Site", "elementwise", "moves_only_axes", "quantiser"]

Chain = tuple[Op, ...]

_CURVES: dict[str, type[Curve]] = {
    "Sigmoid": Sigmoid, "Tanh": Tanh, "Erf": Erf, "Exp": Exp, "Softplus": Softplus, "Sqrt": Sqrt,
}
_ROUNDING = {"Floor": "FLOOR", "Ceil": "CEIL", "Round": "HALF_EVEN"}


def elementwise(site: Site) -> Chain:
    """Operators of a node with constant operands; FlowError if it is none."""
    node, name = site.node, site.node.name
    if node.op_type in LAYOUT:
        return _layout(site)
    if site.frame != site.out_frame:
        raise FlowError(f"{site.where}: changes frames of {list(site.frame)} to {list(site.out_frame)} by broadcasting; "
                        "give its constant the shape of the activation")
    for rule in (_affine, _piecewise, _smooth):
        found = rule(site, name)
        if found is not None:
            return found
    raise FlowError(f"{site.where}: this form of {node.op_type} is not supported between integer layers; "
                    "use operators with constant operands, or end the network before it")


def _affine(site: Site, name: str) -> Chain | None:
    match site.node.op_type:
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
        case "BatchNormalization":
            return (_batch_norm(site),)
        case "DequantizeLinear":
            return _dequantise(site)
    return None


def _piecewise(site: Site, name: str) -> Chain | None:
    match site.node.op_type:
        case "Relu":
            return (LeakyRelu(node=name, slope=Const.of(0.0)),)
        case "LeakyRelu":
            return (LeakyRelu(node=name, slope=Const.of(_number(site, "alpha", 0.01))),)
        case "PRelu":
            return (LeakyRelu(node=name, slope=site.const(1, "slope")),)
        case "Clip":
            return (_clip(site),)
        case "HardSigmoid":
            return _hard_sigmoid(name, _number(site, "alpha", 0.2), _number(site, "beta", 0.5))
        case "HardSwish":
            return (Product(node=name, left=(), right=_hard_sigmoid(name, float(np.float32(1 / 6)), 0.5)),)
        case "Abs":
            return (Absolute(node=name),)
        case "Sign":
            return (Sign(node=name),)
        case "Max" | "Min":
            if len(site.node.input) == 1:
                return ()
            others = [index for index in range(len(site.node.input)) if index != site.source]
            return tuple(Extremum(node=name, by=site.const(index, "constant"), largest=site.node.op_type == "Max")
                         for index in others)
        case "Floor" | "Ceil" | "Round":
            return (Round(node=name, mode=_ROUNDING[site.node.op_type]),)
    return None


def _smooth(site: Site, name: str) -> Chain | None:
    kind = site.node.op_type
    if kind in _CURVES:
        return (_CURVES[kind](node=name),)
    match kind:
        case "Pow" if site.source == 0:
            return _power(site, name)
        case "Reciprocal":
            return (Reciprocal(node=name),)
        case "Div" if site.source == 1:
            return Reciprocal(node=name), Mul(node=name, by=site.const(0, "dividend"))
        case "Elu":
            return (Elu(node=name, alpha=_number(site, "alpha", 1.0)),)
        case "Selu":
            alpha, gamma = _number(site, "alpha", 1.67326319217681884765625), _number(site, "gamma", 1.05070102214813232421875)
            return (Elu(node=name, alpha=alpha, gamma=gamma),)
        case "Celu":
            alpha = _number(site, "alpha", 1.0)
            return (Elu(node=name, alpha=alpha, width=alpha),)
        case "Softsign":
            one = Add(node=name, by=Const.of(1.0))
            return (Product(node=name, left=(), right=(Absolute(node=name), one, Reciprocal(node=name))),)
        case "Mish":
            return (Product(node=name, left=(), right=(Softplus(node=name), Tanh(node=name))),)
        case "Swish":
            scale = Mul(node=name, by=Const.of(_number(site, "alpha", 1.0)))
            return (Product(node=name, left=(), right=(scale, Sigmoid(node=name))),)
        case "Gelu":
            return _gelu(name, str(site.attribute("approximate", "none")))
    return None


def _hard_sigmoid(name: str, alpha: float, beta: float) -> Chain:
    return Mul(node=name, by=Const.of(alpha)), Add(node=name, by=Const.of(beta)), Clip(node=name, low=0.0, high=1.0)


def _gelu(name: str, form: str) -> Chain:
    """``0.5 * x * (1 + erf(x / sqrt(2)))``, or its approximation by tanh."""
    def times(number: Fraction) -> Mul:
        return Mul(node=name, by=constant(number))

    one = Add(node=name, by=Const.of(1.0))
    if form == "tanh":
        cubic = Product(node=name, left=(Power(node=name, exponent=2), times(Fraction(44715, 10**6)), one), right=())
        inner: Chain = (cubic, times(sqrt_fraction(2 / Fraction(PI))), Tanh(node=name))
    else:
        inner = (times(sqrt_fraction(Fraction(1, 2))), Erf(node=name))
    return (Product(node=name, left=(times(Fraction(1, 2)),), right=(*inner, one)),)


def _power(site: Site, name: str) -> Chain | None:
    exponent = site.array(1, "exponent")
    if exponent.size != 1:
        return None
    number = float(exponent.item())
    if number.is_integer() and 1 <= number <= 16:
        return (Power(node=name, exponent=int(number)),) if number > 1 else ()
    return {0.5: (Sqrt(node=name),), -1.0: (Reciprocal(node=name),), -0.5: (Sqrt(node=name), Reciprocal(node=name))}.get(number)


def moves_only_axes(site: Site) -> bool:
    """Whether a Transpose keeps the elements of a frame in their order (it only moves axes of size 1)."""
    axes = site.attribute("perm", list(reversed(range(len(site.frame) + 1))))
    shape = (1, *site.frame)
    real = [axis for axis in axes[1:] if shape[axis] != 1]
    return bool(axes[0] == 0 and real == sorted(real))


def _layout(site: Site) -> Chain:
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
    epsilon = _number(site, "epsilon", 1e-5)
    if (variance.value + epsilon <= 0).any():
        raise FlowError(f"{site.where}: a variance is not positive; train or export the network again")
    return BatchNorm.build(site.node.name, weight=weight, bias=bias, mean=mean, variance=variance, epsilon=epsilon)


def _clip(site: Site) -> Clip:
    ends = []
    for index, (name, default) in enumerate((("min", -np.inf), ("max", np.inf)), start=1):
        bound = site.array(index, f"{name}imum") if _given(site, index) else np.asarray(site.attribute(name, default))
        if bound.size != 1:
            raise FlowError(f"{site.where}: its {name}imum has {bound.size} elements; it must be one number")
        ends.append(float(bound.item()))
    if ends[0] > ends[1]:
        raise FlowError(f"{site.where}: clips to an empty range [{ends[0]}, {ends[1]}]; check the export")
    return Clip(node=site.node.name, low=ends[0], high=ends[1])


def _number(site: Site, name: str, default: float) -> float:
    """A float attribute, rounded to float32 as ONNX stores it."""
    return float(np.float32(site.attribute(name, default)))


def _given(site: Site, index: int) -> bool:
    return index < len(site.node.input) and bool(site.node.input[index])


def _dequantise(site: Site) -> Chain:
    """``(x - zero_point) * scale``, per tensor or along an axis."""
    name, axis = site.node.name, int(site.attribute("axis", 1))
    scale = site.array(1, "scale")
    if (scale == 0).any():
        raise FlowError(f"{site.where}: its scale is zero; train or export the network again")
    ops: Chain = (Mul(node=name, by=along(site, scale, axis, "scale")),)
    if _given(site, 2) and site.array(2, "zero point").any():
        zero = -site.array(2, "zero point").astype(np.float64)
        ops = (Add(node=name, by=along(site, zero, axis, "zero point")), *ops)
    return ops
