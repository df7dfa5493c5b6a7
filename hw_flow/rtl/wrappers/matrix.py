"""The matrix unit."""

from __future__ import annotations

from collections.abc import Mapping

from qonnx.core.datatype import DataType

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, Graph
from hw_flow.rtl import encode
from hw_flow.rtl.choose import constant_logic
from hw_flow.rtl.codes import code_bits, weight_memory
from hw_flow.rtl.latency import COLUMNS
from hw_flow.rtl.memory import address_width
from hw_flow.rtl.wrappers.activation import table_instance, table_module, table_parameters, table_wires
from hw_flow.rtl.wrappers.constant import constant_unit
from hw_flow.rtl.wrappers.module import Module, comment, instance, node_module, number_kind, wrapper
from hw_flow.rtl.wrappers.weights import WeightFormat, power_codes, weight_format


@node_module.register
def mvau_module(node: MVAU, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """A matrix unit with its weights and thresholds."""
    if constant_logic(node, folding, graph):
        return constant_unit(node, graph, folding, module, cut=cut)
    shape = {"Mw": node.mw, "Mh": node.mh}
    made = weight_format(node, folding, graph)
    return matrix_unit(node, graph, folding, module, made, kind="mvau", shape=shape, lanes=folding.simd, cut=cut)


def ascending(node: MVAU) -> MVAU:
    """``node`` as it is built: `encode.straighten`, unless negated rows need levels that a codebook does not have."""
    found = encode.straighten(node)
    return node if found is not node and code_bits(found.weights) > code_bits(node.weights) else found


def matrix_unit(node: MVAU, graph: Graph, folding: NodeFolding, module: str, made: WeightFormat, *, kind: str,
                shape: Mapping[str, object], lanes: int, cut: bool) -> Module:
    """A unit of dot products with its weights and thresholds.

    Parameters
    ----------
    made : what the memory holds.
    kind : of the module; the kernel is called ``bw_<kind>`` and has the ports of ``bw_mvau``.
    shape : parameters that give the kernel its shape.
    lanes : elements of an input beat.
    """
    node = ascending(node)
    source, out = graph.input_of(node), graph.output_of(node)
    pe, simd = folding.pe, folding.simd
    weight_type = DataType[node.weight_dtype]
    weight_width = int(weight_type.bitwidth())
    columns = source.width + weight_width + (simd - 1).bit_length() + 2
    if columns > COLUMNS:
        raise FlowError(f"{node.name}: {node.weight_dtype} by {source.dtype} with SIMD {simd} makes sums of {columns} bits; at"
                        f" most {COLUMNS} are supported, use narrower types or a smaller SIMD")
    words = encode.weight_words(node, pe, simd)
    words = power_codes(words, made.width) if made.shifts else words
    word_width = pe * simd * made.width
    table = encode.table_of_mvau(node, graph, pe)
    low, high = encode.sum_limits(node.weights, source)
    sum_width = encode.signed_width(int(low.min()), int(high.max())) if table else out.width
    parameters: dict[str, object] = {
        **shape, "Pe": pe, "Simd": simd,
        "ActWidth": source.width, "ActKind": f"bw_pkg::{number_kind(source)}",
        "WeightWidth": made.width, "WeightKind": f"bw_pkg::{made.kind}", "SumWidth": sum_width, "Mul": f"bw_pkg::{made.mul}",
    }
    if kind == "mvau":
        narrow = bool(node.weights.min() > -(1 << (weight_width - 1)))
        parameters["WeightNarrow"] = f"1'b{int(narrow)}"
    if table:
        parameters |= {"ThresholdBits": table.bits, "ThresholdWidth": table.threshold_width, "ThresholdFolds": table.folds}
        parameters |= table_parameters(table)
    parameters |= {"OutWidth": out.width, "OutputRegister": f"1'b{int(cut)}"}
    what = f"{node.name}: {node.mh} x {node.mw} {node.weight_dtype} by {source.dtype} to {out.dtype}, PE {pe} SIMD {simd}"
    memory = f"{module}_weights"
    texts = {f"{memory}.sv": weight_memory(memory, words, made.width, folding, f"Weights of {comment(node.name)}")}
    addr = address_width(len(words))
    body = [
        "  logic memory_en;",
        f"  logic [{addr - 1}:0] weight_addr;",
        f"  logic [{word_width - 1}:0] weight;",
        *table_wires(table, pe),
        "",
        f"  {module}_weights u_weights (",
        "    .clk_i (clk_i),",
        "    .en_i  (memory_en),",
        "    .addr_i(weight_addr),",
        "    .data_o(weight)",
        "  );",
        "",
        *table_instance(table, module),
    ]
    ports = {"memory_en_o": "memory_en", "weight_addr_o": "weight_addr", "weight_i": "weight",
             "table_addr_o": "table_addr", "table_i": "table_word" if table else "'0"}
    if table:
        texts[f"{module}_thresholds.sv"] = table_module(f"{module}_thresholds", table, pe, node.name)
    text = wrapper(module, what, source.width * lanes, out.width * pe, [*body, *instance(f"bw_{kind}", parameters, ports)])
    return Module(module, kind, f"bw_{kind}", {f"{module}.sv": text, **texts})
