"""A node whose weights and thresholds are constants of its logic."""

from __future__ import annotations

from hw_flow.errors import FlowError
from hw_flow.folding import NodeFolding
from hw_flow.ir import MVAU, Graph, Thresholding
from hw_flow.rtl.constant import unit_logic
from hw_flow.rtl.constant.emit import logic_module
from hw_flow.rtl.wrappers.module import Module, comment, instance, wrapper


def constant_unit(node: MVAU | Thresholding, graph: Graph, folding: NodeFolding, module: str, *, cut: bool) -> Module:
    """The unrolled unit of ``node``: a vector a cycle, latency `Pipeline.stages` and one more with ``cut``.

    Elements that nothing in ``graph`` reads are 0.

    Raises
    ------
    FlowError : the output type does not hold the result.
    """
    source, out = graph.input_of(node), graph.output_of(node)
    _check_output(node, graph)
    logic = unit_logic(node, graph, folding)
    stages = logic.pipeline.stages
    in_width, out_width = logic.netlist.inputs, len(logic.outputs)
    if isinstance(node, MVAU):
        kind, shared = "mvau", f", shared by {logic.way}"
        what = f"{node.mh} x {node.mw} {node.weight_dtype} by {source.dtype} to {out.dtype}"
    else:
        kind, shared, what = "thresholding", "", f"{source.channels} channels of {source.dtype} to {out.dtype}"
    body = [
        "  logic en;",
        f"  logic [{out_width - 1}:0] result;",
        "",
        f"  {module}_logic u_logic (",
        "    .clk_i (clk_i),",
        "    .rst_ni(rst_ni),",
        "    .en_i  (en),",
        "    .x_i   (s_data_i),",
        "    .y_o   (result)",
        "  );",
        "",
    ]
    kernel = instance("bw_constant", {"Stages": stages, "OutWidth": out_width, "OutputRegister": f"1'b{int(cut)}"},
                      {"data_i": None, "en_o": "en", "result_i": "result"})
    text = logic_module(f"{module}_logic", logic.netlist, logic.outputs, logic.pipeline,
                        f"{comment(node.name)} as constant logic{shared}: about {logic.luts} LUTs")
    return Module(module, kind, "bw_constant",
                  {f"{module}.sv": wrapper(module, f"{node.name}: {what}, constant", in_width, out_width, [*body, *kernel]),
                   f"{module}_logic.sv": text})


def _check_output(node: MVAU | Thresholding, graph: Graph) -> None:
    """FlowError where thresholds give more than the output type holds."""
    out, steps = graph.output_of(node), node.thresholds
    if steps is None:
        return
    low, high = steps.base, steps.base + steps.step * steps.levels
    if low < out.limits[0] or high > out.limits[1]:
        raise FlowError(f"{node.name}: thresholds give {low} to {high}, which {out.dtype} cannot represent; declare output"
                        f" '{out.name}' wider")
