"""What the front end takes, and how it says no."""

from __future__ import annotations

import onnx

from hw_flow.errors import FlowError

LINEAR = frozenset({"MatMul", "Gemm"})
QUANTISERS = frozenset({"Quant", "IntQuant", "BipolarQuant", "MultiThreshold"})
LAYOUT = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Dropout", "Cast"})
ELEMENTWISE = frozenset({
    "Add", "Sub", "Mul", "Div", "Pow", "Neg", "BatchNormalization", "Relu", "LeakyRelu", "PRelu", "Clip", "HardSigmoid",
    "Sigmoid", "Tanh",
})
TAIL = frozenset({"TopK", "ArgMax", "Softmax", "LogSoftmax"})
# Only on constants, folded away before anything else looks at the graph.
FOLDED = frozenset({"Shape", "Gather", "Concat", "Constant", "ConstantOfShape", "Slice", "Sqrt", "Expand"})
CUSTOM_DOMAINS = frozenset({"qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general", "finn"})

_PLANNED = {
    "Conv": "convolutions", "ConvTranspose": "convolutions", "MaxPool": "pooling", "AveragePool": "pooling",
    "GlobalAveragePool": "pooling", "QuantAvgPool2d": "pooling",
}


def check_operators(graph: onnx.GraphProto) -> None:
    """Raise FlowError for the first node that cannot be mapped, before any slow step."""
    standard = LINEAR | LAYOUT | ELEMENTWISE | TAIL | FOLDED
    for node in graph.node:
        if node.op_type in QUANTISERS and not node.domain:
            node.domain = "qonnx.custom_op.general"  # some exporters leave it out
    for node in graph.node:
        if node.op_type in _PLANNED:
            raise FlowError(f"{node.name} ({node.op_type}): {_PLANNED[node.op_type]} cannot be compiled yet; this version takes "
                            "fully connected networks: use MatMul or Gemm layers")
    for node in graph.node:
        if node.op_type in QUANTISERS:
            if node.domain not in CUSTOM_DOMAINS:
                raise FlowError(f"{node.name} ({node.op_type}): unknown operator domain '{node.domain}'; "
                                "use 'qonnx.custom_op.general'")
        elif node.op_type not in standard or node.domain not in ("", "ai.onnx"):
            domain = f"{node.domain}." if node.domain else ""
            raise FlowError(f"{node.name} ({domain}{node.op_type}): this operator is not supported; replace it by "
                            "MatMul/Gemm, element-wise operators and quantisers, or cut the model before it")
