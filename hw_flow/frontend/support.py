"""What the front end takes, and how it says no."""

from __future__ import annotations

import onnx

from hw_flow.errors import FlowError

LINEAR = frozenset({"MatMul", "Gemm", "Conv"})
POOLS = frozenset({"MaxPool", "AveragePool"})
GLOBAL_POOLS = frozenset({"GlobalMaxPool", "GlobalAveragePool", "ReduceMean", "ReduceMax"})
# Operators whose first axis of the frame is the channels.
SPATIAL = frozenset({"Conv", "Pad", "Resize", "Upsample", "DepthToSpace", "SpaceToDepth"})
MOVES = frozenset({"Concat", "Gather", "Pad", "Slice", "Split", "Resize", "Tile", "Upsample", "DepthToSpace", "SpaceToDepth"})
CUSTOM_QUANTISERS = frozenset({"Quant", "IntQuant", "BipolarQuant", "MultiThreshold", "Trunc"})
QUANTISERS = CUSTOM_QUANTISERS | {"QuantizeLinear"}
LAYOUT = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout", "Cast"})
ELEMENTWISE = frozenset({
    "Abs", "Add", "BatchNormalization", "Ceil", "Celu", "Clip", "DequantizeLinear", "Div", "Elu", "Erf", "Exp", "Floor", "Gelu",
    "HardSigmoid", "HardSwish", "LeakyRelu", "Max", "Min", "Mish", "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu", "Round",
    "Selu", "Sigmoid", "Sign", "Softplus", "Softsign", "Sqrt", "Sub", "Swish", "Tanh",
})
TAIL = frozenset({"TopK", "ArgMax", "Softmax", "LogSoftmax"})
# Only on constants, folded away before anything else looks at the graph.
FOLDED = frozenset({"Shape", "Gather", "Concat", "Constant", "ConstantOfShape", "Slice", "Sqrt", "Expand"})
CUSTOM_DOMAINS = frozenset({"qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general", "finn"})

_STATISTICS = "normalises by statistics of the activation, which no integer layer can; use BatchNormalization"
_RECURRENT = "recurrent layers cannot be compiled; use convolutions over the sequence"
INSTEAD = {
    "ConvTranspose": "transposed convolutions cannot be compiled; use Resize (nearest) and Conv",
    "FloatQuant": "minifloat values are no integers times a scale; use an integer quantiser (Quant) for this layer",
    "DynamicQuantizeLinear": "its scale is computed at run time; use a quantiser with a constant scale",
    **dict.fromkeys(("GroupNormalization", "InstanceNormalization", "LayerNormalization"), _STATISTICS),
    **dict.fromkeys(("GRU", "LSTM", "QuantLSTMCell", "RNN"), _RECURRENT),
}


def check_operators(graph: onnx.GraphProto) -> None:
    """Raise FlowError for the first node that cannot be mapped, before any slow step."""
    standard = LINEAR | POOLS | GLOBAL_POOLS | MOVES | LAYOUT | ELEMENTWISE | TAIL | FOLDED | {"QuantizeLinear"}
    for node in graph.node:
        if node.op_type in CUSTOM_QUANTISERS and not node.domain:
            node.domain = "qonnx.custom_op.general"  # some exporters leave it out
    for node in graph.node:
        if node.op_type in INSTEAD:
            raise FlowError(f"{node.name} ({node.op_type}): {INSTEAD[node.op_type]}")
    for node in graph.node:
        if node.op_type in CUSTOM_QUANTISERS:
            if node.domain not in CUSTOM_DOMAINS:
                raise FlowError(f"{node.name} ({node.op_type}): unknown operator domain '{node.domain}'; "
                                "use 'qonnx.custom_op.general'")
        elif node.op_type not in standard or node.domain not in ("", "ai.onnx"):
            domain = f"{node.domain}." if node.domain else ""
            raise FlowError(f"{node.name} ({domain}{node.op_type}): this operator is not supported; replace it by "
                            "Conv, MatMul or Gemm, element-wise operators and quantisers, or cut the model before it")
