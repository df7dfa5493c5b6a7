"""Random small QONNX multi-layer perceptrons, for tests of the whole chain.

``mlps()`` is a Hypothesis strategy; ``random_mlp(seed)`` gives one network for a seed. Both choose
among everything that the front end claims to take: operand types, scales, normalisations, activations,
quantisers, declared and float inputs, and ways to end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"
Pick = Callable[[Sequence[Any]], Any]


@dataclass
class Builder:
    """Writes an ONNX graph node by node; ``head`` is the tensor that the next node reads."""

    rng: np.random.Generator
    head: str = "x"
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initialisers: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, value: Any, kind: type = np.float32) -> str:
        """Add an initialiser; returns its name."""
        name = f"c{len(self.initialisers)}"
        self.initialisers.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def node(self, op: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> list[str]:
        """Add a node; returns its outputs."""
        names = [f"t{len(self.nodes)}_{index}" for index in range(outputs)]
        domain = QONNX if op in ("Quant", "BipolarQuant", "MultiThreshold") else ""
        self.nodes.append(helper.make_node(op, inputs, names, name=f"{op}_{len(self.nodes)}", domain=domain, **attributes))
        return names

    def then(self, op: str, *operands: str, **attributes: Any) -> None:
        """Add a node on ``head``, which becomes its output."""
        self.head = self.node(op, [self.head, *operands], **attributes)[0]

    def quant(self, value: str, scale: Any, bits: int, *, zero: Any = 0.0, signed: bool = True, narrow: bool = False,
              mode: str = "ROUND") -> str:
        """Add a Quant node on ``value``."""
        operands = [value, self.constant(scale), self.constant(zero), self.constant(float(bits))]
        return self.node("Quant", operands, signed=int(signed), narrow=int(narrow), rounding_mode=mode)[0]

    def model(self, features: int, outputs: Sequence[int], kind: int = TensorProto.FLOAT, opset: int = 13,
              annotation: str | None = None) -> onnx.ModelProto:
        """The finished model; ``annotation`` is the QONNX data type of the input."""
        graph = helper.make_graph(
            self.nodes, "random", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", features])],
            [helper.make_tensor_value_info(self.head, kind, ["N", *outputs])], self.initialisers)
        if annotation is not None:
            entry = onnx.StringStringEntryProto(key="finn_datatype", value=annotation)
            graph.quantization_annotation.append(onnx.TensorAnnotation(tensor_name="x", quant_parameter_tensor_names=[entry]))
        opsets = [helper.make_opsetid("", opset), helper.make_opsetid(QONNX, 1)]
        return helper.make_model(graph, ir_version=8, opset_imports=opsets)


@dataclass(frozen=True)
class Mlp:
    """A random network, how its input is to be declared, and the seed of its samples."""

    model: onnx.ModelProto
    features: int
    input_type: str | None
    input_scale: float | None
    seed: int

    def save(self, path: Any) -> None:
        """Write the ONNX file."""
        onnx.save(self.model, str(path))

    def samples(self, count: int) -> np.ndarray:
        """Input frames ``[count, features]``: integers if the input is declared, else floats."""
        return frames(self.seed, (count, self.features), self.input_type)


def frames(seed: int, shape: tuple[int, ...], input_type: str | None) -> np.ndarray:
    """Input frames of ``shape``: integers of the declared type, floats where there is none."""
    rng = np.random.default_rng(seed)
    match input_type:
        case None:
            return rng.normal(size=shape).astype(np.float32)
        case "BIPOLAR":
            return rng.choice([-1, 1], shape)
        case "UINT8":
            return rng.integers(0, 256, shape)
    return rng.integers(-8, 8, shape)


def mlps(layers: int = 3, widest: int = 9, *, power_of_two: bool = False) -> st.SearchStrategy[Mlp]:
    """Strategy over networks of at most ``layers`` layers of at most ``widest`` neurons."""

    @st.composite
    def build(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Mlp:
        seed = draw(st.integers(0, 2**32 - 1))
        return _build(lambda options: draw(st.sampled_from(list(options))), seed, layers, widest, power_of_two)

    return build()


def random_mlp(seed: int, layers: int = 3, widest: int = 9, *, power_of_two: bool = False) -> Mlp:
    """One network for ``seed``."""
    rng = np.random.default_rng(seed)
    return _build(lambda options: options[int(rng.integers(len(options)))], seed, layers, widest, power_of_two)


def _build(pick: Pick, seed: int, layers: int, widest: int, power_of_two: bool) -> Mlp:
    b = Builder(np.random.default_rng(seed))
    features = pick(range(1, widest + 1))
    declared = pick([None, None, "UINT8", "BIPOLAR", "INT4"])
    scale = None if declared in (None, "BIPOLAR") else pick([1.0, 0.125] if power_of_two else [1.0, 0.125, 1 / 255])
    if declared is None or pick([True, False]):
        if pick([True, False]):
            b.then("Mul", b.constant(2.0))
            b.then("Sub", b.constant(1.0))
        _activation(b, pick, [1], power_of_two)
    elif declared == "BIPOLAR" and pick([True, False]):
        b.then("Add", b.constant(1.0))
        b.then("Div", b.constant(2.0))
    width = features
    count = pick(range(1, layers + 1))
    for index in range(count):
        mw, width = width, pick(range(1, widest + 1))
        _linear(b, pick, mw, width, power_of_two)
        if index < count - 1 or pick([True, False]):
            _between(b, pick, width, power_of_two)
            _activation(b, pick, [1, width] if index == count - 1 else [1], power_of_two)
    kind, outputs = _end(b, pick, width, power_of_two)
    opset = pick([9, 11, 12]) if _old(b) else pick([13, 17])
    return Mlp(b.model(features, outputs, kind, opset), features, declared, scale, seed % 2**31)


def _old(b: Builder) -> bool:
    """Whether the graph is the same in opsets before 13 (no axes as inputs, no Gemm without bias)."""
    newer = {"Unsqueeze", "Squeeze", "Clip", "TopK"}
    return not any(node.op_type in newer or (node.op_type == "Gemm" and len(node.input) < 3) for node in b.nodes)


def _scale(b: Builder, pick: Pick, shape: Sequence[int], power_of_two: bool) -> np.ndarray:
    if power_of_two:
        return 2.0 ** b.rng.integers(-4, 2, shape)
    return np.float32(b.rng.uniform(0.05, 1.5, shape)) if pick([True, True, False]) else np.ones(shape)


def _linear(b: Builder, pick: Pick, mw: int, mh: int, power_of_two: bool) -> None:
    gemm = pick([False, True])
    transposed = gemm and pick([False, True])
    kind = pick(["BIPOLAR", "TERNARY", "INT2", "INT3", "INT4", "INT8", "PLAIN"])
    shape = (mh, mw) if transposed else (mw, mh)
    per_channel = ([mh, 1] if transposed else [1, mh]) if pick([False, False, True]) else []
    scale = _scale(b, pick, per_channel, power_of_two)
    if kind == "PLAIN":
        weights = b.constant(b.rng.integers(-3, 4, shape))
    elif kind == "BIPOLAR":
        weights = b.node("BipolarQuant", [b.constant(b.rng.normal(size=shape)), b.constant(scale)])[0]
    else:
        bits = 2 if kind == "TERNARY" else int(kind[3:])
        raw = b.rng.normal(size=shape) * 2.0 ** (bits - 2) * np.broadcast_to(scale, shape)
        weights = b.quant(b.constant(raw), scale, bits, narrow=kind == "TERNARY" or pick([True, False]))
    if not transposed and not gemm and pick([False, True]):
        b.head = b.node("MatMul", [b.head, weights])[0]
    elif not gemm:
        back = b.node("Transpose", [weights], perm=[1, 0])[0]
        again = b.node("Transpose", [back], perm=[1, 0])[0]
        b.head = b.node("MatMul", [b.head, again])[0]
    else:
        bias = [b.constant(_number(b, power_of_two, [mh]))] if pick([True, False]) else []
        b.head = b.node("Gemm", [b.head, weights, *bias], transB=int(transposed))[0]


def _number(b: Builder, power_of_two: bool, shape: Sequence[int]) -> np.ndarray:
    value = b.rng.normal(size=shape) * 2
    return np.round(value * 8) / 8 if power_of_two else value


def _between(b: Builder, pick: Pick, width: int, power_of_two: bool) -> None:
    """Bias, normalisation and activation, all optional."""
    if pick([False, True]):
        b.then("Add", b.constant(_number(b, power_of_two, [width])))
    match pick(["none", "affine"] if power_of_two else ["none", "affine", "norm", "norm3"]):
        case "affine":
            signs = b.rng.choice([-1.0, 1.0], width)
            b.then("Mul", b.constant(signs * _scale(b, pick, [width], power_of_two)))
            b.then("Sub", b.constant(_number(b, power_of_two, [width])))
        case "norm":
            _batch_norm(b, width)
        case "norm3":
            axes = b.constant([2], np.int64)
            b.then("Unsqueeze", axes)
            _batch_norm(b, width)
            b.then("Squeeze", axes)
    exact = ["none", "Relu", "HardTanh"]
    match pick(exact if power_of_two else [*exact, "LeakyRelu", "Sigmoid", "Tanh", "Div"]):
        case "HardTanh":
            b.then("Clip", b.constant(-1.0), b.constant(1.0))
        case "Div":
            b.then("Div", b.constant(3.0))
        case "LeakyRelu":
            b.then("LeakyRelu", alpha=0.1)
        case "none":
            pass
        case op:
            b.then(op)


def _batch_norm(b: Builder, width: int) -> None:
    values = (b.rng.normal(size=width), b.rng.normal(size=width), b.rng.normal(size=width) * 3, b.rng.uniform(0.1, 20, width))
    b.then("BatchNormalization", *(b.constant(value) for value in values), epsilon=1e-5)


def _activation(b: Builder, pick: Pick, scale_shape: Sequence[int], power_of_two: bool) -> None:
    """A quantiser of any kind."""
    shape = [] if scale_shape[-1] == 1 or pick([True, True, False]) else list(scale_shape)
    match pick(["BipolarQuant", "MultiThreshold", "Quant", "Quant", "Quant"]):
        case "BipolarQuant":
            b.then("BipolarQuant", b.constant(_scale(b, pick, shape, power_of_two)))
        case "MultiThreshold":
            steps = np.sort(_number(b, power_of_two, [1, pick([1, 3, 7])]), axis=1)
            count = steps.shape[1]
            if pick([True, False]) and count == 1:
                b.then("MultiThreshold", b.constant(steps), out_dtype="BIPOLAR", out_scale=2.0, out_bias=-1.0)
            else:
                half = pick([0.0, -(count + 1) / 2])
                dtype = f"{'INT' if half else 'UINT'}{count.bit_length()}"
                b.then("MultiThreshold", b.constant(steps), out_dtype=dtype, out_scale=pick([1.0, 0.5]), out_bias=half)
        case _:
            bits, signed = pick([1, 2, 3, 4, 8]), pick([True, False])
            modes = ["ROUND", "ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "HALF_EVEN"]
            b.head = b.quant(b.head, _scale(b, pick, shape, power_of_two), bits, zero=0.0 if bits == 1 else pick([0.0, 0.0, 1.0]),
                             signed=signed, narrow=bits > 1 and pick([True, False]), mode=pick(modes))


def _end(b: Builder, pick: Pick, width: int, power_of_two: bool) -> tuple[int, Sequence[int]]:
    """How the network ends: as it is, scaled, with probabilities, or with a label."""
    match pick(["none", "affine", "softmax", "topk", "argmax"]):
        case "affine":
            b.then("Mul", b.constant(_scale(b, pick, [], power_of_two)))
            b.then("Add", b.constant(_number(b, power_of_two, [1])))
        case "softmax":
            b.then("Softmax", axis=-1)
        case "topk":
            b.head = b.node("TopK", [b.head, b.constant([1], np.int64)], 2, axis=-1, largest=1, sorted=1)[1]
            return TensorProto.INT64, [1]
        case "argmax":
            b.then("ArgMax", axis=1, keepdims=1)
            return TensorProto.INT64, [1]
    return TensorProto.FLOAT, [width]
