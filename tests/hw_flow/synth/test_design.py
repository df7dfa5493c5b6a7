from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hw_flow.errors import FlowError
from hw_flow.ir import MVAU, Graph, Tensor, Thresholds
from hw_flow.rtl.design import Design, Instance
from hw_flow.synth import SynthJob, SynthResult, Target, run, run_all, synthesise, total
from hw_flow.synth.parts import datapath_jobs, memories_job
from hw_flow.synth.runner import cache_key
from tests.hw_flow.synth.conftest import FIFO, MUL

MEMORIES = ("weights", "thresholds")
TOP = """
module net (
  input logic clk_i, rst_ni, push_i, pop_i, input logic [7:0] data_i, output logic signed [15:0] p_o, output logic odd_o
);
  logic [7:0] a, b;
  net_fifo_0 u_fifo_0 (.clk_i, .rst_ni, .push_i, .pop_i, .data_i, .data_o(a));
  net_fifo_1 u_fifo_1 (.clk_i, .rst_ni, .push_i, .pop_i, .data_i(a), .data_o(b));
  mul u_mul (.clk_i, .a_i(a), .b_i(b), .p_o(p_o));
  assign odd_o = ^data_i[4:0];
endmodule
"""


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    """Two equal FIFOs under two names, a multiplier, and one LUT of glue."""
    directory = tmp_path_factory.mktemp("design")
    texts = {"net_fifo_0": FIFO.format(name="net_fifo_0"), "net_fifo_1": FIFO.format(name="net_fifo_1"), "mul": MUL, "net": TOP}
    for name, text in texts.items():
        (directory / f"{name}.sv").write_text(text)
    return Design(
        top="net", directory=directory, files=tuple(f"{name}.sv" for name in texts), inputs=(), outputs=(),
        instances=(
            Instance("u_fifo_0", "net_fifo_0", "fifo", "fifo_0", ("net_fifo_0.sv",)),
            Instance("u_fifo_1", "net_fifo_1", "fifo", "fifo_1", ("net_fifo_1.sv",)),
            Instance("u_mul", "mul", "mvau", "MVAU_0", ("mul.sv",)),
        ),
    )


def test_total_is_glue_and_all_instances(design: Design, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    from hw_flow.synth import runner
    real = runner.run_process

    def counting(*args: object, **kwargs: object) -> int:
        started.append(args)
        return real(*args, **kwargs)  # type: ignore[arg-type]  # passed through as given

    monkeypatch.setattr(runner, "run_process", counting)
    found = synthesise(design, "ecp5", flatten=True)
    assert len(started) == 4  # one FIFO, the product, the glue and the flat top
    assert found.source.startswith("yosys-")
    assert found.layers["u_fifo_0"].cells == found.layers["u_fifo_1"].cells
    assert found.layers["u_fifo_0"].lutram == 24
    assert found.layers["u_mul"].dsp == 1
    assert dict(found.glue.cells) == {"LUT4": 1, "PFUMX": 1} or found.glue.luts <= 3
    assert found.total.luts == found.glue.luts + 2 * found.layers["u_fifo_0"].luts + found.layers["u_mul"].luts
    assert found.total.dsp == 1
    assert found.by_layer()["fifo_1"].luts == found.layers["u_fifo_1"].luts
    assert {kind: part.lutram for kind, part in found.by_kind().items()} == {"fifo": 48, "mvau": 0}
    assert found.flat is not None
    assert found.flat.lutram == found.total.lutram
    assert abs(found.flat.luts - found.total.luts) <= 10
    again = synthesise(design, "ecp5", flatten=True)
    assert len(started) == 4
    assert again.total == found.total


def test_nodsp_for_chosen_layers(design: Design) -> None:
    found = synthesise(design, "ecp5", nodsp={"MVAU_0"})
    assert found.total.dsp == 0


def test_gates_of_a_whole_design(design: Design) -> None:
    found = synthesise(design, "generic")
    parts = [found.glue, *found.layers.values()]
    assert found.total.ff == sum(part.ff for part in parts) == 2 * 266 + 16
    assert found.total.transistors == sum(part.transistors or 0 for part in parts)
    assert all(part.transistors for part in parts)


def emitted(directory: Path, seed: int, *, name: str = "one", ram_style: str = "distributed") -> Design:
    """A matrix unit of 4 x 16 three-bit weights, all equal for seed 0, with thresholds."""
    from hw_flow import rtl
    from hw_flow.folding import NodeFolding

    rng = np.random.default_rng(seed)
    weights = rng.integers(-3, 4, (4, 16)) if seed else np.full((4, 16), 3)
    weights[0] = 3
    levels = np.sort(rng.integers(-20, 20, (4, 3)), axis=1)
    levels[0] = (-20, 0, 20)
    node = MVAU(
        name="MVAU_0", inputs=("x",), outputs=("y",), weights=weights, weight_dtype="INT3", acc_dtype="INT9",
        thresholds=Thresholds(levels, np.zeros(4, dtype=bool), 0),
    )
    graph = Graph("one", (node,), {"x": Tensor("x", (16,), "UINT2"), "y": Tensor("y", (4,), "UINT2")}, ("x",), ("y",))
    folded = NodeFolding(pe=2, simd=4, ram_style=ram_style, res_type="lut")  # type: ignore[arg-type]  # one of its literals
    return rtl.emit(graph, {"MVAU_0": folded}, {}, directory, name)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tops that Yosys is started for from now on."""
    from hw_flow.synth import runner

    started: list[str] = []
    real = runner._synthesise

    def counting(job: SynthJob, *args: Any) -> SynthResult:
        started.append(job.top)
        return real(job, *args)

    monkeypatch.setattr(runner, "_synthesise", counting)
    return started


def test_new_weights_cost_a_run_of_the_memories_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = counted(monkeypatch)
    found = synthesise(emitted(tmp_path / "a", 1), "ecp5", nodsp=True)
    assert sorted(started) == ["one", "one_memories", "one_mvau_0"]
    around, inside = (run(job) for job in parts_of(tmp_path / "a", "ecp5"))
    assert set(inside.modules) == {"one_mvau_0_weights", "one_mvau_0_thresholds"}
    assert all(part.luts for part in inside.modules.values())
    assert inside.modules["one_mvau_0_weights"].ff == inside.ff > 0
    assert found.layers["u_mvau_0"].luts == around.luts + inside.luts
    assert found.layers["u_mvau_0"].ff == around.ff + inside.ff
    started.clear()
    again = synthesise(emitted(tmp_path / "b", 2), "ecp5", nodsp=True)
    assert started == ["one_memories"]
    assert again.by_kind()["mvau"].luts != found.by_kind()["mvau"].luts


def parts_of(directory: Path, target: Target) -> tuple[SynthJob, SynthJob]:
    """The datapath and the memories of an emitted design."""
    design = Design.load(directory)
    jobs = datapath_jobs(design, target, nodsp=True, delay=False, liberty=None, timeout_s=600)
    bank = memories_job(design, target, directory, liberty=None, timeout_s=600)
    assert bank is not None
    return jobs["u_mvau_0"], bank


def test_memory_in_block_ram_is_counted(tmp_path: Path) -> None:
    found = synthesise(emitted(tmp_path, 3, ram_style="block"), "xc7")
    assert found.total.bram18 == found.by_layer()["MVAU_0"].bram18 == 1
    assert found.total.dsp == 0


def test_memory_of_one_word_is_no_hardware_but_accounted_for(tmp_path: Path) -> None:
    found = synthesise(emitted(tmp_path, 0), "generic")
    _, bank = parts_of(tmp_path, "generic")
    inside = run(bank)
    assert inside.modules["one_mvau_0_weights"].gates == inside.modules["one_mvau_0_weights"].transistors == 0
    whole = found.layers["u_mvau_0"]
    assert (whole.transistors or 0) > (inside.modules["one_mvau_0_thresholds"].transistors or 0) > 0


def test_memory_that_the_wrapper_does_not_hold(tmp_path: Path) -> None:
    design = emitted(tmp_path, 0)
    wrapper = tmp_path / "one_mvau_0.sv"
    text = wrapper.read_text()
    start = text.index("  one_mvau_0_weights u_weights (")
    end = text.index(");", start) + 2
    wrapper.write_text(text[:start] + "  assign weight = {4{6'd5}};" + text[end:])
    with pytest.raises(FlowError) as caught:
        synthesise(design, "generic")
    assert str(caught.value) == (
        "one_mvau_0: holds 1 x one_mvau_0_thresholds, but design.json lists "
        "1 x one_mvau_0_thresholds, 1 x one_mvau_0_weights; build the design again"
    )


def test_equal_datapaths_keep_the_names_of_their_own_memories(tmp_path: Path) -> None:
    designs = [emitted(tmp_path / name, seed, name=name) for seed, name in enumerate(("p", "q"), 1)]
    jobs = [parts_of(design.directory, "generic")[0] for design in designs]
    results = run_all(jobs)
    assert [set(results[job].boxes) for job in jobs] == [{f"{name}_mvau_0_{kind}" for kind in MEMORIES} for name in ("p", "q")]
    assert cache_key(jobs[0]) == cache_key(jobs[1])


def test_nothing_is_printed_without_progress(design: Design, capfd: pytest.CaptureFixture[str]) -> None:
    run_all([SynthJob(top="mul", files=(design.directory / "mul.sv",), target="generic", defines=("QUIET",))])
    assert capfd.readouterr() == ("", "")


def test_top_that_does_not_fit_its_description(design: Design) -> None:
    shorter = Design(design.top, design.directory, design.files, (), (), (*design.instances, design.instances[0]))
    with pytest.raises(FlowError) as caught:
        synthesise(shorter, "ecp5")
    assert str(caught.value) == (
        "net: the top holds 1 x mul, 1 x net_fifo_0, 1 x net_fifo_1, "
        "but design.json lists 1 x mul, 2 x net_fifo_0, 1 x net_fifo_1; build the design again"
    )


def test_error_in_one_layer_stops_the_rest(design: Design, sources: Path) -> None:
    (design.directory / "bad.sv").write_text((sources / "bad.sv").read_text())
    broken = Design(design.top, design.directory, design.files, (), (), (
        Instance("u_bad", "bad", "mvau", "MVAU_9", ("bad.sv",)), *design.instances))
    with pytest.raises(FlowError, match=r"^bad: Yosys \(generic\) stopped: .*bad\.sv:3: ERROR: expected expression"):
        synthesise(broken, "generic")


def test_total_of_nothing() -> None:
    assert (total("xc7", ()).luts, total("generic", ()).area) == (0, None)
