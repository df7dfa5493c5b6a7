"""Nodes on several streams, and on the order of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import Add, Concat, Graph, Multiply, Node, Reorder, Slice, Tensor, Thresholds
from hw_flow.rtl import encode
from hw_flow.rtl.choose import buffer_style, multiplier
from hw_flow.rtl.wrappers.activation import table_instance, table_module, table_parameters, table_wires
from hw_flow.rtl.wrappers.lanes import check_range, recoded, signed_bits, signed_lines
from hw_flow.rtl.wrappers.module import Module, instance, node_module, stream_name, wrapper


@node_module.register
def add_module(node: Add, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """A weighted sum; it has no output register."""
    sources, pe = _sources(node, graph), folding.pe
    low, high = result_limits(node, graph)
    # Every partial sum is right modulo 2^width.
    width = encode.signed_width(low, high)
    terms = [(index, shift, minus) for index, factor in enumerate(node.coefficients) for shift, minus in digits(factor)]
    # A pair of two subtracted operands takes one more carry chain.
    terms.sort(key=lambda term: term[2])
    terms = [term for pair in zip(terms, reversed(terms), strict=True) for term in pair][:len(terms)]
    body = [f"  logic [{len(terms) - 1}:0][{pe - 1}:0][{width - 1}:0] term;"]
    for place, (index, shift, _) in enumerate(terms):
        port = f"{stream_name('s', index, len(sources))}_data_i"
        body += signed_lines(f"term[{place}]", port, sources[index], pe, width=width, shift=shift)
    parameters: dict[str, object] = {
        "Inputs": len(sources), "Terms": len(terms), "Pe": pe, "SumWidth": width,
        "Negate": f"{len(terms)}'b" + "".join(str(int(minus)) for _, _, minus in reversed(terms)),
    }
    what = f"{node.name}: " + " + ".join(f"{factor} x {tensor.dtype}"
                                         for factor, tensor in zip(node.coefficients, sources, strict=True))
    return _activated(node, node.thresholds, graph, pe=pe, limits=(low, high), module=module, kernel="bw_add", what=what,
                      parameters=parameters, body=body, ports={**_joined(len(sources)), "data_i": "term"})


def result_limits(node: Add | Multiply, graph: Graph) -> tuple[int, int]:
    """Smallest and largest sum or product, before thresholds."""
    limits = [tensor.limits for tensor in _sources(node, graph)]
    if isinstance(node, Add):
        ends = [[factor * limit for limit in own] for factor, own in zip(node.coefficients, limits, strict=True)]
        return sum(min(end) for end in ends), sum(max(end) for end in ends)
    products = [a * b for a in limits[0] for b in limits[1]]
    if node.inputs[0] == node.inputs[1]:
        low, high = limits[0]
        products = [low * low, high * high, max(0, low, -high) ** 2]
    return min(products), max(products)


@node_module.register
def multiply_module(node: Multiply, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """A product; it has no output register."""
    sources, pe = _sources(node, graph), folding.pe
    limits = result_limits(node, graph)
    widths = [signed_bits(tensor) for tensor in sources]
    # The product takes a partial sum for each bit of the second operand.
    first, second = (0, 1) if widths[0] >= widths[1] else (1, 0)
    body = []
    for name, index in (("a", first), ("b", second)):
        body += [f"  logic [{pe - 1}:0][{widths[index] - 1}:0] {name};",
                 *signed_lines(name, f"s{index}_data_i", sources[index], pe, width=widths[index])]
    parameters: dict[str, object] = {
        "Pe": pe, "AWidth": widths[first], "BWidth": widths[second],
        "SumWidth": encode.signed_width(*limits),
        "Mul": f"bw_pkg::{multiplier(folding, sources[0].width, sources[1].width)}",
    }
    what = f"{node.name}: {sources[0].dtype} x {sources[1].dtype}"
    return _activated(node, node.thresholds, graph, pe=pe, limits=limits, module=module,
                      kernel="bw_multiply", what=what, parameters=parameters, body=body,
                      ports={**_joined(2), "data_i": None, "a_i": "a", "b_i": "b"})


@node_module.register
def concat_module(node: Concat, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """Channels side by side."""
    sources, out, pe = _sources(node, graph), graph.output_of(node), folding.pe
    beats = [tensor.channels // pe for tensor in sources]
    body, wires = [], []
    for index, tensor in enumerate(sources):
        wire, lines = recoded(f"x{index}", f"{stream_name('s', index, len(sources))}_data_i", tensor, out, pe)
        body += lines
        wires.append(wire)
    parameters = {
        "Inputs": len(sources), "Beats": "{" + ", ".join(f"32'd{count}" for count in reversed(beats)) + "}",
        "Width": pe * out.width, "OutputRegister": f"1'b{int(cut)}",
    }
    ports = {**_joined(len(sources)), "data_i": "{" + ", ".join(reversed(wires)) + "}"}
    what = f"{node.name}: {' + '.join(str(tensor.channels) for tensor in sources)} channels of {out.dtype}, PE {pe}"
    text = wrapper(module, what, [tensor.width * pe for tensor in sources], out.width * pe,
                   [*body, *instance("bw_concat", parameters, ports)])
    return Module(module, "concat", "bw_concat", {f"{module}.sv": text})


@node_module.register
def slice_module(node: Slice, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """Some of the channels; it has no register."""
    source, out, pe = graph.input_of(node), graph.output_of(node), folding.pe
    wire, body = recoded("x", "s_data_i", source, out, pe)
    parameters = {"Width": pe * out.width, "Beats": source.channels // pe, "Begin": node.begin // pe, "End": node.end // pe}
    text = wrapper(module, f"{node.name}: channels {node.begin} to {node.end} of {source.channels} {source.dtype}, PE {pe}",
                   source.width * pe, out.width * pe, [*body, *instance("bw_slice", parameters, {"data_i": wire})])
    return Module(module, "slice", "bw_slice", {f"{module}.sv": text})


@node_module.register
def reorder_module(node: Reorder, graph: Graph, folding: NodeFolding, module: str, cut: bool = True) -> Module:
    """A frame buffer that is read in another order; its banks cut ready."""
    source, out, pe = graph.input_of(node), graph.output_of(node), folding.pe
    wire, body = recoded("x", "s_data_i", source, out, pe)
    counts, strides = counters(node, pe)
    beats, width = source.elements // pe, pe * out.width
    deltas, gone = [], 0
    for count, stride in zip(reversed(counts), reversed(strides), strict=True):
        deltas.append(stride - gone)
        gone += (count - 1) * stride
    parameters = {
        "Width": width, "InBeats": beats, "Levels": len(counts),
        "Counts": "{" + ", ".join(f"32'd{count}" for count in counts) + "}",
        "Deltas": "{" + ", ".join(f"32'h{delta & 0xFFFFFFFF:x}" for delta in reversed(deltas)) + "}",
        "Offset": node.offset // pe,
        "RamStyle": f'"{buffer_style(folding, 2 * beats, width)}"',
    }
    what = f"{node.name}: {list(source.shape)} to {list(out.shape)} {out.dtype}, PE {pe}"
    text = wrapper(module, what, source.width * pe, width,
                   [*body, *instance("bw_reorder", parameters, {"data_i": wire})])
    return Module(module, "reorder", "bw_reorder", {f"{module}.sv": text})


def digits(factor: int) -> list[tuple[int, bool]]:
    """(shift, negative) of each non-zero signed digit of ``factor``, the fewest there can be.

    Examples
    --------
    >>> digits(1), digits(-2), digits(7)
    ([(0, False)], [(1, True)], [(0, True), (3, False)])
    """
    found, shift, left = [], 0, abs(factor)
    while left:
        if left & 1:
            minus = left & 3 == 3
            found.append((shift, minus != (factor < 0)))
            left += 1 if minus else -1
        left >>= 1
        shift += 1
    return found


def counters(node: Reorder, pe: int) -> tuple[list[int], list[int]]:
    """Counts and strides of ``node`` in beats of ``pe`` elements, slowest first, with as few counters as possible."""
    counts, strides = list(node.counts), list(node.strides)
    if pe > 1:
        counts[-1] //= pe
        strides = [stride // pe for stride in strides[:-1]] + [1]
    found: list[tuple[int, int]] = []
    for count, stride in zip(reversed(counts), reversed(strides), strict=True):
        if count == 1:
            continue
        if found and stride == found[-1][0] * found[-1][1]:
            found[-1] = (found[-1][0] * count, found[-1][1])
        else:
            found.append((count, stride))
    found = found or [(1, 0)]
    return [count for count, _ in reversed(found)], [stride for _, stride in reversed(found)]


def _sources(node: Node, graph: Graph) -> list[Tensor]:
    return [graph.tensors[name] for name in node.inputs]


def _joined(inputs: int) -> dict[str, str]:
    """Handshakes of several inputs as vectors, input 0 lowest."""
    names = [stream_name("s", index, inputs) for index in reversed(range(inputs))]
    return {"valid_i": "{" + ", ".join(f"{name}_valid_i" for name in names) + "}",
            "ready_o": "{" + ", ".join(f"{name}_ready_o" for name in names) + "}"}


def _activated(node: Node, thresholds: Thresholds | None, graph: Graph, *, pe: int, limits: tuple[int, int], module: str,
               kernel: str, what: str, parameters: dict[str, object], body: Sequence[str],
               ports: Mapping[str, str | None]) -> Module:
    """A kernel that ends in a ``bw_activation``, with its table."""
    out = graph.output_of(node)
    table = None
    if thresholds is None:
        check_range(out, *limits)
        if out.dtype == "BIPOLAR" and any(tensor.dtype != "BIPOLAR" for tensor in _sources(node, graph)):
            raise FlowError(f"{node.name}: output '{out.name}' is BIPOLAR, an input is not; declare it TERNARY")
    else:
        table = encode.table_of_values(thresholds, out, *limits, pe=pe, name=node.name)
        parameters |= {"ThresholdBits": table.bits, "ThresholdWidth": table.threshold_width, "ThresholdFolds": table.folds}
        parameters |= table_parameters(table)
    parameters |= {"OutWidth": out.width, "OutBipolar": f"1'b{int(table is None and out.dtype == 'BIPOLAR')}"}
    wires = {**ports, "table_en_o": "memory_en", "table_addr_o": "table_addr", "table_i": "table_word" if table else "'0"}
    texts = {f"{module}_thresholds.sv": table_module(f"{module}_thresholds", table, pe, node.name)} if table else {}
    unused = [] if table else ["  logic unused_en;", "  assign unused_en = memory_en;"]
    lines = [*body, "  logic memory_en;", *table_wires(table, pe), *unused, "", *table_instance(table, module),
             *instance(kernel, parameters, wires)]
    text = wrapper(module, f"{what} to {out.dtype}, PE {pe}", [tensor.width * pe for tensor in _sources(node, graph)],
                   out.width * pe, lines)
    return Module(module, kernel.removeprefix("bw_"), kernel, {f"{module}.sv": text, **texts})
