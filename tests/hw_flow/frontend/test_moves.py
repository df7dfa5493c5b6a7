"""Operators that only move elements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_flow.errors import FlowError
from hw_flow.ir import Reorder, Slice, SlidingWindow
from tests.hw_flow.qonnx_maps import Maps, build, check


@pytest.mark.parametrize("write", [
    "DepthToSpace", "CRD", "SpaceToDepth", "Resize", "half_pixel", "sizes", "axes", "Upsample", "Slice", "Crop", "Pad",
    "Pad half", "Split", "Split9", "Gather", "Gather one", "Tile",
])
def test_moves(tmp_path: Path, write: str) -> None:
    b = Maps()
    opset = {"Upsample": 9, "Split9": 11, "axes": 18}.get(write, 13)
    b.head = b.quant(b.head, 0.5, 4)
    b.conv(4, 2, (1, 1))
    b.head = b.quant(b.head, 0.5, 4)
    inputs = 4
    match write:
        case "DepthToSpace" | "CRD":
            b.then("DepthToSpace", blocksize=2, mode="CRD" if write == "CRD" else "DCR")
            inputs = 1
        case "SpaceToDepth":
            b.then("SpaceToDepth", blocksize=2)
            inputs = 16
        case "Resize" | "half_pixel":
            mode = {"Resize": "asymmetric", "half_pixel": "half_pixel"}[write]
            b.then("Resize", "", b.constant([1.0, 1.0, 2.0, 3.0]), mode="nearest", coordinate_transformation_mode=mode,
                   nearest_mode="floor" if write == "Resize" else "round_prefer_floor")
        case "sizes":
            b.then("Resize", "", "", b.constant([1, 4, 8, 12], np.int64), mode="nearest")
        case "axes":
            b.then("Resize", "", b.constant([3.0]), mode="nearest", axes=[3])
        case "Upsample":
            b.then("Upsample", b.constant([1.0, 1.0, 2.0, 2.0]), mode="nearest")
        case "Slice":
            b.then("Slice", *(b.constant([value], np.int64) for value in (1, 3, 1)))
            inputs = 2
        case "Crop":
            b.then("Slice", *(b.constant(value, np.int64) for value in ([1, 1], [4, -1], [2, 3])))
        case "Pad":
            b.then("Pad", b.constant([0, 0, 1, 0, 0, 0, 2, 1], np.int64))
            b.then("MaxPool", kernel_shape=[2, 2])
        case "Pad half":
            b.then("Pad", b.constant([0, 0, 1, 0, 0, 0, 2, 1], np.int64), b.constant(-1.5))
        case "Gather":
            b.then("Gather", b.constant([1, 3], np.int64), axis=1)
            inputs = 2
        case "Gather one":
            b.then("Gather", b.constant(2, np.int64), axis=3)
            b.then("Unsqueeze", b.constant([3], np.int64))
            b.then("Tile", b.constant([1, 1, 1, 2], np.int64))
        case "Tile":
            b.then("Tile", b.constant([1, 2, 1, 1], np.int64))
            inputs = 8
        case "Split":
            b.head = b.node("Split", [b.head, b.constant([1, 3], np.int64)], 2, axis=1)[1]
            b.node("Identity", [b.nodes[-1].output[0]])
            inputs = 3
        case "Split9":
            b.head = b.node("Split", [b.head], 2, axis=1, split=[2, 2])[0]
            inputs = 2
    b.conv(3, inputs, (2, 2))
    b.head = b.quant(b.head, 0.5, 4)
    program = build(tmp_path, b, (2, 4, 4), opset)
    wanted = {"Slice": Slice, "Split": Slice, "Split9": Slice, "Pad": SlidingWindow}.get(write.removesuffix(" half"), Reorder)
    assert any(isinstance(node, wanted) for node in program.graph)
    check(program, ties=False)


_COUNTERS = ("Resize_1: takes the elements of 't0_0' in an order that nested counters cannot give; use Transpose, Slice or "
             "Resize by whole factors")


@pytest.mark.parametrize(("op", "operands", "attributes", "text"), [
    ("Resize", (None, [1.0, 1.0, 1.0, 1.5]), {"mode": "nearest"},
     _COUNTERS),
    ("Resize", (None, [1.0, 1.0, 2.0, 2.0]), {"mode": "linear"},
     "Resize_1 (Resize): attribute mode is 'linear'; only nearest can be compiled, or run it on the host"),
    ("Resize", (None, None, [1, 2, 7, 4]), {"mode": "nearest"},
     _COUNTERS),
    ("Pad", ([0, 0, 1, 1, 0, 0, 1, 1],), {"mode": "reflect"},
     "Pad_1 (Pad): only a constant number around 1-D and 2-D maps can be compiled; use mode constant"),
    ("Pad", ([0, 0, 1, 1, 0, 0, 1, 1], 0.3), {},
     "Pad_1 (Pad): puts 0.3, but no integer of its input 't0_0' stands for it; use 0 and a whole zero point"),
    ("Pad", ([0, 1, 0, 0, 0, 0, 0, 0],), {},
     "Pad_1 (Pad): attribute pads is [0, 1, 0, 0, 0, 0, 0, 0]; pad the positions only, by at least 0"),
    ("Tile", ([2, 1, 1, 1],), {},
     "Tile_1 (Tile): moves or mixes the batch axis (its output is [2, 2, 4, 4] for one frame); keep the batch as the first axis"),
])
def test_moves_that_are_refused(tmp_path: Path, op: str, operands: Sequence[Any], attributes: dict[str, Any], text: str) -> None:
    b = Maps()
    b.head = b.quant(b.head, 0.5, 4)
    kinds_ = [np.int64 if isinstance(operand, list) and isinstance(operand[0], int) else np.float32 for operand in operands]
    b.then(op, *("" if operand is None else b.constant(operand, kind) for operand, kind in zip(operands, kinds_, strict=True)),
           **attributes)
    b.conv(3, 3 if "pads" in text else 2, (2, 2))
    b.head = b.quant(b.head, 0.5, 4)
    with pytest.raises(FlowError) as error:
        build(tmp_path, b, (2, 4, 4))
    assert str(error.value) == text
