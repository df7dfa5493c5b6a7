from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hw_flow.errors import FlowError
from hw_flow.synth import SynthJob, run, runner


@pytest.mark.parametrize("target", ["xc7", pytest.param("xcup", marks=pytest.mark.slow)])
def test_our_script_counts_what_synth_xilinx_counts(sources: Path, tmp_path: Path, target: str) -> None:
    top = """
module both (input logic clk_i, rst_ni, push_i, pop_i, input logic [7:0] data_i, output logic signed [15:0] p_o);
  logic [7:0] data;
  fifo u_fifo (.clk_i, .rst_ni, .push_i, .pop_i, .data_i, .data_o(data));
  mul u_mul (.clk_i, .a_i(data), .b_i(data_i), .p_o);
endmodule
"""
    (tmp_path / "both.sv").write_text(top)
    files = (*(sources / f"{name}.sv" for name in ("fifo", "mul")), tmp_path / "both.sv")
    ours = run(SynthJob(top="both", files=files, target=target, nodsp=True))  # type: ignore[arg-type]  # a literal by parameter
    (tmp_path / "read.f").write_text((ours.log.parent / "read.f").read_text())
    plain = (
        f"read_slang -f read.f\nsynth_xilinx -family {target} -flatten -noiopad -noclkbuf -nodsp -top both\n"
        "tee -o s.json stat -json\n"
    )
    (tmp_path / "plain.ys").write_text(plain)
    child = Path(runner.__file__).with_name("_child.py")
    subprocess.run([sys.executable, "-P", str(child), "plain.ys"], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    theirs = json.loads((tmp_path / "s.json").read_text())["modules"]["\\both"]["num_cells_by_type"]
    assert dict(ours.cells) == dict(sorted(theirs.items()))


def test_defines_parameters_and_includes_reach_the_source(tmp_path: Path) -> None:
    (tmp_path / "my inc").mkdir()
    (tmp_path / "my inc" / "w.svh").write_text("localparam int Extra = 3;\n")
    (tmp_path / "reg.sv").write_text("""
module regs #(parameter int W = 1) (input logic clk_i, input logic [W+`MORE+2:0] d_i, output logic [W+`MORE+2:0] d_o);
`include "w.svh"
  always_ff @(posedge clk_i) d_o <= d_i ^ {(W+`MORE+Extra){1'b1}};
endmodule
""")
    result = run(SynthJob(
        top="regs", files=(tmp_path / "reg.sv",), include_dirs=(tmp_path / "my inc",), defines=("MORE=4",),
        parameters=(("W", "5"),), target="generic",
    ))
    assert result.ff == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "xc6"}, "add: synthesis target 'xc6' is not known; choose one of xc7, xcup, ecp5, ice40, generic"),
        ({"delay": True, "target": "ecp5"}, "add: Yosys knows logic delays for xc7 and xcup only, not for 'ecp5'"),
        ({"liberty": Path("x.lib")}, "add: a liberty file needs the target 'generic', not 'xc7'"),
        ({"timeout_s": 0}, "add: time-out of 0 s; give a positive number of seconds"),
        ({"files": ()}, "add: no source files to synthesise"),
        ({"files": (Path("gone.sv"),)}, "add: source file gone.sv does not exist; build the design again"),
    ],
)
def test_bad_jobs(sources: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(FlowError) as caught:
        SynthJob(**{"top": "add", "files": (sources / "add.sv",), **options})  # type: ignore[arg-type]  # options by name
    assert str(caught.value) == message
