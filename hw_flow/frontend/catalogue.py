"""The table of supported operators, docs/operators.md: ``python -m hw_flow.frontend.catalogue`` writes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hw_flow.frontend import support
from hw_flow.frontend.activation import MAX_ENTRIES, MAX_SCALED, MAX_TABLE
from hw_flow.frontend.implied import MAX_LEVELS as MAX_IMPLIED
from hw_flow.frontend.load import MAX_BYTES, OLDEST_OPSET
from hw_flow.frontend.quantise import WIDEST as WIDEST_QUANT
from hw_flow.frontend.requantise import MAX_SHIFT
from hw_flow.frontend.rounding import ROUNDING
from hw_flow.frontend.thresholds import MAX_LEVELS
from hw_flow.frontend.weights import WIDEST as WIDEST_WEIGHT


@dataclass(frozen=True)
class Entry:
    """Some operators that share a fate: what they become in hardware, and the limits of that."""

    operators: tuple[str, ...]
    becomes: str
    limits: str


_SMOOTH = ("Sigmoid", "Tanh", "Erf", "Exp", "Softplus", "Softsign", "Elu", "Selu", "Celu", "Gelu", "Mish", "Swish", "HardSwish",
           "Reciprocal", "Sqrt", "Pow")
_STEPS = ("Relu", "LeakyRelu", "PRelu", "Clip", "HardSigmoid", "Abs", "Sign", "Floor", "Ceil", "Round", "Max", "Min")
_FUNCTION = "part of the function between integers and the next quantiser"

SECTIONS: dict[str, tuple[Entry, ...]] = {
    "Layers": (
        Entry(("Conv",), "SlidingWindow and MVAU; VVAU where each channel has its own kernel; one MVAU per group else",
              f"1-D and 2-D, any kernel, stride, dilation and padding (pads or auto_pad). Weights of up to "
              f"{WIDEST_WEIGHT} bits: Quant, "
              "BipolarQuant, DequantizeLinear, or plain numbers that are integers times a scale (one, or one per "
              "output). Padding "
              "needs an integer that stands for 0; bipolar data are padded as ternary ones."),
        Entry(("MatMul", "Gemm"), "MVAU", "Constant weights as for Conv, the activation first; bias and both Gemm factors; "
              "flattened maps without any node. Channels of different scales if those are small multiples of one."),
        Entry(("MaxPool", "GlobalMaxPool", "ReduceMax"), "SlidingWindow and Pool, or GlobalPool",
              "Any kernel, stride, padding, dilation, ceil_mode. The function before it rises on every channel, or is affine."),
        Entry(("AveragePool", "GlobalAveragePool", "ReduceMean"), "SlidingWindow and Pool, or GlobalPool; its factor "
              "goes to the scale",
              "Padding with count_include_pad and without ceil_mode. ReduceMean over rows, columns or both. QONNX's "
              "QuantAvgPool2d and Brevitas' TruncAvgPool too."),
    ),
    "Quantisers": (
        Entry(("Quant", "IntQuant"), "thresholds, a table, or multiply and shift: see below",
              f"1 to {WIDEST_QUANT} bits, signed or not, narrow; scale and zero point per tensor or per channel, of "
              f"any sign; rounding "
              + ", ".join(sorted(ROUNDING)) + ". Scales, zero points and bit widths are constants. Per-channel scales "
              "of the input "
              "of a layer: see Conv."),
        Entry(("BipolarQuant",), "one threshold", "Scale per tensor or per channel."),
        Entry(("MultiThreshold",), "thresholds", "Any data_layout, out_scale and out_bias; one row, or one per channel."),
        Entry(("Trunc",), "thresholds, a table, or multiply and shift", "Both versions of QONNX; rounding as for Quant."),
        Entry(("QuantizeLinear", "DequantizeLinear"), "thresholds, a table, or multiply and shift; scale and offset",
              "int4, uint4, int8, uint8, int16, uint16; per tensor or along an axis; a Clip between the two."),
    ),
    "Element-wise operators": (
        Entry(("Add", "Sub", "Mul", "Div", "Neg", "BatchNormalization"),
              f"{_FUNCTION}, or of the scale and offset of integers", "The other operand is constant, per tensor or "
              "per channel."),
        Entry(_STEPS, _FUNCTION, "Constant operands, per channel where ONNX has it. Between a quantiser and a layer "
              "without another "
              f"quantiser if all values stay on one grid of at most {MAX_IMPLIED:,} levels (Quant, Relu, Conv)."),
        Entry(_SMOOTH, _FUNCTION, "Pow with a constant whole exponent up to 16, 0.5, -0.5 or -1. Sqrt and Reciprocal "
              "where the integers "
              "cannot leave their domain."),
    ),
    "Joins of two activations": (
        Entry(("Add", "Sub", "Mul", "Div", "Max", "Min"), _FUNCTION, "Both operands are functions of the same "
              "integers: SiLU, GELU, "
              "Mish, skips around activations."),
        Entry(("Add", "Sub"), "Add, with thresholds", "Integers whose scales have one ratio of small whole numbers (powers of "
              "two, equal scales), the same on all channels; one operand may be broadcast. A Sum is read as Adds from left to "
              "right."),
        Entry(("Mul",), "Multiply, with thresholds", "Integers with whole zero points; one operand may be broadcast "
              "(squeeze and excitation)."),
        Entry(("Concat",), "Concat", "Along the channels; along positions with a Reorder on each operand."),
    ),
    "Moves": (
        Entry(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Cast"), "nothing",
              "Cast to float. The batch stays the first axis."),
        Entry(("Transpose",), "nothing where only the file's layout changes; else Reorder", "The batch stays the first axis."),
        Entry(("Slice", "Split", "Gather", "Tile"), "Slice, or Reorder",
              "Any axis but the batch; constant, evenly spaced indices."),
        Entry(("Pad",), "padding of the convolution behind it, or SlidingWindow", "A constant number for which an integer "
              "stands, around the positions."),
        Entry(("Resize", "Upsample", "DepthToSpace", "SpaceToDepth"), "Reorder", "Nearest neighbour by whole factors (scales, "
              "sizes or axes), asymmetric or half_pixel; DCR and CRD."),
    ),
    "Ends": (
        Entry(("TopK", "ArgMax"), "LabelSelect", "k = 1, indices only, over the channels, behind the same strictly "
              "rising function on "
              "all channels; else on the host."),
        Entry(("Softmax", "LogSoftmax"), "nothing before TopK or ArgMax; else on the host", "At the end."),
    ),
    "Constants": (
        Entry(tuple(sorted(support.FOLDED - {"Concat", "Gather", "Slice", "Sqrt"})), "folded", "On constants and shapes."),
    ),
}

_DOMAINS = ", ".join(f"`{name}`" for name in sorted(support.CUSTOM_DOMAINS))
HEAD = f"""# Operators

Generated by `python -m hw_flow.frontend.catalogue`; a test keeps it true.

ONNX opset {OLDEST_OPSET} and newer; quantisers in the domains {_DOMAINS}.
Files of up to {MAX_BYTES >> 30} GiB with one input and one output, fixed sizes but the batch. Any graph without cycles;
channels first or last. What stands before the first quantiser of a float input, or behind the last integer, runs on the host and
is listed. Anything else is refused in one line that names the node, the reason and a remedy.

"""
TAIL = f"""## Functions
Everything between integers and a quantiser is one function of an integer, evaluated exactly over its whole range. It becomes

* thresholds inside the layer's unit: monotone, up to {MAX_LEVELS:,} levels; up to 6 bits nothing else is considered;
* multiply, add and shift (shift at most {MAX_SHIFT}), where a line, or the sum of two, gives the same thresholds, up to
  {MAX_SCALED + 1:,} levels;
* a table, up to {MAX_TABLE:,} inputs and {MAX_ENTRIES:,} entries of all channels;
* the difference of two multi-thresholds, if it both rises and falls;

whichever costs least by the one rule in `hw_flow/frontend/activation.py`; else it is refused.
"""


def render() -> str:
    """The page."""
    lines = [HEAD.rstrip(), ""]
    for title, entries in SECTIONS.items():
        lines += [f"## {title}", "| operators | become | limits |", "|---|---|---|"]
        lines += [f"| {', '.join(entry.operators)} | {entry.becomes} | {entry.limits} |" for entry in entries]
        lines.append("")
    refused = [f"| {name} | {text} |" for name, text in sorted(support.INSTEAD.items())]
    table = ["", "## Refused with a remedy", "| operator | why, and what instead |", "|---|---|", *refused, ""]
    return "\n".join([*lines, TAIL.rstrip(), *table])


def supported() -> frozenset[str]:
    """Every operator that the front end accepts."""
    return (support.LINEAR | support.POOLS | support.GLOBAL_POOLS | support.MOVES | support.QUANTISERS | support.LAYOUT
            | support.ELEMENTWISE | support.TAIL | support.FOLDED)


def main() -> None:
    """Write the page."""
    path = Path(__file__).parents[2] / "docs" / "operators.md"
    path.write_text(render(), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
