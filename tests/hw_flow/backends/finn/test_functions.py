"""FINN's element-wise functions, embeddings and changes of shape on our nodes."""

import numpy as np
import pytest

from hw_flow.backends.finn.functions import OPERATIONS
from hw_flow.backends.finn.importer import import_graph
from hw_flow.errors import FlowError
from tests.hw_flow.backends.finn.hardware_graphs import Builder
from tests.hw_flow.backends.finn.test_importer import equal


def requant(dtype, scale, bias, out, levels):
    """A requantisation of `dtype` with FINN's Python."""
    builder = Builder((2,), dtype, 3)
    scale, bias = np.float32(scale), np.float32(bias)
    return builder.add("Requant_rtl", {"t": ((2,), out)}, {"PE": 1, "narrow": 0},
                       lambda x: np.clip(np.floor(x.astype(np.float32) * scale + bias + np.float32(0.5)), *levels),
                       constants=(np.atleast_1d(scale), np.atleast_1d(bias)))


@pytest.mark.parametrize(("dtype", "kind"), [("INT8", "Lookup"), ("INT14", "Thresholding")])
@pytest.mark.parametrize(("scale", "bias"), [(0.3, 0.25), ([0.02, -0.01], [1.5, -2.0])])
def test_requant(dtype, kind, scale, bias):
    builder = requant(dtype, scale, bias, "INT4", (-8, 7))
    low = -128 if dtype == "INT8" else -8192
    imported = equal(builder, builder.rng.integers(low, -low, (500, 2)))
    assert [type(node).__name__ for node in imported.graph] == [kind]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("first", [False, True])
def test_operations_with_a_constant(operation, first):
    builder = Builder((3,), "UINT4", 1)
    constant, function = np.asarray([3, 0, 9]), OPERATIONS[operation]
    builder.add(f"Elementwise{operation}_hls", {"t": ((3,), "UINT4")}, {"PE": 1},
                lambda x: function(constant, x) if first else function(x, constant), constants=(constant.astype(np.float32),))
    if first:
        node = builder.nodes[0]
        object.__setattr__(node, "inputs", (node.inputs[1], node.inputs[0]))
    equal(builder, builder.rng.integers(0, 16, (40, 3)))


def test_embedding():
    builder = Builder((5,), "UINT3", 2)
    rows = builder.rng.integers(-8, 8, (6, 3))
    builder.add("Lookup_hls", {"t": ((5, 3), "INT4")}, {"NumEmbeddings": 6, "EmbeddingDim": 3}, lambda x: rows[x],
                constants=(rows.astype(np.float32),))
    equal(builder, builder.rng.integers(0, 6, (20, 5)))


def test_shapes():
    """Pixels repeated, a border cut off, one token taken."""
    builder = Builder((2, 3, 2), "INT3", 4)
    builder.add("UpsampleNearestNeighbour_hls", {"up": ((4, 9, 2), "INT3")},
                {"HI": 2, "WI": 3, "HO": 4, "WO": 9, "NumChannels": 2, "SIMD": 1},
                lambda x: x.repeat(2, axis=1).repeat(3, axis=2))
    builder.add("Crop_rtl", {"crop": ((2, 6, 2), "INT3")},
                {"ImgDim": [4, 9], "CropNorth": 1, "CropSouth": 1, "CropWest": 2, "CropEast": 1, "NumChannels": 2, "SIMD": 1},
                lambda x: x[:, 1:3, 2:8])
    builder.add("Reshape_rtl", {"flat": ((12, 2), "INT3")}, {}, lambda x: x.reshape(len(x), 12, 2))
    builder.add("SelectToken_rtl", {"token": ((2,), "INT3")}, {"NumTokens": 12, "NumChannels": 2, "TokenIndex": -2, "SIMD": 1},
                lambda x: x[:, -2])
    equal(builder, builder.rng.integers(-4, 4, (5, 2, 3, 2)))


def two_streams():
    """A matrix unit that reads its weights from a stream."""
    builder = Builder((4,), "INT4")
    builder.add("DuplicateStreams_hls", {"other": ((4,), "INT4")}, {}, lambda x: x)
    return builder.add("MVAU_rtl", {"t": ((4,), "INT16")}, {"PE": 1, "SIMD": 1}, lambda x, y: x, inputs=("in", "other"))


REFUSALS = {
    "Requant_rtl_0 (Requant_rtl): its input INT24 has too many values for a table; give the tensor in front fewer bits":
        lambda: requant("INT24", 0.3, 0.0, "INT4", (-8, 7)),
    "ElementwiseBitwiseXor_hls_0 (ElementwiseBitwiseXor_hls): a table of 65,536 entries has no kernel of ours; give the tensor "
    "in front fewer bits":
        lambda: Builder((3,), "UINT16").add("ElementwiseBitwiseXor_hls", {"t": ((3,), "UINT16")}, {}, lambda x: x,
                                            constants=(np.full(1, 5.0),)),
    "ElementwiseMul_hls_0 (ElementwiseMul_hls): its constant 0.5 is no integer, and FINN computes in floating point; put a "
    "quantiser behind the scale or bias":
        lambda: Builder((3,), "INT4").add("ElementwiseMul_hls", {"t": ((3,), "FLOAT32")}, {}, lambda x: x,
                                          constants=(np.full(1, 0.5),)),
    "Lookup_hls_0: looks INT4 up in 10 rows; the simulation takes unsigned indices below 4,096":
        lambda: Builder((3,), "INT4").add("Lookup_hls", {"t": ((3, 2), "INT4")}, {}, lambda x: x, constants=(np.zeros((10, 2)),)),
    "UpsampleNearestNeighbour_hls_0: repeats pixels of 2 x 2 to 3 x 3; give whole factors":
        lambda: Builder((2, 2, 1), "UINT4").add("UpsampleNearestNeighbour_hls", {"t": ((3, 3, 1), "UINT4")},
                                                {"HI": 2, "WI": 2, "HO": 3, "WO": 3}, lambda x: x),
    "HWSoftmax_hls_0 (HWSoftmax_hls): no kernel of ours stands in for it; end the network before it":
        lambda: Builder((3,), "INT4").add("HWSoftmax_hls", {"t": ((3,), "FLOAT32")}, {}, lambda x: x),
    "MVAU_rtl_0: multiplies two streams, 'in' and 'other'; the simulation takes constant weights, end the network before it":
        two_streams,
}


@pytest.mark.parametrize("text", REFUSALS)
def test_refusals(text):
    with pytest.raises(FlowError) as fault:
        import_graph(REFUSALS[text]().finish(), "net")
    assert str(fault.value) == text
