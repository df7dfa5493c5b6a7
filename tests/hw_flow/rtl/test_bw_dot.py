"""The dot product kernel in Verilator against NumPy: every pair of types, extreme values, stalls, latency."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hw_flow.ir import Tensor
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl.latency import Kind, Multiplier, dot_acc_latency
from sim import Stalls, StreamPort
from tests.hw_flow.rtl.bench import Unit, bundle, check

ACTS = ("BIPOLAR", "UINT1", "UINT2", "INT2", "INT4", "UINT8")
WEIGHTS = ("BIPOLAR", "TERNARY", "INT2", "INT3", "INT8")
FRAMES = 48
STALLS = (Stalls(0.5), Stalls(0.8, burst=9))

WRAPPER = """
module {top} (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic s_valid_i,
  output logic s_ready_o,
  input  logic [{bits}-1:0] s_data_i,
  output logic m_valid_o,
  input  logic m_ready_i,
  output logic [{sum_width}-1:0] m_data_o
);
  logic last;
  assign s_ready_o = m_ready_i || !m_valid_o;
  bw_last_counter #(.Beats({beats})) u_last (.clk_i, .rst_ni, .transfer_i(s_valid_i && s_ready_o), .last_o(last));
  bw_dot_acc #(
    .Simd({simd}), .ActWidth({act_width}), .ActKind(bw_pkg::{act_kind}), .WeightWidth({weight_width}),
    .WeightKind(bw_pkg::{weight_kind}), .Beats({beats}), .SumWidth({sum_width}), .Mul(bw_pkg::{mul})
  ) u_dot (
    .clk_i, .rst_ni, .en_i(s_ready_o), .valid_i(s_valid_i), .last_i(last), .act_i(s_data_i[{act_bits}-1:0]),
    .weight_i(s_data_i[{bits}-1:{act_bits}]), .valid_o(m_valid_o), .sum_o(m_data_o)
  );
  if (bw_pkg::dot_acc_latency({simd}, {act_width}, bw_pkg::{act_kind}, {weight_width}, bw_pkg::{weight_kind}, bw_pkg::{mul})
      != {latency}) begin : gen_latency
    $error("latency.py and bw_pkg differ");
  end
endmodule
"""


@dataclass(frozen=True)
class Dot:
    """One parameter set; SumWidth is what the sum needs, so the accumulator may wrap but the result may not."""

    acts: str
    weights: str
    simd: int
    beats: int = 1
    mul: Multiplier = "MulLut"
    short: int = 0  # bits that SumWidth lacks

    @property
    def types(self) -> tuple[Tensor, Tensor]:
        """Of the bits; the codes of powers of two are plain binary."""
        codes = f"UINT{self.weights.removeprefix('POW')}" if self.powers else self.weights
        return Tensor("act", (1,), self.acts), Tensor("weight", (1,), codes)

    @property
    def powers(self) -> bool:
        return self.weights.startswith("POW")

    @property
    def sum_width(self) -> int:
        act, weight = self.types
        ends = (1 << (1 << weight.width - 1) - 2,) if self.powers else weight.limits
        limit = self.beats * self.simd * max(abs(a * w) for a in act.limits for w in ends)
        return limit.bit_length() + 1 - self.short

    def unit(self, name: str, folder: Path) -> Unit:
        act, weight = self.types
        bits = self.simd * (act.width + weight.width)
        sum_width, act_kind, weight_kind = self.sum_width, _kind(act), "Power" if self.powers else _kind(weight)
        text = WRAPPER.format(
            top=name, bits=bits, act_bits=self.simd * act.width, beats=self.beats, simd=self.simd, act_width=act.width,
            act_kind=act_kind, weight_width=weight.width, weight_kind=weight_kind, sum_width=sum_width, mul=self.mul,
            latency=dot_acc_latency(self.simd, act_width=act.width, act_kind=act_kind, weight_width=weight.width,
                                    weight_kind=weight_kind, mul=self.mul),
        )
        path = folder / f"{name}.sv"
        path.write_text(text)
        source = StreamPort("", "in", 1, bits, self.beats)
        sink = StreamPort("", "out", sum_width, 1, 1, signed=True)
        return Unit(name, name, (path,), source, sink, self.golden, axi=False)

    def frames(self, rng: np.random.Generator) -> IntArray:
        """``[FRAMES, beats * bits]``; the first sixteen are all pairs of constant operands at the ends of the ranges."""
        operands = []
        for index, tensor in enumerate(self.types):
            low, high = tensor.limits
            values = rng.integers(low, high, (FRAMES, self.beats, self.simd), endpoint=True)
            ends = (low, high, 0 if low < 0 else high // 2, min(high, 1))
            if self.powers and index:
                ends = (high - 1, high // 2 - 1, high // 2, high)  # the largest, and 0 of either sign
            for frame in range(16):
                values[frame] = ends[frame % 4 if index else frame // 4]
            values[16:20] = np.where(rng.random(values[16:20].shape) < 0.5, *ends[:2])
            if tensor.dtype == "BIPOLAR":
                values = np.where(values > 0, 1, -1)
            codes = (values + 1) // 2 if tensor.dtype == "BIPOLAR" else values
            operands.append(((codes[..., None] >> np.arange(tensor.width)) & 1).reshape(FRAMES, self.beats, -1))
        return np.concatenate(operands, axis=2).reshape(FRAMES, -1)

    def golden(self, frames: IntArray) -> IntArray:
        act, weight = self.types
        bits = frames.reshape(len(frames), self.beats, -1)
        split = self.simd * act.width
        weights = _decode(bits[..., split:], weight)
        if self.powers:
            exponents = weights % (1 << weight.width - 1)
            magnitudes = np.where(exponents == (1 << weight.width - 1) - 1, 0, 1 << exponents)
            weights = np.where(weights >> weight.width - 1, -magnitudes, magnitudes)
        sums = np.sum(_decode(bits[..., :split], act) * weights, axis=(1, 2))[:, None]
        if self.short:
            half = 1 << self.sum_width - 1
            sums = (sums + half) % (2 * half) - half
        return sums


def _kind(tensor: Tensor) -> Kind:
    if tensor.dtype == "BIPOLAR":
        return "Bipolar"
    if tensor.dtype == "TERNARY":
        return "Ternary"
    return "Signed" if tensor.signed else "Unsigned"


def _decode(bits: IntArray, tensor: Tensor) -> IntArray:
    codes = bits.reshape(*bits.shape[:-1], -1, tensor.width) @ (1 << np.arange(tensor.width))
    if tensor.dtype == "BIPOLAR":
        return 2 * codes - 1
    return np.where(codes > tensor.limits[1], codes - (1 << tensor.width), codes)


def _run(dots: list[Dot], folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    units = [dot.unit(f"dot{index}", folder) for index, dot in enumerate(dots)]
    inputs = {unit.name: dot.frames(rng) for unit, dot in zip(units, dots, strict=True)}
    model = bundle(units, folder)
    check(model, units, inputs)
    for stalls in STALLS:
        check(model, units, inputs, stalls=stalls, seed=seed, x_seeds=(seed,))
    check(model, units, inputs, stalls=STALLS[0], seed=seed, reset_at=17)


@pytest.mark.parametrize("seed", [1])
def test_type_pairs(tmp_path: Path, seed: int) -> None:
    simds, beats = (1, 2, 3, 5, 7, 16), (1, 3)
    pairs = [(act, weight) for act in ACTS for weight in WEIGHTS]
    _run([Dot(act, weight, simds[i % 6] if weight != "INT8" else simds[i % 4], beats[i % 2])
          for i, (act, weight) in enumerate(pairs)], tmp_path, seed)


@pytest.mark.parametrize("seed", [2])
def test_sizes_and_multipliers(tmp_path: Path, seed: int) -> None:
    _run([
        Dot("BIPOLAR", "BIPOLAR", 49, 2), Dot("BIPOLAR", "BIPOLAR", 1), Dot("UINT2", "INT2", 36), Dot("INT2", "TERNARY", 20, 2),
        Dot("INT16", "INT2", 6), Dot("INT20", "BIPOLAR", 3, 2), Dot("UINT3", "UINT2", 5), Dot("BIPOLAR", "INT4", 11, 4),
        Dot("UINT8", "INT8", 5, 2, "MulDsp"), Dot("BIPOLAR", "INT6", 3, 1, "MulDsp"), Dot("INT5", "BIPOLAR", 4, 3, "MulDsp"),
        Dot("BIPOLAR", "BIPOLAR", 6, 2, "MulDsp"), Dot("UINT6", "UINT7", 3, 2), Dot("INT7", "UINT6", 2),
        Dot("INT6", "INT7", 4, 2), Dot("UINT5", "INT8", 3),
    ], tmp_path, seed)


@pytest.mark.parametrize("seed", [4])
def test_shifts(tmp_path: Path, seed: int) -> None:
    _run([
        Dot("UINT4", "POW4", 1, 3), Dot("UINT4", "POW4", 4, 2), Dot("INT4", "POW4", 7), Dot("UINT8", "POW4", 9, 2),
        Dot("INT4", "POW3", 2, 3), Dot("UINT1", "POW3", 5), Dot("INT8", "POW3", 3, 2), Dot("INT2", "POW4", 16, 2),
        Dot("UINT8", "POW3", 13), Dot("UINT4", "POW4", 6, 2, short=4), Dot("INT3", "POW3", 4, 1, short=1),
    ], tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3])
def test_large(tmp_path: Path, seed: int) -> None:
    _run([Dot("BIPOLAR", "BIPOLAR", 784), Dot("UINT2", "INT2", 196), Dot("INT4", "INT4", 48)], tmp_path, seed)
