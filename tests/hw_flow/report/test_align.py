"""Which layers of different tools are set beside each other: never a wrong pair, never two that cross."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from hw_flow.report import compare_text
from hw_flow.report.align import Aligned, align
from hw_flow.report.compare import compare, of_subjects
from hw_flow.report.folder import Subject, read_folder
from hw_flow.report.hls4ml_layers import layers
from hw_flow.report.sequence import evident_pairs
from hw_flow.synth.parsers import Part, ToolReport, figures
from tests.hw_flow.report.test_report import make_report
from tests.hw_flow.synth.parsers.samples import SAMPLES


def report(names: Sequence[str], *, macs: Mapping[str, int] | None = None, parts: Mapping[str, Part] | None = None,
           ordered: bool = True, stage: str = "estimate", source: str = "model") -> ToolReport:
    rows = {name: figures({"luts": index + 1, "macs": (macs or {}).get(name)}, source) for index, name in enumerate(names)}
    return ToolReport(format="x", source=source, stage=stage, layers=rows, parts=parts or {},  # type: ignore[arg-type] # a stage
                      order=tuple(names) if ordered else ())


def together(rows: Sequence[Aligned]) -> list[tuple[str, ...]]:
    return [tuple(unit.name for unit in row.units.values()) for row in rows]


def matrices(**shapes: tuple[int, int]) -> dict[str, Part]:
    return {name: Part(kind="MVAU", matrix=shape) for name, shape in shapes.items()}


def test_a_pair_is_evident_where_every_best_alignment_has_it() -> None:
    assert evident_pairs([[1, 0], [0, 1]]) == [(0, 0), (1, 1)]
    assert evident_pairs([[1], [1]]) == []  # either could be it
    assert evident_pairs([[0, 1], [1, 0]]) == []  # both would cross
    assert evident_pairs([[0, 1], [2, 0]]) == [(1, 0)]
    assert evident_pairs([[1, 0], [1, 0], [0, 1]]) == [(2, 1)]
    assert evident_pairs([]) == evident_pairs([[]]) == []


def brute(scores: list[list[int]]) -> set[tuple[int, int]]:
    """The same by trying all alignments."""
    def all_of(i: int, j: int) -> list[tuple[int, frozenset[tuple[int, int]]]]:
        if i == len(scores) or j == len(scores[0]):
            return [(0, frozenset())]
        found = {*all_of(i + 1, j), *all_of(i, j + 1)}
        if scores[i][j]:
            found |= {(worth + scores[i][j], pairs | {(i, j)}) for worth, pairs in all_of(i + 1, j + 1)}
        return list(found)

    every = all_of(0, 0)
    best = max(worth for worth, _ in every)
    return set(frozenset.intersection(*(pairs for worth, pairs in every if worth == best)))


@pytest.mark.parametrize("seed", range(60))
def test_evident_pairs_are_those_of_all_best_alignments(seed: int) -> None:
    rng = random.Random(seed)
    scores = [[rng.choice((0, 0, 1, 1, 3)) for _ in range(rng.randint(1, 4))]]
    scores += [[rng.choice((0, 0, 1, 1, 3)) for _ in scores[0]] for _ in range(rng.randint(0, 3))]
    assert set(evident_pairs(scores)) == brute(scores)


def test_one_network_by_three_tools() -> None:
    ours = report(["Thresholding_0", "MVAU_0", "MVAU_1", "MVAU_2", "LabelSelect_0"], parts=matrices(
        MVAU_0=(784, 64), MVAU_1=(64, 64), MVAU_2=(64, 10)))
    finn = report(["Thresholding_rtl_0", "MVAU_hls_0", "MVAU_rtl_0", "MVAU_hls_1"],
                  macs={"MVAU_hls_0": 50176, "MVAU_rtl_0": 4096, "MVAU_hls_1": 640}, source="finn-estimate")
    names = ["dense_latency_ap_fixed_16_6_5_3_0_config2_s", "grp_relu_ap_fixed_16_6_5_3_0_relu_config3_s_fu_1",
             "dense_latency_ap_fixed_16_6_5_3_0_config4_s", "dense_latency_ap_fixed_16_6_5_3_0_config6_s"]
    hls = report(names, stage="hls", source="vitis_hls-2022.2", parts={
        name: Part(kind="MVAU", matrix=shape, names=(f"fc{index}",))
        for index, (name, shape) in enumerate(zip((names[0], *names[2:]), ((784, 64), (64, 64), (64, 10)), strict=True))})
    rows = align([(0, ours), (1, finn), (2, hls)])
    assert together(rows) == [
        ("Thresholding_0", "Thresholding_rtl_0"), ("MVAU_0", "MVAU_hls_0", "fc0"), ("relu_config3",),
        ("MVAU_1", "MVAU_rtl_0", "fc1"), ("MVAU_2", "MVAU_hls_1", "fc2"), ("LabelSelect_0",)]
    assert [row.name for row in rows] == [
        "Thresholding_0", "MVAU_0 = fc0", "relu_config3", "MVAU_1 = MVAU_rtl_0 = fc1", "MVAU_2 = MVAU_hls_1 = fc2",
        "LabelSelect_0"]
    assert rows[1].evidence == {0: "name", 1: "order", 2: "shape"}


def test_what_could_be_either_stays_alone() -> None:
    ours = report(["MVAU_0", "MVAU_1", "MVAU_2", "MVAU_3"], parts=matrices(
        MVAU_0=(784, 64), MVAU_1=(64, 64), MVAU_2=(64, 64), MVAU_3=(64, 10)))
    other = report(["MatMul_0", "MatMul_1", "MatMul_2"], parts=matrices(MatMul_0=(784, 64), MatMul_1=(64, 64), MatMul_2=(64, 10)))
    assert together(align([(0, ours), (1, other)])) == [
        ("MVAU_0", "MatMul_0"), ("MatMul_1",), ("MVAU_1",), ("MVAU_2",), ("MVAU_3", "MatMul_2")]
    # The numbers of a shorter network say nothing: what it lacks may be anywhere.
    short = report(["MVAU_0", "MVAU_1"])
    assert [len(row.units) for row in align([(0, report(["MVAU_0", "MVAU_1", "MVAU_2"])), (1, short)])] == [1] * 5


def test_shapes_overrule_numbers() -> None:
    first = report(["MVAU_0", "MVAU_1"], parts=matrices(MVAU_0=(8, 4), MVAU_1=(4, 2)))
    later = report(["MVAU_0", "MVAU_1"], parts=matrices(MVAU_0=(4, 2), MVAU_1=(2, 2)))
    assert together(align([(0, first), (1, later)])) == [("MVAU_0",), ("MVAU_1", "MVAU_0"), ("MVAU_1",)]


def test_a_netlist_finds_its_layers_by_name() -> None:
    estimate = report(["MVAU_hls_0", "MVAU_rtl_0", "MVAU_hls_1"], source="finn-estimate")
    netlist = report(["MVAU_hls_1", "MVAU_rtl_0", "IODMA_hls_0", "MVAU_hls_0", "StreamingFIFO_rtl_3"], ordered=False,
                     stage="routed", source="vivado-2022.2")
    rows = align([(0, estimate), (0, netlist)])
    assert together(rows) == [("MVAU_hls_0",) * 2, ("MVAU_rtl_0",) * 2, ("MVAU_hls_1",) * 2, ("FIFOs",), ("data movers",)]
    # FINN counts its HLS and its RTL nodes apart: both are number 0.
    assert [row.name for row in rows[:3]] == ["MVAU_hls_0", "MVAU_rtl_0", "MVAU_1"]


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("StreamingFIFO_rtl_1_0", "FIFOs"), ("StreamingDataWidthConverter_Batch_2", "width converters"),
        ("FMPadding_Pixel_hls_0", "padding"), ("DuplicateStreams_hls_1", "forks"), ("IODMA_hls_0", "data movers"),
    ],
)
def test_what_is_no_layer_is_summed(name: str, group: str) -> None:
    assert [row.name for row in align([(0, report([name]))])] == [group]


def test_calls_of_a_function_add_up() -> None:
    rows = align([(0, report(["grp_part_fu_12", "grp_part_fu_40"], stage="hls", source="v", ordered=False))])
    assert [(row.name, row.units[0].figures["luts"].value) for row in rows] == [("part", 3)]


def made(rng: random.Random) -> list[tuple[str, int]]:
    """A network as kinds and shapes, many of them alike."""
    return [(rng.choice(("MVAU", "MVAU", "Pool", "Thresholding")), rng.choice((16, 16, 64))) for _ in range(rng.randint(1, 9))]


def seen(network: Sequence[tuple[str, int]], kept: Sequence[int], decoration: str, known: float,
         rng: random.Random) -> ToolReport:
    """The layers ``kept`` as a tool numbers and knows them; the position in the network is its LUTs."""
    counts: Counter[str] = Counter()
    rows, parts = {}, {}
    for index in kept:
        kind, size = network[index]
        name = f"{kind}{decoration}_{counts[kind]}"
        counts[kind] += 1
        rows[name] = figures({"luts": index}, "x")
        parts[name] = Part(kind=kind, matrix=(size, size) if kind == "MVAU" and rng.random() < known else None)
    return ToolReport(format="x", source="x", stage="estimate", layers=rows, parts=parts, order=tuple(rows))


@pytest.mark.parametrize("seed", range(150))
def test_layers_left_out_never_make_a_wrong_pair(seed: int) -> None:
    rng = random.Random(f"left out {seed}")
    network = made(rng)
    every = list(range(len(network)))
    whole = seen(network, every, "", rng.choice((0, 0.5, 1)), rng)
    less = seen(network, sorted(rng.sample(every, rng.randint(0, len(every)))), rng.choice(("", "_hls")), rng.choice((0, 0.5, 1)),
                rng)
    pairs = [(0, whole), (1, less)] if rng.random() < 0.5 else [(0, less), (1, whole)]
    for row in align(pairs):
        assert len({unit.figures["luts"].value for unit in row.units.values()}) == 1
    assert sum(len(row.units) for row in align(pairs)) == len(whole.layers) + len(less.layers)


@pytest.mark.parametrize("seed", range(150))
def test_pairs_never_cross(seed: int) -> None:
    rng = random.Random(f"cross {seed}")
    network = made(rng)
    every = list(range(len(network)))
    views = [(number, seen(network, rng.sample(every, rng.randint(0, len(every))), rng.choice(("", "_hls")), 0.7, rng))
             for number in range(3)]
    rows = align(views)
    for place, (_, view) in enumerate(views):
        names = [row.units[place].name for row in rows if place in row.units]
        assert names == list(view.layers)


def test_the_parameters_of_an_hls4ml_project_tell_names_shapes_and_order(tmp_path: Path) -> None:
    firmware = tmp_path / "firmware"
    firmware.mkdir()
    (firmware / "parameters.h").write_text("""// hls-fpga-machine-learning insert layer-config
// conv_in
struct config7_mult : nnet::dense_config {
    static const unsigned n_in = 9;
};

struct config7 : nnet::conv2d_config {
    static const unsigned n_chan = 3;
    static const unsigned filt_height = 3;
    static const unsigned filt_width = 2;
    static const unsigned n_filt = 8;
};

// fc1
struct config2 : nnet::dense_config {
    static const unsigned n_in = 16;
    static const unsigned n_out = 64;
    static const unsigned n_elem = n_in;
};
""")
    assert list(layers(firmware / "parameters.h").items()) == [
        (7, Part(kind="MVAU", matrix=(18, 8), names=("conv_in",))), (2, Part(kind="MVAU", matrix=(16, 64), names=("fc1",)))]
    assert layers(firmware / "parameters.h", {7})[7] == Part(kind="VVAU", matrix=(6, 8), names=("conv_in",))
    inside = tmp_path / "prj" / "syn"
    inside.mkdir(parents=True)
    SAMPLES["csynth-xml with modules"].write(inside)
    found = read_folder(tmp_path, "prj").reports[0]
    assert [(name, found.parts[name].names) for name in found.order] == [("dense_ap_config2_U0", ("fc1",))]


def test_layers_without_a_counterpart_are_shown_so() -> None:
    shapes = matrices(MVAU_0=(8, 4), MVAU_1=(4, 2))
    subjects = [Subject(name, Path(name), "file", (own,)) for name, own in (
        ("ours", report(["MVAU_0", "MVAU_1"], parts=shapes)), ("theirs", report(["MVAU_0"], parts={"MVAU_0": shapes["MVAU_1"]})))]
    result = of_subjects(subjects)
    assert "layers of ours without an evident counterpart: 1 (MVAU_0)" in result.notes
    text = compare_text.markdown(result)
    assert "| MVAU_0 (only ours) | 1 | - |" in text
    assert "| MVAU_1 = MVAU_0 | 2 | 1 | x0.50 |" in text


def test_a_build_a_finn_folder_and_an_hls4ml_project_of_one_network(tmp_path: Path) -> None:
    """``MVAU_0`` of ours (16 x 8), FINN's ``MVAU_hls_0``, hls4ml's ``fc1``; FINN has a second matrix that the others lack."""
    finn, hls = tmp_path / "finn", tmp_path / "hls4ml"
    (finn / "report").mkdir(parents=True)
    (hls / "firmware").mkdir(parents=True)
    row = {"BRAM_18K": 0, "BRAM_efficiency": 1, "LUT": 50, "URAM": 0, "URAM_efficiency": 1, "DSP": 0}
    files = {
        "estimate_layer_cycles.json": {"MVAU_hls_0": 4, "MVAU_hls_1": 16, "LabelSelect_hls_0": 8},
        "estimate_layer_resources.json": {
            "MVAU_hls_0": row, "MVAU_hls_1": row, "LabelSelect_hls_0": {**row, "LUT": 0}, "total": row},
        "op_and_param_counts.json": {"MVAU_hls_0": {"op_mac_2bx2b": 32, "param_weight_2b": 32},
                                     "MVAU_hls_1": {"op_mac_2bx2b": 128, "param_weight_2b": 128}},
    }
    for name, content in files.items():
        (finn / "report" / name).write_text(json.dumps(content))
    (hls / "firmware" / "parameters.h").write_text(
        "// fc1\nstruct config2 : nnet::dense_config {\n    static const unsigned n_in = 16;\n"
        "    static const unsigned n_out = 8;\n};\n")
    SAMPLES["csynth-xml with modules"].write(hls)
    make_report().save(tmp_path)
    result = compare([tmp_path / "report.json", finn, hls])
    table = next(table for table in result.layers if table.metric == "luts")
    names = [(line.name, [name for name in line.names if name is not None]) for line in table.rows]
    assert ("MVAU_0 = MVAU_hls_1 = fc1", ["MVAU_0", "MVAU_hls_1", "fc1"]) in names
    assert ("MVAU_hls_0", ["MVAU_hls_0"]) in names
    luts = next(line for line in table.rows if "fc1" in line.name)
    assert [(cell.value, cell.source) if cell else None for cell in luts.cells] == [
        (100, "yosys-0.70"), (50, "finn-estimate"), (40, "vitis_hls-2023.1")]
    # FINN's 0 LUTs of a node without a formula are none.
    assert not any(line.names[1] == "LabelSelect_hls_0" and line.cells[1] is not None for line in table.rows)
