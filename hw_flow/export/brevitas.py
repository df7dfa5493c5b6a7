"""What is done to Brevitas' QONNX export before it is cleaned up: order noted, one-bit unsigned quantisers repaired."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from models import Network


QUANTISERS, PRODUCTS = ("Quant", "BipolarQuant"), ("MatMul", "Gemm", "Conv")
_ORDER = re.compile(r"call (\d+)")


def note_order(graph: Any) -> None:
    """Number the activation quantisers and the matrix products as Brevitas calls them: cleaning up sorts branches anew.

    The number goes into each node's ``doc_string``, which changes nothing for a reader.
    """
    for kinds in (QUANTISERS, PRODUCTS):
        for index, node in enumerate(_moving(graph, kinds)):
            node.doc_string = f"call {index}"


def in_order(nodes: Iterable[Any]) -> list[Any]:
    """Those of ``nodes`` that `note_order` numbered, by their number."""
    found = [(match, node) for node in nodes if (match := _ORDER.fullmatch(node.doc_string))]
    return [node for _, node in sorted(found, key=lambda pair: int(pair[0][1]))]


def _moving(graph: Any, kinds: tuple[str, ...]) -> list[Any]:
    """Nodes of these kinds whose first input is no constant, in the file's order."""
    constants = {tensor.name for tensor in graph.initializer}
    constants |= {node.output[0] for node in graph.node if node.op_type == "Constant"}
    return [node for node in graph.node if node.op_type in kinds and node.input[0] not in constants]


@contextmanager
def quantised_weights(model: Network) -> Iterator[None]:
    """Put the quantised weights of codebooks and of A2Q in the place of the weights.

    Brevitas 0.13.4 computes them for the export, and then writes a plain Quant of the weights themselves, which rounds to
    nearest on the whole grid. Of the quantised weights that Quant makes what they are.
    """
    import torch

    from models.accumulator import HeldIntQuant
    from models.codebook import CodebookQuant

    held = [layer.linear for layer in model.layers
            if isinstance(getattr(layer.linear.weight_quant, "tensor_quant", None), CodebookQuant | HeldIntQuant)]
    kept = [linear.weight.detach().clone() for linear in held]
    with torch.no_grad():
        exact = [linear.quant_weight().value.clone() for linear in held]
        for linear, value in zip(held, exact, strict=True):
            linear.weight.copy_(value)
    try:
        yield
    finally:
        with torch.no_grad():
            for linear, value in zip(held, kept, strict=True):
                linear.weight.copy_(value)


def restore_unsigned_bits(graph: Any, model: Network) -> None:
    """Turn the BipolarQuant that Brevitas writes for UINT1 into a Quant of one unsigned bit, in place.

    Brevitas 0.13.4 chooses the node by bit width alone, so the values 0 and 1 would become -1 and 1.

    Parameters
    ----------
    graph : ONNX GraphProto as exported, nodes in topological order.
    """
    from onnx import helper, numpy_helper

    for node, name in zip(_moving(graph, QUANTISERS), (site.dtype for site in model.sites()), strict=True):
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
