"""The lint itself, on a quick subset; ``make lint`` sees every parameter set."""

from __future__ import annotations

from pathlib import Path

from hw_flow.rtl import lint, samples
from hw_flow.rtl.emit import emit
from hw_flow.rtl.files import kernel_closure, kernel_paths, kernel_uses, write_text

QUICK = ("bw_replay", "bw_thresholding", "bw_label_select", "bw_fifo", "bw_dwc", "bw_spill_register", "bw_last_counter",
         "bw_stream_check", "bw_stream_monitor", "bw_fork", "bw_add", "bw_multiply", "bw_concat", "bw_slice",
         "bw_reorder", "bw_lookup", "bw_requantise")


def test_kernels_are_clean(tmp_path: Path) -> None:
    top = tmp_path / f"{lint.TOP}.sv"
    write_text(top, lint.lint_top({name: lint.SETS[name] for name in QUICK}))
    files = [*kernel_paths(), top]
    assert lint.run_verilator(lint.TOP, files) == []
    assert lint.run_verilator(lint.TOP, files, ("BW_MONITOR",)) == []
    assert lint.run_slang(lint.TOP, files) == []


def test_generated_designs_are_clean(tmp_path: Path) -> None:
    design = emit(samples.chain(), samples.chain_folding(), {"t0": 3, "t1": 4}, tmp_path / "chain", "sample")
    assert lint.run_verilator(design.top, design.paths) == []
    assert lint.run_slang(design.top, design.paths) == []
    design = emit(*samples.branched(), tmp_path / "branched", "branched")
    assert lint.run_verilator(design.top, design.paths) == []
    assert lint.run_slang(design.top, design.paths) == []


def test_every_kernel_is_linted() -> None:
    """Each kernel has parameter sets of its own or is part of one that has."""
    assert set(kernel_closure(lint.SETS)) == set(kernel_uses())


def test_bad_parameters_stop_elaboration(tmp_path: Path) -> None:
    top = tmp_path / f"{lint.TOP}.sv"
    for kernel, parameters, message in (
        ("bw_fifo", {"Depth": 1}, "bw_fifo: Width must be positive and Depth at least 2"),
        ("bw_label_select", {"Pe": 3}, "bw_label_select: Pe and InWidth must be positive and Pe must divide Channels"),
        ("bw_mvau", {"Mw": 10, "Simd": 4}, "bw_mvau: Simd must divide Mw and Pe must divide Mh"),
    ):
        write_text(top, lint.lint_top({kernel: (parameters,)}))
        assert any(message in line for line in lint.run_verilator(lint.TOP, [*kernel_paths(), top]))


def test_a_fault_is_found(tmp_path: Path) -> None:
    bad = tmp_path / "bad.sv"
    bad.write_text("module bad (input logic [3:0] a_i, output logic [2:0] b_o);\n  assign b_o = a_i;\nendmodule\n")
    assert any("WIDTHTRUNC" in line for line in lint.run_verilator("bad", [bad]))
    bad.write_text("module bad (output logic b_o);\n  assign b_o = missing;\nendmodule\n")
    assert any("missing" in line for line in lint.run_slang("bad", [bad]))
