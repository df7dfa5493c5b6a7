"""What codebook weights cost in hardware, beside plain integers: memories of folded layers, and unrolled layers.

Gaussian weights, quantised as a network starts with. Memory: 256 words of 8 weights in LUTs and in block RAM, as themselves and
as codes with the tables behind them. Unrolled: 16 x 16 with UINT4 inputs as constant logic, where powers of two are shifts.

    python benchmarks/codebooks.py [--types CODE3 POW4]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from results import save

from hw_flow.folding import NodeFolding
from hw_flow.frontend.weights import narrowest
from hw_flow.ir import MVAU, Graph, Tensor
from hw_flow.ir.tensor import IntArray
from hw_flow.rtl import emit
from hw_flow.rtl.codes import code_bits, weight_memory
from hw_flow.rtl.memory import pack_words, rom_module
from hw_flow.synth import SynthJob, SynthResult, run
from models import BitConfig, build

TYPES = ("INT4", "INT8", "POW3", "POW4", "CODE2", "CODE3", "CODE4")
WORDS, LANES, SIZE = 256, 8, 16
COLUMNS = ("weights", "relative squared error", "bits of a weight", "bits of a code", "memory LUT, plain", "memory LUT, codes",
           "memory BRAM18, plain", "memory BRAM18, codes", "unrolled LUT")


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


def unrolled(matrix: IntArray, folder: Path) -> SynthResult:
    """A layer of ``matrix`` as constant logic that gives its sums."""
    bound = int(np.abs(matrix).sum(axis=1).max()) * 15
    acc = f"INT{bound.bit_length() + 1}"
    node = MVAU(name="MVAU_0", inputs=("x",), outputs=("y",), weights=matrix, weight_dtype=narrowest(matrix), acc_dtype=acc)
    tensors = {"x": Tensor("x", (matrix.shape[1],), "UINT4"), "y": Tensor("y", (matrix.shape[0],), acc)}
    design = emit(Graph("unit", (node,), tensors, ("x",), ("y",)), {"MVAU_0": NodeFolding(*matrix.shape)}, {}, folder, "unit")
    instance = next(item for item in design.instances if item.kind == "mvau")
    files = tuple(design.directory.resolve() / file for file in instance.files)
    return run(SynthJob(top=instance.module, files=files, nodsp=True))


def main() -> None:
    """Measure, print the table, write benchmarks/results/codebooks.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--types", nargs="+", choices=TYPES, default=TYPES)
    names = parser.parse_args().types
    rows: list[list[object]] = []
    source = ""
    for name in names:
        words, error = quantised(name, (WORDS, LANES))
        with tempfile.TemporaryDirectory() as folder:
            plain, codes, plain_block, codes_block = memories(words, Path(folder))
            logic = unrolled(quantised(name, (SIZE, SIZE))[0], Path(folder) / "unit")
        source = logic.source
        width = Tensor("", (1,), narrowest(words)).width
        rows.append([name, round(error, 5), width, min(width, code_bits(words)), plain.luts, codes.luts, plain_block.bram18,
                     codes_block.bram18, logic.luts])
        print(dict(zip(COLUMNS, rows[-1], strict=True)), flush=True)
    if names == TYPES:
        note = (f"{WORDS} words of {LANES} weights; unrolled {SIZE} x {SIZE} with UINT4 inputs, sums out; LUTs by {source}, xc7."
                " INT4 and INT8 are stored as they are.")
        save("codebooks", title="Codebook weights", command="python benchmarks/codebooks.py", columns=COLUMNS, rows=rows,
             notes=[note])


if __name__ == "__main__":
    main()
