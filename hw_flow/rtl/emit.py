"""From a folded graph to a directory of SystemVerilog."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hw_flow.folding import Folding, check
from hw_flow.ir import Graph, Tensor
from hw_flow.rtl.design import FILE, Design, Instance
from hw_flow.rtl.edges import check_edges, edge_modules, readers, wires
from hw_flow.rtl.files import KERNELS, kernel_closure, kernel_uses, write_text
from hw_flow.rtl.names import Namer
from hw_flow.rtl.top import Plan, Stage, Way, top_module
from hw_flow.rtl.wrappers import fork_module, node_module
from sim.streams import StreamPort

LIBRARY = "lib"
_TOP_KERNELS = ("bw_last_counter", "bw_stream_monitor")


def emit(graph: Graph, folding: Folding, depths: Mapping[str, int], directory: Path, name: str, *, gauge: bool = False) -> Design:
    """Write the accelerator of ``graph`` into ``directory``.

    The directory holds one module a node, fork, FIFO and converter, the top, the kernels in ``lib/``, ``filelist.f`` for
    simulators and synthesis, and ``design.json``. The same input gives the same bytes.

    Parameters
    ----------
    graph : any acyclic graph with one input and one output.
    folding : PE and SIMD by node name.
    depths : FIFO depth by tensor name, or by ``tensor@node`` for each reader of a tensor that several read, in beats of
        the producer; 0 or absent for none.
    name : of the top module, made an identifier.
    gauge : each FIFO takes the number of beats that it may hold from an input of the top, ``limit_<n>_i`` for the n-th FIFO in
        the order of the nodes that read; for simulation with ``BW_GAUGE`` defined.

    Raises
    ------
    FlowError : illegal folding, an operator without kernel, a stream that cannot be wired.
    """
    check(graph, folding)
    check_edges(graph, folding)
    namer = Namer({*kernel_uses(), "clk_i", "rst_ni"})
    top = namer(name)
    ways: dict[str, list[Way]] = {}
    uncut = wires(graph, folding)
    stages = [_fork(graph.inputs[0], graph, folding, ways, depths=depths, top=top, namer=namer, gauge=gauge)]
    for node in graph:
        inputs = tuple(next(way for way in ways[tensor] if (way.reader.node, way.reader.index) == (node, index))
                       for index, tensor in enumerate(node.inputs))
        fork = _fork(node.outputs[0], graph, folding, ways, depths=depths, top=top, namer=namer, gauge=gauge)
        # A FIFO in front of every reader cuts the node's ready already; between constant logic nothing need.
        cut = node.outputs[0] not in uncut and any(
            all(module.kind != "fifo" for module in way.between) for way in ways[node.outputs[0]])
        module = node_module(node, graph, folding[node.name], namer(f"{top}_{node.name}"), cut)
        stages += [Stage(module, node.name, inputs, node.outputs[0]), fork]
    source, sink = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    inputs_ = (_port("s_axis", "in", source, ways[source.name][0].reader.written),)
    outputs = (_port("m_axis", "out", sink, ways[sink.name][-1].reader.written),)
    plan = Plan(top, graph, tuple(stage for stage in stages if stage is not None), ways, gauge)
    placed = plan.placed
    texts = {file: text for module, _ in placed for file, text in module.texts.items()}
    texts[f"{top}.sv"] = top_module(plan, inputs_[0], outputs[0])
    kernels = kernel_closure({*_TOP_KERNELS, *(kernel for module, _ in placed for kernel in (module.kernel, *module.helpers))})
    for kernel in kernels:
        texts[f"{LIBRARY}/{kernel}.sv"] = (KERNELS / f"{kernel}.sv").read_text(encoding="utf-8")
    files = (*(f"{LIBRARY}/{kernel}.sv" for kernel in kernels),
             *(file for module, _ in placed for file in module.files), f"{top}.sv")
    instances = tuple(
        Instance(f"u_{module.name.removeprefix(f'{top}_')}", module.name, module.kind, layer,
                 (*(f"{LIBRARY}/{kernel}.sv" for kernel in kernel_closure([module.kernel, *module.helpers])), *module.files))
        for module, layer in placed
    )
    design = Design(top, directory, files, inputs_, outputs, instances)
    _write(design, texts)
    return design


def _fork(tensor: str, graph: Graph, folding: Folding, ways: dict[str, list[Way]], *, depths: Mapping[str, int], top: str,
          namer: Namer, gauge: bool) -> Stage | None:
    """Lay the ways of ``tensor`` to its readers; the fork at their beginning if there are several."""
    taking = readers(graph, folding, tensor)
    fork = None
    if len(taking) > 1:
        module = fork_module(namer(f"{top}_fork_{tensor}"), graph.tensors[tensor], taking[0].written, len(taking))
        fork = Stage(module, module.name.removeprefix(f"{top}_"), (), tensor)
    ways[tensor] = [Way(reader, tuple(edge_modules(reader, depths, top=top, namer=namer, gauge=gauge)))
                    for reader in taking]
    return fork


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

