"""What random networks are made of: quantisers, weights, normalisations and activation functions, with random parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import helper

from tests.hw_flow.qonnx_random import QONNX, Builder

CUSTOM = frozenset({"Quant", "IntQuant", "BipolarQuant", "MultiThreshold", "Trunc"})
MODES = ("ROUND", "ROUND", "ROUND", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN", "HALF_EVEN", "ROUND_TO_ZERO")
SMOOTH = ("Sigmoid", "Tanh", "SiLU", "Gelu", "Erf", "Softplus", "Elu", "Selu", "Celu", "HardSwish", "Mish", "Softsign", "Pow",
          "Sqrt")
PIECEWISE = ("Relu", "Relu", "LeakyRelu", "PRelu", "Clip", "HardSigmoid", "Abs", "Max", "Min", "Floor", "Ceil", "Round", "Sign",
             "Neg", "none")


@dataclass
class Elements(Builder):
    """Quantisers, weights and functions at ``head``; ``frame`` is its shape without the batch, channels first."""

    frame: tuple[int, ...] = ()
    opset: int = 13
    two: bool = False
    scale: float = 1.0
    used: set[str] = field(default_factory=set)

    # --- helpers -------------------------------------------------------------------------------------------------------------

    def pick(self, options: Sequence[Any]) -> Any:
        """One of ``options``."""
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        """True with ``probability``."""
        return bool(self.rng.random() < probability)

    def node(self, op: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> list[str]:
        """Add a node; returns its outputs."""
        names = [f"t{len(self.nodes)}_{index}" for index in range(outputs)]
        domain = QONNX if op in CUSTOM else ""
        self.nodes.append(helper.make_node(op, inputs, names, name=f"{op}_{len(self.nodes)}", domain=domain, **attributes))
        self.used.add(op)
        return names

    @property
    def channels(self) -> int:
        """Channels of the frame."""
        return self.frame[0]

    def number(self, shape: Sequence[int], size: float = 1.0) -> np.ndarray:
        """Random parameters; eighths where everything is a power of two."""
        value = self.rng.normal(size=shape) * size
        return np.round(value * 8) / 8 if self.two else value

    def factor(self, shape: Sequence[int] = ()) -> np.ndarray:
        """Random positive scales."""
        return 2.0 ** self.rng.integers(-4, 1, shape) if self.two else np.float32(self.rng.uniform(0.05, 1.0, shape))

    def per_channel(self, values: np.ndarray) -> np.ndarray:
        """``[C]`` shaped to broadcast along the channels."""
        return values.reshape(-1, *[1] * (len(self.frame) - 1))

    # --- quantisers ----------------------------------------------------------------------------------------------------------

    def quantise(self, *, scale: float | None = None, plain: bool = False) -> None:
        """A quantiser with one scale; ``plain`` for one whose zero is a level."""
        scale = float(self.factor()) if scale is None else scale
        self.scale = scale
        kinds = ["Quant"] * 6 + ["BipolarQuant", "MultiThreshold", "Trunc"] + ["QDQ"] * (self.opset >= 10)
        kind = "Quant" if plain else self.pick(kinds)
        match kind:
            case "BipolarQuant":
                self.then("BipolarQuant", self.constant(scale))
            case "MultiThreshold":
                rows = self.pick([1, self.channels])
                steps = np.sort(self.number([rows, self.pick([1, 3, 7])]), axis=1)
                if steps.shape[1] == 1 and self.chance(0.5):
                    self.then("MultiThreshold", self.constant(steps), out_dtype="BIPOLAR", out_scale=2.0, out_bias=-1.0,
                              data_layout={1: "NC", 2: "NCW", 3: "NCHW"}[len(self.frame)])
                    return
                layout = {1: "NC", 2: "NCW", 3: "NCHW"}[len(self.frame)]
                self.then("MultiThreshold", self.constant(steps), out_dtype=f"UINT{steps.shape[1].bit_length()}", out_scale=scale,
                          data_layout=layout)
            case "Trunc":
                bits, less = self.pick([4, 6, 8]), self.pick([1, 2])
                signed = self.pick([0, 1])
                self.head = self.quant(self.head, scale, bits, signed=bool(signed))
                values = (scale, 0.0, float(bits), scale * 2.0**less, float(bits - less))
                self.then("Trunc", *(self.constant(value) for value in values),
                          rounding_mode=self.pick(["FLOOR", "ROUND", "CEIL"]), signed=signed, narrow=0)
                self.scale = scale * 2.0**less
            case "QDQ":
                signed = self.chance(0.5)
                zero = self.constant(0, np.int8) if signed else self.constant(self.pick([0, 3, 128]), np.uint8)
                step = self.constant(scale)
                self.then("QuantizeLinear", step, zero)
                if self.chance(0.3) and self.opset >= 13:
                    low, high = (-4, 3) if signed else (0, 15)
                    kind = np.int8 if signed else np.uint8
                    self.then("Clip", self.constant(low, kind), self.constant(high, kind))
                self.then("DequantizeLinear", step, zero)
            case _:
                bits = self.pick([1, 2, 3, 4, 4, 5, 8] if not plain else [2, 3, 4, 5, 8])
                zero = 0.0 if plain or bits == 1 else self.pick([0.0, 0.0, 0.0, 1.0, 2.0, -3.0])
                self.head = self.quant(self.head, scale, bits, zero=zero, signed=self.chance(0.5),
                                       narrow=bits > 1 and self.chance(0.3), mode=self.pick(MODES))
                if self.chance(0.1):
                    self.nodes[-1].op_type = "IntQuant"
                    self.used.add("IntQuant")
                if self.chance(0.1):
                    self.then(self.pick(["Relu", "Abs"]))  # the integers stay on their grid, no other quantiser follows

    def weights(self, shape: Sequence[int]) -> str:
        """Quantised weights ``[MH, ...]``."""
        kind = self.pick(["BIPOLAR", "TERNARY", "INT2", "INT3", "INT4", "INT8", "PLAIN"] + ["DQ"] * (self.opset >= 10))
        scale = self.factor([shape[0], *[1] * (len(shape) - 1)] if self.chance(0.3) else ())
        if kind == "PLAIN":
            return self.constant(self.rng.integers(-3, 4, shape))
        if kind == "DQ":
            whole = self.constant(self.rng.integers(-7, 8, shape), np.int8)
            return self.node("DequantizeLinear", [whole, self.constant(float(self.factor())), self.constant(0, np.int8)])[0]
        if kind == "BIPOLAR":
            return self.node("BipolarQuant", [self.constant(self.rng.normal(size=shape)), self.constant(scale)])[0]
        bits = 2 if kind == "TERNARY" else int(kind[3:])
        raw = self.rng.normal(size=shape) * 2.0 ** (bits - 2) * np.broadcast_to(scale, shape)
        return self.quant(self.constant(raw), scale, bits, narrow=kind == "TERNARY" or self.chance(0.5))

    # --- functions --------------------------------------------------------------------------------------------------------

    def between(self) -> None:
        """Bias, normalisation and activation, all optional."""
        width = self.channels
        if self.chance(0.3):
            self.then("Add", self.constant(self.per_channel(self.number([width]))))
        match self.pick(["none", "affine"] if self.two else ["none", "affine", "norm", "norm"]):
            case "affine":
                signs = self.rng.choice([-1.0, 1.0, 1.0], width)
                self.then("Mul", self.constant(self.per_channel(signs * self.factor([width]))))
                self.then("Sub", self.constant(self.per_channel(self.number([width]))))
            case "norm":
                values = (self.rng.normal(size=width), self.rng.normal(size=width), self.rng.normal(size=width) * 3,
                          self.rng.uniform(0.1, 20, width))
                self.then("BatchNormalization", *(self.constant(value) for value in values), epsilon=1e-5)
        self.activation(self.pick(PIECEWISE if self.two or self.chance(0.5) else SMOOTH))

    def activation(self, kind: str) -> None:
        """One activation function by name."""
        match kind:
            case "none":
                return
            case "SiLU":
                gate = self.node("Sigmoid", [self.head])[0]
                self.then("Mul", gate)
            case "Gelu":
                inner = self.node("Erf", [self.node("Div", [self.head, self.constant(2.0**0.5)])[0]])[0]
                outer = self.node("Add", [inner, self.constant(1.0)])[0]
                self.then("Mul", outer)
                self.then("Mul", self.constant(0.5))
            case "Mish":
                self.then("Mul", self.node("Tanh", self.node("Softplus", [self.head]))[0])
            case "HardSwish" if self.opset < 14:
                self.then("Mul", self.node("HardSigmoid", [self.head], alpha=1 / 6, beta=0.5)[0])
            case "Celu" if self.opset < 12:
                self.then("Elu", alpha=0.5)
            case "PRelu":
                self.then("PRelu", self.constant(self.per_channel(np.abs(self.number([self.channels])))))
            case "Round" if self.opset < 11:
                self.then("Floor")
            case "Pow":
                self.then("Pow", self.constant(2.0))
            case "Sqrt":
                self.then("Abs")
                self.then("Sqrt")
            case "LeakyRelu":
                self.then("LeakyRelu", alpha=0.125 if self.two else 0.1)
            case "HardSigmoid":
                self.then("HardSigmoid", alpha=0.25, beta=0.5)
            case "Clip":
                if self.opset < 11:
                    self.then("Clip", min=-1.0, max=0.75)
                else:
                    self.then("Clip", self.constant(-1.0), self.constant(0.75))
            case "Max" | "Min":
                self.then(kind, self.constant(self.per_channel(self.number([self.channels]))))
            case _:
                self.then(kind)
        self.used.add(kind)
