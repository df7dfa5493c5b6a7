"""Repair of one-bit unsigned quantisers in Brevitas' QONNX export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from models import MLP


def restore_unsigned_bits(graph: Any, model: MLP) -> None:
    """Turn the BipolarQuant that Brevitas writes for UINT1 into a Quant of one unsigned bit, in place.

    Brevitas 0.13.4 chooses the node by bit width alone, so the values 0 and 1 would become -1 and 1.

    Parameters
    ----------
    graph : ONNX GraphProto as exported, nodes in topological order.
    """
    from onnx import helper, numpy_helper

    constants = {tensor.name for tensor in graph.initializer}
    constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    moving = [
        index
        for index, node in enumerate(graph.node)
        if node.op_type in ("Quant", "BipolarQuant") and node.input[0] not in constants
    ]
    for index, name in zip(moving, (model.bits.input, *model.bits.activations), strict=True):
        node = graph.node[index]
        if name != "UINT1" or node.op_type != "BipolarQuant":
            continue
        values = {f"{node.output[0]}_zero_point": 0.0, f"{node.output[0]}_bits": 1.0}
        graph.initializer.extend(numpy_helper.from_array(np.asarray(value, np.float32), key) for key, value in values.items())
        node.CopyFrom(
            helper.make_node(
                "Quant", [*node.input, *values], list(node.output), name=node.name, domain=node.domain,
                signed=0, narrow=0, rounding_mode="ROUND",
            )
        )
