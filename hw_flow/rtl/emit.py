"""From a folded graph to a directory of SystemVerilog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hw_flow.errors import FlowError
from hw_flow.folding import Folding, check, input_lanes, output_lanes
from hw_flow.ir import Graph, Tensor
from hw_flow.rtl.design import FILE, Design, Instance
from hw_flow.rtl.files import KERNELS, kernel_closure, kernel_uses, write_text
from hw_flow.rtl.names import Namer
from hw_flow.rtl.top import Link, top_module
from hw_flow.rtl.wrappers import Module, dwc_module, fifo_module, node_module
from sim.streams import StreamPort

LIBRARY = "lib"
_TOP_KERNELS = ("bw_last_counter", "bw_stream_monitor")


@dataclass(frozen=True)
class _Placed:
    module: Module
    layer: str


def emit(graph: Graph, folding: Folding, depths: Mapping[str, int], directory: Path, name: str) -> Design:
    """Write the accelerator of ``graph`` into ``directory``.

    The directory holds one module a node, FIFO and converter, the top, the kernels in ``lib/``, ``filelist.f`` for
    simulators and synthesis, and ``design.json``. The same input gives the same bytes.

    Parameters
    ----------
    folding : PE and SIMD by node name.
    depths : FIFO depth by tensor name, in beats of the producer; 0 or absent for none.
    name : of the top module, made an identifier.

    Raises
    ------
    FlowError : illegal folding, an operator without kernel, a stream that two nodes read.
    """
    check(graph, folding)
    _check_edges(graph)
    namer = Namer({*kernel_uses(), "clk_i", "rst_ni"})
    top = namer(name)
    lanes = [input_lanes(graph.nodes[0], folding[graph.nodes[0].name])]
    lanes += [output_lanes(node, folding[node.name]) for node in graph]
    edges = [_edge(graph.input_of(node), lanes[index], input_lanes(node, folding[node.name]),
                   depths.get(node.inputs[0], 0), top=top, namer=namer) for index, node in enumerate(graph)]
    placed: list[_Placed] = []
    links: list[Link] = []
    for index, (node, edge) in enumerate(zip(graph, edges, strict=True)):
        # A FIFO behind the node cuts its ready already.
        cut = index + 1 == len(edges) or all(module.kind != "fifo" for module in edges[index + 1])
        module = node_module(node, graph, folding[node.name], namer(f"{top}_{node.name}"), cut)
        placed += [_Placed(between, between.name.removeprefix(f"{top}_")) for between in edge]
        placed.append(_Placed(module, node.name))
        wanted = input_lanes(node, folding[node.name])
        links.append(Link(graph.input_of(node), node.name, tuple(edge), module, lanes[index], wanted))
    source, sink = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    inputs = (_port("s_axis", "in", source, lanes[0]),)
    outputs = (_port("m_axis", "out", sink, lanes[-1]),)
    texts = {file: text for item in placed for file, text in item.module.texts.items()}
    texts[f"{top}.sv"] = top_module(top, links, inputs[0], outputs[0], out=sink, graph=graph.name)
    kernels = kernel_closure({*_TOP_KERNELS, *(item.module.kernel for item in placed)})
    for kernel in kernels:
        texts[f"{LIBRARY}/{kernel}.sv"] = (KERNELS / f"{kernel}.sv").read_text(encoding="utf-8")
    files = (*(f"{LIBRARY}/{kernel}.sv" for kernel in kernels),
             *(file for item in placed for file in item.module.files), f"{top}.sv")
    instances = tuple(
        Instance(f"u_{item.module.name.removeprefix(f'{top}_')}", item.module.name, item.module.kind, item.layer,
                 (*(f"{LIBRARY}/{kernel}.sv" for kernel in kernel_closure([item.module.kernel])), *item.module.files))
        for item in placed
    )
    design = Design(top, directory, files, inputs, outputs, instances)
    _write(design, texts)
    return design


def _edge(tensor: Tensor, lanes: int, wanted: int, depth: int, *, top: str, namer: Namer) -> list[Module]:
    """FIFO and converter between two nodes, the FIFO where beats are wide.

    A converter passes one narrow beat a cycle; behind it, a FIFO lets the consumer read wide beats at full rate.
    """
    modules = []
    convert = lanes != wanted
    if convert and wanted > lanes:
        modules.append(dwc_module(namer(f"{top}_dwc_{tensor.name}"), tensor, lanes, wanted))
        depth = -(-depth * lanes // wanted) + 1 if depth else 0
    if depth:
        width = max(lanes, wanted) if convert else lanes
        modules.append(fifo_module(namer(f"{top}_fifo_{tensor.name}"), tensor, width, max(2, depth)))
    if convert and wanted < lanes:
        modules.append(dwc_module(namer(f"{top}_dwc_{tensor.name}"), tensor, lanes, wanted))
    return modules


def _check_edges(graph: Graph) -> None:
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        raise FlowError(f"graph '{graph.name}': {len(graph.inputs)} inputs and {len(graph.outputs)} outputs;"
                        " the rtl back end takes one of each")
    if not graph.nodes:
        raise FlowError(f"graph '{graph.name}': no node to build; all its operators run on the host")
    for name in graph.tensors:
        readers = [node.name for node in graph.consumers(name)] + ["the output"] * (name in graph.outputs)
        if len(readers) > 1:
            raise FlowError(f"tensor '{name}' is read by {', '.join(readers)}; the rtl back end takes chains only")
    chain = graph.inputs[0]
    for node in graph:
        if node.inputs != (chain,):
            raise FlowError(f"{node.name}: reads {', '.join(node.inputs)}, not '{chain}'; the rtl back end takes chains only")
        chain = node.outputs[0]
    if chain != graph.outputs[0]:
        raise FlowError(f"graph '{graph.name}': '{chain}' is read by nothing; remove the nodes behind '{graph.outputs[0]}'")


def _port(name: str, direction: str, tensor: Tensor, lanes: int) -> StreamPort:
    return StreamPort(name=name, direction="in" if direction == "in" else "out", width=tensor.width, lanes=lanes,
                      beats=tensor.elements // lanes, signed=tensor.signed, bipolar=tensor.dtype == "BIPOLAR")


def _write(design: Design, texts: Mapping[str, str]) -> None:
    """Write all files; those of an earlier design in the same place that are no longer part go."""
    directory = design.directory
    stale = set(Design.load(directory).files) if (directory / FILE).exists() else set()
    for file, text in texts.items():
        write_text(directory / file, text)
    write_text(directory / "filelist.f", "".join(f"{file}\n" for file in design.files))
    design.save()
    for file in stale - set(design.files):
        (directory / file).unlink(missing_ok=True)

