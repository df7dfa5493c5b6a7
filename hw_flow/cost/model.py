"""What a node will cost before anything is synthesised: cycles exactly, LUTs by a linear formula.

A node's LUTs are the sum of its features times coefficients. A feature is a count that hardware is proportional to, and its
unit is chosen so that the coefficient is near 1 LUT. Source of all figures: ``model``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
from qonnx.core.datatype import DataType

from hw_flow.errors import FlowError
from hw_flow.folding import Folding, NodeFolding, node_cycles
from hw_flow.ir import MVAU, Graph, LabelSelect, Node, Thresholding
from hw_flow.rtl.choose import multiplier, weight_style

SOURCE = "model"

# LUTs on Xilinx 7 series per unit of each feature: what `calibrate` made of 13 matrix units (1x1, Tx2, 2x2, 4x4, 8x8 bit, 32
# to 128 inputs) under Yosys 0.70, with a mean error of 24 %; argmax is a guess.
DEFAULT_COEFFICIENTS: Mapping[str, float] = {
    "node": 66.0, "xnor": 0.5, "bit_products": 1.45, "dsp_tree": 0.1, "accumulator": 0.1, "weights": 1.75, "replay": 0.45,
    "compare": 1.15, "table": 0.35, "stream": 0.15, "argmax": 2.0,
}

# Weight of a default in a calibration: a coefficient that is 100 % off costs as much as one node that is 20 % off.
_PULL = 0.2


@dataclass(frozen=True)
class Estimate:
    """Figures of every node of a graph.

    Attributes
    ----------
    cycles : interval in cycles a frame, by node.
    luts : LUTs of a 6-input architecture, by node; FIFOs and width converters are not in it.
    source : ``model``.
    """

    cycles: Mapping[str, int]
    luts: Mapping[str, int]
    source: str = SOURCE


@dataclass(frozen=True)
class Calibration:
    """Coefficients that fit measured nodes best, and how well.

    Attributes
    ----------
    coefficients : LUTs per unit of each feature, none negative.
    error : mean of |estimate - measured| / measured over the nodes it was made from.
    samples : how many those were.
    """

    coefficients: Mapping[str, float]
    error: float
    samples: int


def estimate(graph: Graph, folding: Folding, coefficients: Mapping[str, float] = DEFAULT_COEFFICIENTS) -> Estimate:
    """Cycles and LUTs of every node."""
    return Estimate(
        cycles={node.name: node_cycles(node, folding[node.name], graph) for node in graph},
        luts={node.name: luts(features(node, folding[node.name], graph), coefficients) for node in graph},
    )


def luts(counts: Mapping[str, float], coefficients: Mapping[str, float] = DEFAULT_COEFFICIENTS) -> int:
    """LUTs of a node with these features."""
    return round(sum(coefficients.get(name, 0.0) * count for name, count in counts.items()))


def features(node: Node, folding: NodeFolding, graph: Graph) -> dict[str, float]:
    """Counts that the LUTs of ``node`` are proportional to.

    * ``xnor``: products of two BIPOLAR elements a cycle;
    * ``bit_products``: other LUT products, weight bits times activation bits each; ``dsp_tree``: bits of DSP products summed;
    * ``accumulator``: bits of all accumulators;
    * ``weights``: LUT ROMs of 64 words by 1 bit; ``replay``: LUTRAMs of 32 words by 1 bit that hold the input vector;
    * ``compare``: bits compared with thresholds a cycle; ``table``: LUT ROMs of thresholds;
    * ``argmax``: bits compared by a LabelSelect; ``stream``: bits of the node's streams; ``node``: 1, for control.
    """
    source, out = graph.input_of(node), graph.output_of(node)
    match node:
        case MVAU():
            counts = _matrix(node, folding, source.width, source.dtype)
            if node.thresholds is not None:
                folds = node.mh // folding.pe if len(node.thresholds.values) > 1 else 1
                counts |= _thresholds(int(DataType[node.acc_dtype].bitwidth()), node.thresholds.levels, folding.pe, folds)
            stream = source.width * folding.simd + out.width * folding.pe
        case Thresholding():
            folds = source.channels // folding.pe if len(node.thresholds.values) > 1 else 1
            counts = _thresholds(source.width, node.thresholds.levels, folding.pe, folds)
            stream = (source.width + out.width) * folding.pe
        case LabelSelect():
            counts = {"argmax": float(folding.pe * source.width)}
            stream = source.width * folding.pe + out.width
        case _:
            raise FlowError(f"{node.name}: no cost model for {type(node).__name__}; synthesise it instead")
    return {"node": 1.0, "stream": float(stream), **counts}


def samples(graph: Graph, folding: Folding, measured: Mapping[str, float]) -> list[tuple[dict[str, float], float]]:
    """Pairs for `calibrate` from the LUTs per node that synthesis found; other names (FIFOs, glue) are passed over."""
    return [(features(node, folding[node.name], graph), measured[node.name]) for node in graph if node.name in measured]


def calibrate(pairs: Iterable[tuple[Mapping[str, float], float]]) -> Calibration:
    """Coefficients from pairs of (`features`, measured LUTs), see `samples`.

    Least squares of the relative error with no negative coefficient. The defaults pull weakly, so that few samples do not
    drive a feature to zero; a feature that no sample has keeps its default.

    Raises
    ------
    FlowError : no samples.
    """
    from scipy.optimize import nnls

    known = [(counts, float(measured)) for counts, measured in pairs if measured > 0]
    if not known:
        raise FlowError("cost calibration needs at least one synthesised node with LUTs")
    names = sorted({name for counts, _ in known for name, count in counts.items() if count})
    matrix = np.array([[counts.get(name, 0.0) / measured for name in names] for counts, measured in known])
    pull = np.diag([_PULL / DEFAULT_COEFFICIENTS[name] for name in names])
    solution, _ = nnls(np.vstack([matrix, pull]), np.concatenate([np.ones(len(known)), np.full(len(names), _PULL)]))
    fitted = {**DEFAULT_COEFFICIENTS, **{name: float(value) for name, value in zip(names, solution, strict=True)}}
    error = float(np.mean([abs(luts(counts, fitted) - measured) / measured for counts, measured in known]))
    return Calibration(fitted, error, len(known))


def _matrix(node: MVAU, folding: NodeFolding, act_bits: int, act_dtype: str) -> dict[str, float]:
    weight_bits = int(DataType[node.weight_dtype].bitwidth())
    products = folding.pe * folding.simd
    words, word_bits = node.mw * node.mh // products, products * weight_bits
    counts = {"accumulator": float(folding.pe * int(DataType[node.acc_dtype].bitwidth()))}
    if node.weight_dtype == act_dtype == "BIPOLAR":
        counts["xnor"] = float(products)
    elif multiplier(folding, act_bits, weight_bits) == "MulDsp":
        counts["dsp_tree"] = float(products * (weight_bits + act_bits))
    else:
        counts["bit_products"] = float(products * weight_bits * act_bits)
    if words > 1 and weight_style(folding, words, word_bits) == "distributed":
        counts["weights"] = float(ceil(words / 64) * word_bits)
    if node.mh > folding.pe:
        counts["replay"] = float(ceil(node.mw / folding.simd / 32) * folding.simd * act_bits)
    return counts


def _thresholds(bits: int, levels: int, pe: int, folds: int) -> dict[str, float]:
    # A search of ceil(log2(levels + 1)) stages compares once a stage.
    stages = levels.bit_length()
    counts = {"compare": float(pe * stages * bits)}
    if folds * levels > 1:
        counts["table"] = float(pe * bits * levels * ceil(folds / 64))
    return counts
