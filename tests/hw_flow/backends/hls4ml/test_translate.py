"""Every layer of hls4ml's arithmetic equals the golden model, on random networks; see `interpreter`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from hw_flow.backends import inputs
from hw_flow.backends.hls4ml.check import check, frames_for
from hw_flow.backends.hls4ml.netlist import Abilities, Netlist
from hw_flow.backends.hls4ml.settings import HlsSettings, Tool, abilities
from hw_flow.backends.hls4ml.translate import translate
from hw_flow.errors import FlowError
from hw_flow.frontend import compile_qonnx
from hw_flow.ir import Graph
from tests.hw_flow.backends.hls4ml import interpreter
from tests.hw_flow.qonnx_graphs import random_graph
from tests.hw_flow.qonnx_random import random_mlp

# What hls4ml has no exact layer for; each is refused by name.
REFUSED = ("is neither a line", "has no layer", "a dilation of", "a two-dimensional kernel on", "pads a largest-of pool",
           "reads padding or a window", "a table of", "for Vitis and Vivado only")


def _translated(graph: Graph, able: Abilities) -> Netlist | None:
    """Its layers, or None where it is refused for a known reason."""
    try:
        return translate(graph, able)
    except FlowError as error:
        if not any(reason in str(error) for reason in REFUSED):
            raise
        return None


@pytest.mark.parametrize(("first", "tool", "least"), [(0, "Vitis", 36), (40, "Vivado", 36), (80, "Quartus", 25)])
def test_equals_the_golden_model_layer_by_layer_on_random_networks(first: int, tool: Tool, least: int, tmp_path: Path) -> None:
    compared, able = 0, abilities(HlsSettings(tool=tool))
    for seed in range(first, first + 40):
        network = random_graph(seed) if seed % 2 else random_mlp(seed)
        path = tmp_path / f"{seed}.onnx"
        onnx.save(network.model, str(path))
        program = compile_qonnx(path, input_type=network.input_type, input_scale=network.input_scale)
        netlist = _translated(program.graph, able)
        if netlist is None:
            continue
        integers = program.quantise_input(inputs.random_frames(program, 6, seed))
        found = interpreter.run(netlist, frames_for(netlist, integers))
        checked = check(program.graph, netlist, integers, found)
        assert checked.fault is None, f"seed {seed}: {checked.fault}"
        assert np.array_equal(checked.outputs[program.graph.outputs[0]], checked.golden[program.graph.outputs[0]])
        compared += 1
    assert compared >= least
