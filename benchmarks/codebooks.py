"""What codebook weights cost in hardware, beside plain integers: memories of folded layers, whole folded and unrolled layers.

Gaussian weights, quantised as a network starts with. Memory: 256 words of 8 weights in LUTs and in block RAM, as themselves and
as codes with the tables behind them. Folded: 32 x 32 with UINT4 inputs, PE 4, SIMD 4, with its memory of 64 words in LUTs.
Unrolled: 16 x 16 with UINT4 inputs as constant logic, where powers of two are wires. A second table has folded layers with
powers of two by products and by shifts, for several inputs, without DSP blocks.

    python benchmarks/codebooks.py [--types CODE3 POW4] [--shifts]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import torch
from results import RESULTS, save

from hw_flow.folding import NodeFolding
from hw_flow.frontend.weights import narrowest
from hw_flow.ir import MVAU, Graph, Tensor
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl import emit
from hw_flow.rtl.choose import shift_luts
from hw_flow.rtl.codes import code_bits, weight_memory
from hw_flow.rtl.files import KERNELS, kernel_closure
from hw_flow.rtl.latency import product_luts
from hw_flow.rtl.memory import pack_words, rom_module
from hw_flow.rtl.wrappers.matrix import matrix_unit
from hw_flow.rtl.wrappers.weights import WeightFormat, power_bits, weight_format
from hw_flow.synth import SynthJob, SynthResult, run, yosys_version
from models import BitConfig, build

TYPES = ("INT4", "INT8", "POW3", "POW4", "CODE2", "CODE3", "CODE4")
POWERS, INPUTS = ("POW3", "POW4"), ("UINT4", "INT4", "UINT8")
WORDS, LANES, SIZE = 256, 8, 16
FOLDED, FOLDING = 32, NodeFolding(4, 4, "distributed", "lut")
SMALL, SMALL_FOLDING = 16, NodeFolding(2, 4, "distributed", "lut")
COLUMNS = ("weights", "relative squared error, %", "bits of a weight", "bits of a code", "memory LUT, plain", "memory LUT, codes",
           "memory BRAM18, plain", "memory BRAM18, codes", "folded LUT", "unrolled LUT")
UNIT_COLUMNS = ("weights", "inputs", "LUT by products", "LUT by shifts", "formula: a product", "formula: a shift", "chosen")


def quantised(name: str, shape: tuple[int, int]) -> tuple[IntArray, float]:
    """Integers of type ``name`` for Gaussian weights, and the squared error relative to their power."""
    layer = build({"inputs": shape[1], "hidden": [shape[0]], "classes": 2}, BitConfig.uniform(name, "UINT4", 2), seed=0).layers[0]
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        layer.linear.weight.copy_(weight)
        layer.reset_weight_scale()
        made = layer.linear.quant_weight()
        error = float((made.value - weight).square().sum() / weight.square().sum())
        return torch.round(made.value / made.scale).long().numpy(), error


def memories(words: IntArray, folder: Path) -> list[SynthResult]:
    """The memory of ``words`` as they are and, where that is smaller, as codes, in LUTs and then in block RAM."""
    found = []
    width = Tensor("", (1,), narrowest(words)).width
    for style in ("distributed", "block"):
        folding = NodeFolding(1, 1, style)  # type: ignore[arg-type]  # one of two literals
        plain = rom_module("memory", pack_words(words, width), words.shape[1] * width, style, "plain")  # type: ignore[arg-type]
        for kind, text in (("plain", plain), ("codes", weight_memory("memory", words, width, folding, "codes"))):
            path = folder / f"{style}_{kind}.sv"
            path.write_text(text)
            found.append(run(SynthJob(top="memory", files=(path,))))
    return found


def layer(matrix: IntArray, inputs: str) -> tuple[MVAU, Graph]:
    """A layer of ``matrix`` that gives its sums, alone in a graph."""
    source = Tensor("x", (matrix.shape[1],), inputs)
    bound = int(np.abs(matrix).sum(axis=1).max()) * max(map(abs, source.limits))
    acc = f"INT{bound.bit_length() + 1}"
    node = MVAU(name="MVAU_0", inputs=("x",), outputs=("y",), weights=matrix, weight_dtype=narrowest(matrix), acc_dtype=acc)
    return node, Graph("unit", (node,), {"x": source, "y": Tensor("y", (matrix.shape[0],), acc)}, ("x",), ("y",))


def folded(node: MVAU, graph: Graph, folding: NodeFolding, made: WeightFormat, folder: Path) -> SynthResult:
    """The matrix unit of ``node`` with its memory, its weights as ``made``."""
    module = matrix_unit(node, graph, folding, "unit", made, kind="mvau", shape={"Mw": node.mw, "Mh": node.mh},
                         lanes=folding.simd, cut=True)
    folder.mkdir()
    for file, text in module.texts.items():
        (folder / file).write_text(text)
    kernels = (KERNELS / f"{kernel}.sv" for kernel in kernel_closure([module.kernel]))
    return run(SynthJob(top="unit", files=(*kernels, *(folder / file for file in module.files)), nodsp=True))


def units(folder: Path) -> Iterator[list[object]]:
    """Rows of the second table."""
    for name in POWERS:
        for inputs in INPUTS:
            node, graph = layer(quantised(name, (SMALL, SMALL))[0], inputs)
            chosen, width = weight_format(node, SMALL_FOLDING, graph), Tensor("", (1,), node.weight_dtype).width
            ways = (WeightFormat("Signed", width, "MulLut"), WeightFormat("Power", power_bits(node), "MulLut"))
            luts = [folded(node, graph, SMALL_FOLDING, made, folder / f"{name}_{inputs}_{made.kind}").luts for made in ways]
            act = Tensor("", (1,), inputs).width
            yield [name, inputs, *luts, product_luts(act, width), shift_luts(act, ways[1].width),
                   "shifts" if chosen.shifts else "products"]


def unrolled(matrix: IntArray, folder: Path) -> SynthResult:
    """A layer of ``matrix`` as constant logic that gives its sums."""
    design = emit(layer(matrix, "UINT4")[1], {"MVAU_0": NodeFolding(*matrix.shape)}, {}, folder, "unit")
    instance = next(item for item in design.instances if item.kind == "mvau")
    files = tuple(design.directory.resolve() / file for file in instance.files)
    return run(SynthJob(top=instance.module, files=files, nodsp=True))


def record(rows: list[list[object]], source: str) -> None:
    """Write the rows into benchmarks/results/codebooks.json; those of other types stay."""
    path = RESULTS / "codebooks.json"
    old = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    found = {row[0]: row for row in (*old, *rows)}
    size = f"{FOLDED} x {FOLDED}, PE {FOLDING.pe}, SIMD {FOLDING.simd}"
    note = (f"{WORDS} words of {LANES} weights; folded {size}, and unrolled {SIZE} x {SIZE}, both with UINT4 inputs and sums"
            f" out; LUTs by {source}, xc7. INT4 and INT8 are stored as they are;"
            " folded layers with powers of two store shifts and need no tables behind the memory.")
    save("codebooks", title="Codebook weights", command="python benchmarks/codebooks.py", columns=COLUMNS,
         rows=[found[name] for name in TYPES if name in found], notes=[note])


def shifts() -> None:
    """Measure and write benchmarks/results/shifts.json, each row as it comes; those measured earlier stay until then."""
    size, path = f"{SMALL} x {SMALL}, PE {SMALL_FOLDING.pe}, SIMD {SMALL_FOLDING.simd}", RESULTS / "shifts.json"
    old = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    found = {(row[0], row[1]): row for row in old}
    with tempfile.TemporaryDirectory() as folder:
        for row in units(Path(folder)):
            print(dict(zip(UNIT_COLUMNS, row, strict=True)), flush=True)
            found[str(row[0]), str(row[1])] = row
            save("shifts", title="Folded layers with powers of two", command="python benchmarks/codebooks.py --shifts",
                 columns=UNIT_COLUMNS, rows=[found[key] for key in product(POWERS, INPUTS) if key in found],
                 notes=[f"Whole matrix units, {size}, yosys-{yosys_version()}, xc7, no DSP blocks; the formulas (source: model)"
                        " are for one product or shift and its place in the sum."])


def main() -> None:
    """Measure and print the rows, each written as it comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", nargs="+", choices=TYPES, default=TYPES, help="measure these alone; other rows stay")
    parser.add_argument("--shifts", action="store_true", help="measure the second table alone")
    args = parser.parse_args()
    for name in () if args.shifts else args.types:
        words, error = quantised(name, (WORDS, LANES))
        with tempfile.TemporaryDirectory() as folder:
            plain, codes, plain_block, codes_block = memories(words, Path(folder))
            node, graph = layer(quantised(name, (FOLDED, FOLDED))[0], "UINT4")
            unit = folded(node, graph, FOLDING, weight_format(node, FOLDING, graph), Path(folder) / "folded")
            logic = unrolled(quantised(name, (SIZE, SIZE))[0], Path(folder) / "unit")
        width = Tensor("", (1,), narrowest(words)).width
        row: list[object] = [name, round(100 * error, 3), width, min(width, code_bits(words)), plain.luts, codes.luts,
                             plain_block.bram18, codes_block.bram18, unit.luts, logic.luts]
        print(dict(zip(COLUMNS, row, strict=True)), flush=True)
        record([row], logic.source)
    if args.shifts or tuple(args.types) == TYPES:
        shifts()


if __name__ == "__main__":
    main()
