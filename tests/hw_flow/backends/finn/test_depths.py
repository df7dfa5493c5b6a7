"""FINN's FIFO depths in the place of ours."""

import json

import numpy as np
import pytest

from hw_flow import fifo
from hw_flow.backends.finn.depths import Fifo, given, taken
from hw_flow.backends.finn.importer import import_graph
from hw_flow.errors import FlowError
from tests.hw_flow.backends.finn.hardware_graphs import Builder

PLACES = ({"name": "StreamingFIFO_rtl_0", "producer": None, "reader": "MVAU_hls_0"},
          {"name": "StreamingFIFO_rtl_1", "producer": "MVAU_hls_0", "reader": "MVAU_hls_1"})


def chain():
    return Builder((8,), "UINT3").mvau(8, levels=3).mvau(4).finish()


def branches():
    """A matrix on one branch, nothing on the other: the second waits for a whole vector."""
    builder = Builder((8,), "UINT3")
    builder.add("DuplicateStreams_hls", {"a": ((8,), "UINT3"), "b": ((8,), "UINT3")}, {}, lambda x: (x, x))
    builder.last = "a"
    builder.mvau(8, levels=3)
    builder.add("ElementwiseAdd_hls", {"sum": ((8,), "UINT4")}, {"PE": 1}, np.add, inputs=(builder.last, "b"))
    return builder.finish()


def test_the_folding_files_depths(tmp_path):
    hardware, path = chain(), tmp_path / "f.json"
    path.write_text(json.dumps({"Defaults": {}, "MVAU_hls_0": {"PE": 1}, "StreamingFIFO_rtl_1": {"depth": 40}}))
    found = given(hardware, path, PLACES)
    assert found == (Fifo(40, "MVAU_hls_0", "MVAU_hls_1"),)
    imported = import_graph(hardware, "net")
    ours = fifo.depths(imported.graph, imported.folding)
    depths, notes = taken(imported, ours, found)
    tensor = imported.graph.nodes[0].outputs[0]
    assert depths == {**ours, tensor: 40}
    assert notes == ["FIFO depths: FINN's on 1 streams"]
    assert taken(imported, ours, ()) == (ours, ["FIFO depths: from our sizing; FINN finds its own in Vivado's simulator"])


def test_fifos_in_the_graph():
    builder = Builder((8,), "UINT3").mvau(8, levels=3)
    builder.add("StreamingFIFO_rtl", {"held": ((8,), "UINT2")}, {"depth": 24}, lambda x: x)
    builder.mvau(4)
    assert given(builder.finish(), None, ()) == (Fifo(24, "MVAU_hls_0", "MVAU_hls_1"),)


def test_depths_that_lock_up_are_not_taken():
    imported = import_graph(branches(), "net")
    ours = fifo.depths(imported.graph, imported.folding)
    (key,) = (key for key in ours if key.endswith("@Add_0"))
    assert taken(imported, ours, [Fifo(20, "DuplicateStreams_hls_0", "ElementwiseAdd_hls_0")])[0][key] == 20
    depths, (note,) = taken(imported, ours, [Fifo(1, "DuplicateStreams_hls_0", "ElementwiseAdd_hls_0")])
    assert depths == ours
    assert note.startswith("FIFO depths: from our sizing; with FINN's 1 the simulated kernels lock up at ")


@pytest.mark.parametrize("depth", [0, -1, 2.5, True, "9"])
def test_wrong_depths(tmp_path, depth):
    path = tmp_path / "f.json"
    path.write_text(json.dumps({"StreamingFIFO_rtl_1": {"depth": depth}}))
    with pytest.raises(FlowError) as fault:
        given(chain(), path, PLACES)
    assert str(fault.value) == f"folding file: StreamingFIFO_rtl_1: depth {depth!r}; give a whole number from 1 on"
