"""FIFO, width converters, thresholding and label select in Verilator against the golden model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hw_flow.folding import NodeFolding
from hw_flow.ir import Graph, LabelSelect, Tensor, Thresholding, Thresholds
from hw_flow.rtl.wrappers import dwc_module, fifo_module
from sim import StreamPort
from tests.hw_flow.rtl.bench import Unit, bundle, check_all, graph_unit, random_thresholds, wrapper_unit

LANES = [(4, 4, 8), (1, 5, 10), (4, 12, 24), (12, 4, 24), (5, 1, 10), (28, 49, 196), (49, 28, 196),
         (3, 2, 12), (2, 3, 12), (8, 6, 48)]


def _stream(direction: str, tensor: Tensor, lanes: int, elements: int) -> StreamPort:
    return StreamPort("", "in" if direction == "in" else "out", tensor.width, lanes, elements // lanes, signed=True)


def _buffers(folder: Path) -> list[Unit]:
    units = []
    tensor = Tensor("t", (1,), "INT3")
    for depth in (2, 3, 8, 13):
        module = fifo_module(f"fifo_{depth}", tensor, 3, depth)
        block = replace(module, name=f"block_{depth}", texts={f"block_{depth}.sv": module.texts[f"{module.name}.sv"].replace(
            module.name, f"block_{depth}").replace("Block(1'b0)", "Block(1'b1)")})
        for name, made in ((f"f{depth}", module), (f"b{depth}", block)):
            units.append(wrapper_unit(name, made, _stream("in", tensor, 3, 12), _stream("out", tensor, 3, 12), folder))
    for into, out, elements in LANES:
        module = dwc_module(f"dwc_{into}_{out}", tensor, into, out)
        units.append(wrapper_unit(f"d{into}_{out}", module, _stream("in", tensor, into, elements),
                                  _stream("out", tensor, out, elements), folder))
    return units


def _one(node: Thresholding | LabelSelect, source: Tensor, sink: Tensor) -> Graph:
    return Graph("one", (node,), {"x": source, "y": sink}, ("x",), ("y",))


def _thresholding(rng: np.random.Generator, source: str, out: str, shape: tuple[int, ...], *, shared: bool = False,
                  descending: bool = False) -> Graph:
    tensor = Tensor("x", shape, source)
    low, high = tensor.limits
    thresholds = random_thresholds(rng, 1 if shared else shape[-1], max(abs(low), high), out, descending)
    node = Thresholding(name="Thresholding_0", inputs=("x",), outputs=("y",), thresholds=thresholds)
    return _one(node, tensor, Tensor("y", shape, out))


def _steps(step: int, out: str, levels: int, base: int) -> Graph:
    """Thresholds each of which counts ``step``."""
    thresholds = Thresholds(np.arange(levels, dtype=np.int64)[None] * 3 - 4, np.array([False]), base, step)
    node = Thresholding(name="Thresholding_0", inputs=("x",), outputs=("y",), thresholds=thresholds)
    return _one(node, Tensor("x", (4,), "INT5"), Tensor("y", (4,), out))


def _half(channels: int) -> Graph:
    """Pixels that are bright or dark: their highest bit."""
    node = Thresholding(name="Thresholding_0", inputs=("x",), outputs=("y",),
                        thresholds=Thresholds(np.array([[128]]), np.array([False]), 0))
    return _one(node, Tensor("x", (channels,), "UINT8"), Tensor("y", (channels,), "UINT1"))


def _label(source: str, channels: int, vectors: int = 1) -> Graph:
    shape = (channels,) if vectors == 1 else (vectors, channels)
    node = LabelSelect(name="LabelSelect_0", inputs=("x",), outputs=("y",))
    bits = max(1, (channels - 1).bit_length())
    return _one(node, Tensor("x", shape, source), Tensor("y", (*shape[:-1], 1), f"UINT{bits}"))


def test_buffers(tmp_path: Path) -> None:
    units = _buffers(tmp_path)
    model = bundle(units, tmp_path)
    result = check_all(model, units, {}, seed=3)
    for unit in units:
        into, out = unit.ports
        if into.beats >= out.beats:  # one beat a cycle on the narrower side
            assert result.streams[into.name].stalls == 0, unit.name
        else:
            assert result.streams[into.name].stalls <= (out.beats - into.beats) * 24, unit.name


def test_elementwise(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    cases = {
        "pixels": (_thresholding(rng, "UINT8", "BIPOLAR", (784,), shared=True), 28),
        "levels": (_thresholding(rng, "UINT8", "UINT2", (12,)), 4),
        "down": (_thresholding(rng, "INT6", "INT4", (10,), descending=True), 5),
        "narrow": (_thresholding(rng, "INT5", "TERNARY", (3, 4)), 2),
        "bits": (_thresholding(rng, "BIPOLAR", "BIPOLAR", (8,), descending=True), 2),
        "pairs": (_thresholding(rng, "TERNARY", "UINT1", (6,)), 6),
        "deep": (_thresholding(rng, "INT12", "INT8", (12,), descending=True), 2),
        "step2": (_steps(2, "INT3", 3, -4), 2),
        "step3": (_steps(3, "UINT4", 5, 0), 2),
        # All channels at once: constant logic.
        "c_half": (_half(20), 20),
        "c_levels": (_thresholding(rng, "UINT8", "UINT2", (5, 3)), 3),
        "c_down": (_thresholding(rng, "INT6", "INT4", (4,), descending=True), 4),
        "c_bits": (_thresholding(rng, "BIPOLAR", "BIPOLAR", (6,), descending=True), 6),
        "c_deep": (_thresholding(rng, "INT12", "INT6", (2,), descending=True), 2),
        "label1": (_label("INT4", 10), 1),
        "label5": (_label("INT4", 10), 5),
        "label7": (_label("UINT3", 7), 7),
        "label3": (_label("INT9", 9, 2), 3),
        "one": (_label("INT3", 1), 1),
        "sign": (_label("BIPOLAR", 6), 2),
    }
    units = [graph_unit(name, graph, {graph.nodes[0].name: NodeFolding(pe)}, tmp_path) for name, (graph, pe) in cases.items()]
    types = {name: graph.tensors["x"].dtype for name, (graph, _) in cases.items()}
    assert [unit.name for unit in units if any(path.name.endswith("_logic.sv") for path in unit.files)] == [
        "pairs", "c_half", "c_levels", "c_down", "c_bits", "c_deep"]
    result = check_all(bundle(units, tmp_path), units, types, seed=7)
    for unit in units:
        assert result.streams[unit.ports[0].name].stalls == 0, unit.name  # one beat a cycle
