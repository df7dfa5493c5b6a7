"""FINN's hardware graph on our nodes gives FINN's integers."""

import numpy as np
import pytest

from hw_flow import folding
from hw_flow.backends.finn.importer import import_graph
from hw_flow.errors import FlowError
from hw_flow.ir import MVAU, SlidingWindow, execute
from tests.hw_flow.backends.finn.hardware_graphs import Builder


def equal(builder, x):
    """The imported graph, after checking every tensor that it carries against FINN's values."""
    imported = import_graph(builder.finish(), "net")
    folding.check(imported.graph, imported.folding)
    theirs = builder.run(x)
    name = imported.graph.inputs[0]
    ours = execute(imported.graph, {name: imported.levels[name].ours(x.reshape(len(x), *imported.graph.tensors[name].shape))})
    for node in imported.graph:
        tensor = node.outputs[0]
        if (isinstance(node, SlidingWindow) and node.taps > 1) or imported.names[tensor] not in theirs:
            continue
        expected = theirs[imported.names[tensor]].reshape(ours[tensor].shape)
        np.testing.assert_array_equal(ours[tensor], imported.levels[tensor].ours(expected), err_msg=node.name)
        np.testing.assert_array_equal(imported.levels[tensor].finn(ours[tensor]), expected, err_msg=node.name)
    return imported


def bits(builder, count=20):
    return builder.rng.integers(0, 2, (count, *builder.shape))


@pytest.mark.parametrize("seed", range(4))
def test_binary_network(seed):
    """Popcounts of matching bits become sums of signs, and their thresholds with them."""
    builder = Builder((12,), "BINARY", seed).mvau(8, xnor=True, levels=1, pe=4, simd=3).mvau(5, xnor=True)
    imported = equal(builder, bits(builder))
    assert [imported.graph.tensors[name].dtype for name in imported.graph.inputs] == ["BIPOLAR"]
    assert [node.weight_dtype for node in imported.graph] == ["BIPOLAR", "BIPOLAR"]
    assert imported.folding["MVAU_0"].pe == 4
    assert imported.folding["MVAU_0"].simd == 3


@pytest.mark.parametrize("seed", range(4))
def test_bits_that_others_read_stay_bits(seed):
    builder = Builder((12,), "BINARY", seed).mvau(8, xnor=True, levels=1).mvau(6, levels=3).mvau(4)
    imported = equal(builder, bits(builder))
    assert imported.graph.tensors["t0"].dtype == "BINARY"
    assert imported.graph.tensors["t1"].dtype == "UINT2"


def test_a_branch_of_bits_keeps_them_whole():
    """Bits that an XNOR unit and another one read are no signs; the XNOR unit's counts then differ by channel."""
    builder = Builder((6,), "BINARY", 1)
    builder.mvau(4, xnor=True, levels=1)
    builder.add("DuplicateStreams_hls", {"a": ((4,), "BINARY"), "b": ((4,), "BINARY")}, {}, lambda x: (x, x))
    builder.last = "a"
    builder.mvau(3, xnor=True, levels=2)
    left = builder.last
    builder.last = "b"
    builder.mvau(3, levels=3)
    right = builder.last
    builder.add("ElementwiseAdd_hls", {"sum": ((3,), "UINT4")}, {"PE": 1}, lambda x, y: x + y, inputs=(left, right))
    imported = equal(builder, bits(builder))
    assert imported.graph.tensors["t0"].dtype == "BINARY"
    assert len(imported.graph.consumers("t0")) == 2
    assert [placed.node for placed in imported.placed if placed.op_type == "DuplicateStreams_hls"] == [None]


def test_thresholds_between_integers_round_up():
    builder = Builder((4,), "INT4")
    values = np.asarray([[-2.5, 0.5, 3.0]], dtype=np.float32)
    builder.add("Thresholding_rtl", {"t": ((4,), "INT3")}, {"PE": 2, "ActVal": -2},
                lambda x: -2 + (x[..., None] >= values[0]).sum(axis=-1), constants=(values,))
    equal(builder, builder.rng.integers(-8, 8, (30, 4)))


def convolution(seed, depthwise=False, parallel=0):
    """Padding, a 3 x 3 window, and a matrix, as FINN lays them out."""
    builder = Builder((5, 6, 4), "UINT3", seed)
    builder.add("FMPadding_rtl", {"pad": ((7, 8, 4), "UINT3")}, {"Padding": [1, 1, 1, 1], "SIMD": 2},
                lambda x: np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))))

    def window(x):
        return np.stack([[x[:, y:y + 3, z:z + 3].reshape(len(x), -1) for z in range(6)] for y in range(5)]
                        ).transpose(2, 0, 1, 3)

    builder.add("ConvolutionInputGenerator_rtl", {"win": ((5, 6, 36), "UINT3")},
                {"ConvKernelDim": [3, 3], "Stride": [1, 1], "Dilation": [1, 1], "SIMD": 2, "depthwise": int(depthwise),
                 "parallel_window": parallel, "IFMChannels": 4}, window)
    return builder


@pytest.mark.parametrize("seed", range(2))
def test_dense_convolution(seed):
    builder = convolution(seed).mvau(5, levels=3, simd=4)
    imported = equal(builder, builder.rng.integers(0, 8, (3, *builder.shape)))
    assert [type(node).__name__ for node in imported.graph] == ["SlidingWindow", "SlidingWindow", "MVAU"]


@pytest.mark.parametrize("parallel", [0, 1])
def test_depthwise_convolution(parallel):
    builder = convolution(3, depthwise=True, parallel=parallel)
    weights = builder.rng.integers(-2, 2, (4, 1, 3, 3))
    builder.add("VVAU_hls", {"vv": ((5, 6, 4), "INT10")},
                {"PE": 2, "SIMD": 9 if parallel else 1, "Channels": 4, "Kernel": [3, 3], "noActivation": 1,
                 "inputDataType": "UINT3", "weightDataType": "INT2", "outputDataType": "INT10"},
                lambda x: np.einsum("...kc,ck->...c", x.reshape(*x.shape[:-1], 9, 4), weights.reshape(4, 9)),
                constants=(weights.astype(np.float32),))
    imported = equal(builder, builder.rng.integers(0, 8, (3, *builder.shape)))
    assert imported.folding["VVAU_0"].simd == (9 if parallel else 1)


@pytest.mark.parametrize(("function", "dtype"), [("MaxPool", "UINT3"), ("AccPool", "UINT7"), ("QuantAvgPool", "UINT3")])
def test_pools(function, dtype):
    builder = convolution(4, depthwise=True)

    def pool(x):
        taps = x.reshape(*x.shape[:-1], 9, 4)
        if function == "MaxPool":
            return taps.max(axis=-2)
        return taps.sum(axis=-2) >> (0 if function == "AccPool" else (7 * 9).bit_length() - 3)

    builder.add("Pool_hls", {"pool": ((5, 6, 4), dtype)},
                {"PE": 2, "KernelSize": [3, 3], "Channels": 4, "Function": function, "OutputDataType": dtype}, pool)
    equal(builder, builder.rng.integers(0, 8, (3, *builder.shape)))


@pytest.mark.parametrize(("operation", "function"), [("Add", np.add), ("Mul", np.multiply), ("Sub", np.subtract)])
def test_constants(operation, function):
    builder = Builder((3,), "INT4", 5)
    constant = np.asarray([3.0, -2.0, 7.0], dtype=np.float32)
    builder.add(f"Elementwise{operation}_hls", {"t": ((3,), "INT8")}, {"PE": 1}, lambda x: function(x, constant),
                constants=(constant,))
    equal(builder, builder.rng.integers(-8, 8, (20, 3)))


def test_refusals():
    cases = {
        "no kernel of ours stands in for it": lambda b: b.add("LayerNorm_hls", {"t": ((4,), "INT4")}, {}, lambda x: x),
        "selects 3 labels": lambda b: b.add("LabelSelect_hls", {"t": ((1,), "UINT2")}, {"K": 3, "PE": 1}, lambda x: x),
    }
    for text, step in cases.items():
        builder = Builder((4,), "INT4")
        step(builder)
        with pytest.raises(FlowError, match=text):
            import_graph(builder.finish(), "net")


def test_coupled_folding():
    builder = convolution(0, depthwise=True)
    builder.add("Pool_hls", {"pool": ((5, 6, 4), "UINT3")}, {"PE": 4, "KernelSize": [3, 3], "Function": "MaxPool"}, lambda x: x)
    with pytest.raises(FlowError, match=r"Pool_hls_0: PE 4 behind ConvolutionInputGenerator_rtl_0 with SIMD 2, with which FINN "
                                        "computes wrong results; give both the same"):
        import_graph(builder.finish(), "net")


def test_sums_that_do_not_fit():
    builder = Builder((12,), "UINT4").mvau(3)
    builder.nodes[0].attributes["outputDataType"] = "INT4"
    with pytest.raises(FlowError, match="MVAU_hls_0: FINN's INT4 does not hold its sums"):
        import_graph(builder.finish(), "net")
    assert isinstance(import_graph(Builder((12,), "UINT4").mvau(3).finish(), "net").graph.nodes[0], MVAU)
