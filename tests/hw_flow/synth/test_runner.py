from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hw_flow.errors import FlowError
from hw_flow.synth import CancelledError, SynthJob, cached, run, runner, yosys_version
from hw_flow.synth.runner import cache_directory, cache_key
from sim.process import run_process
from tests.hw_flow.synth.conftest import FIFO

SPIN = """
module spin (input logic clk_i, input logic [63:0] a_i, b_i, output logic [127:0] p_o, output logic [63:0] q_o);
  always_ff @(posedge clk_i) begin p_o <= a_i * b_i; q_o <= a_i % b_i; end
endmodule
"""
LIBERTY = """
library (tiny) {
  cell (INVX) { area : 1.0; pin(A) { direction : input; } pin(Y) { direction : output; function : "!A"; } }
  cell (NANDX) { area : 2.0; pin(A) { direction : input; } pin(B) { direction : input; }
    pin(Y) { direction : output; function : "!(A & B)"; } }
  cell (NORX) { area : 2.0; pin(A) { direction : input; } pin(B) { direction : input; }
    pin(Y) { direction : output; function : "!(A | B)"; } }
  cell (BUFX) { area : 1.0; pin(A) { direction : input; } pin(Y) { direction : output; function : "A"; } }
  cell (FFX) {
    area : 8.0;
    ff (IQ, IQN) { clocked_on : "C"; next_state : "D"; }
    pin(C) { direction : input; clock : true; } pin(D) { direction : input; } pin(Q) { direction : output; function : "IQ"; }
  }
}
"""


def job(sources: Path, top: str, **options: object) -> SynthJob:
    return SynthJob(top=top, files=(sources / f"{top}.sv",), **options)  # type: ignore[arg-type]  # options by name


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("xc7", {"luts": 8, "carry": 3, "ff": 9, "dsp": 0}),
        ("xcup", {"luts": 8, "carry": 3, "ff": 9, "uram": 0}),
        ("ecp5", {"ff": 9, "ebr": 0}),
        ("ice40", {"ff": 9, "spram": 0}),
        ("generic", {"ff": 9}),
    ],
)
def test_adder_on_every_target(sources: Path, target: str, expected: dict[str, int]) -> None:
    result = run(job(sources, "add", target=target))
    figures = result.figures()
    assert {name: figures[name] for name in expected} == expected
    assert result.source == f"yosys-{yosys_version()}"
    assert result.seconds > 0
    assert result.log.is_file()
    assert not result.other
    if target == "generic":
        assert figures["transistors"] > 9 * 16
    else:
        assert 8 <= figures["luts"] <= 20


def test_lutram_and_logic_of_a_fifo(sources: Path) -> None:
    result = run(job(sources, "fifo", delay=True))
    assert result.lutram == 8  # two RAM32M of four LUTs
    assert result.luts == result.lutram + sum(result.lut.values())
    assert result.ff >= 10
    assert result.delay_ns is not None
    assert 0.5 < result.delay_ns < 5


def test_shift_register_is_luts_too(sources: Path) -> None:
    result = run(job(sources, "srl"))
    assert (result.srl, result.luts, result.ff) == (16, 16, 0)


def test_rom_with_registered_output_is_one_block_ram(sources: Path) -> None:
    result = run(job(sources, "rom"))
    assert (result.bram18, result.luts) == (1, 0)


def test_nodsp_moves_a_product_into_luts(sources: Path) -> None:
    with_dsp, without = run(job(sources, "mul")), run(job(sources, "mul", nodsp=True))
    assert (with_dsp.dsp, with_dsp.luts) == (1, 0)
    assert without.dsp == 0
    assert without.luts > 100


def test_hierarchy_is_counted_per_instance(tmp_path: Path) -> None:
    (tmp_path / "two.sv").write_text(FIFO.format(name="leaf") + """
module two (input logic clk_i, rst_ni, push_i, pop_i, input logic [7:0] data_i, output logic [7:0] data_o);
  logic [7:0] data;
  leaf u_a (.clk_i, .rst_ni, .push_i, .pop_i, .data_i, .data_o(data));
  leaf u_b (.clk_i, .rst_ni, .push_i(pop_i), .pop_i(push_i), .data_i(data), .data_o);
endmodule
""")
    files = (tmp_path / "two.sv",)
    result = run(SynthJob(top="two", files=files, flatten=False, target="ecp5"))
    assert result.lutram == 48
    glue = run(SynthJob(top="two", files=files, blackboxes=("leaf",), target="ecp5"))
    assert (glue.luts, dict(glue.boxes), dict(glue.cells)) == (0, {"leaf": 2}, {})


@pytest.mark.parametrize("packed", [False, True])
def test_liberty_gives_area(sources: Path, tmp_path: Path, packed: bool) -> None:
    library = tmp_path / ("tiny.lib.gz" if packed else "tiny.lib")
    library.write_bytes(gzip.compress(LIBERTY.encode()) if packed else LIBERTY.encode())
    result = run(job(sources, "add", target="generic", liberty=library))
    assert result.ff == 9
    areas = {"INVX": 1, "BUFX": 1, "NANDX": 2, "NORX": 2, "FFX": 8}
    assert result.area == pytest.approx(sum(areas[cell] * number for cell, number in result.cells.items()))
    assert result.gates == sum(result.cells.values()) - 9


def test_second_time_starts_no_tool(sources: Path, no_tool) -> None:
    first = run(job(sources, "add", target="generic"))
    no_tool()
    again = run(job(sources, "add", target="generic"))
    assert again.cached
    assert (again.cells, again.source, again.seconds, again.log) == (first.cells, first.source, first.seconds, first.log)
    assert cached(job(sources, "add", target="generic")) == again


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"source": "yosys-0.70"}', "\xff"])
def test_damaged_result_counts_as_absent(sources: Path, text: str) -> None:
    wanted = job(sources, "add", target="generic")
    first = run(wanted)
    (cache_directory() / cache_key(wanted) / "result.json").write_bytes(text.encode("latin-1"))
    assert cached(wanted) is None
    again = run(wanted)
    assert not again.cached
    assert again.cells == first.cells
    assert cached(wanted) is not None


def test_log_is_a_file_that_can_be_read(sources: Path) -> None:
    wanted = job(sources, "add", target="generic")
    run(wanted)
    shutil.rmtree(cache_directory() / cache_key(wanted))
    for result in (run(wanted), run(wanted)):
        assert result.log.name == "log.txt.gz"
        with gzip.open(result.log, "rt") as log:
            assert "synth" in log.read()


def test_key_ignores_names_and_sees_content(sources: Path, tmp_path: Path) -> None:
    for name in ("a_mvau", "b_mvau"):
        (tmp_path / f"{name}.sv").write_text(f"module {name}_weights; endmodule module {name}; {name}_weights u_w (); endmodule")
    assert len({cache_key(SynthJob(top=name, files=(tmp_path / f"{name}.sv",))) for name in ("a_mvau", "b_mvau")}) == 1
    (tmp_path / "other.sv").write_text(FIFO.format(name="queue_7"))
    (tmp_path / "wider.sv").write_text(FIFO.format(name="fifo").replace("[32]", "[64]"))
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "a.svh").write_text("`define A 1\n")
    key = cache_key(job(sources, "fifo"))
    assert cache_key(SynthJob(top="queue_7", files=(tmp_path / "other.sv",))) == key
    others = {
        cache_key(SynthJob(top="fifo", files=(tmp_path / "wider.sv",))),
        cache_key(job(sources, "fifo", target="ecp5")),
        cache_key(job(sources, "fifo", nodsp=True)),
        cache_key(job(sources, "fifo", defines=("A=2",))),
        cache_key(job(sources, "fifo", parameters=(("W", "2"),))),
        cache_key(job(sources, "fifo", include_dirs=(tmp_path / "inc",))),
    }
    (tmp_path / "inc" / "a.svh").write_text("`define A 2\n")
    others.add(cache_key(job(sources, "fifo", include_dirs=(tmp_path / "inc",))))
    assert len(others | {key}) == 8


def test_syntax_error_shows_the_tools_line(sources: Path) -> None:
    with pytest.raises(FlowError) as caught:
        run(job(sources, "bad"))
    text = str(caught.value)
    assert text.startswith("bad: Yosys (xc7) stopped: ")
    assert re.search(r"stopped: /.+/rtl with space\d*/bad\.sv:3: ERROR: expected expression \(log: .+\.failed\.txt\)$", text)
    log = Path(text.split("(log: ")[1][:-1])
    assert "expected expression" in log.read_text()
    assert not list(cache_directory().glob("*.part"))


def test_unknown_top(sources: Path) -> None:
    with pytest.raises(FlowError, match=r"^nothing: Yosys \(generic\) stopped: ERROR: 'nothing' is not a valid top-level module"):
        run(SynthJob(top="nothing", files=(sources / "add.sv",), target="generic"))


def test_latch_is_refused(tmp_path: Path) -> None:
    (tmp_path / "held.sv").write_text("""
module held (input logic en_i, d_i, output logic q_o);
  always_latch if (en_i) q_o = d_i;
endmodule
""")
    with pytest.raises(FlowError, match=r"^held: Yosys \(xc7\) inferred 1 latches; assign every variable on every path$"):
        run(SynthJob(top="held", files=(tmp_path / "held.sv",)))


def test_time_out_kills_the_tool(tmp_path: Path) -> None:
    (tmp_path / "spin.sv").write_text(SPIN)
    start = time.monotonic()
    message = r"^spin: Yosys \(xc7\) did not end within 1 s and was stopped; raise the time-out or fold the layer further \(log: "
    with pytest.raises(FlowError, match=message):
        run(SynthJob(top="spin", files=(tmp_path / "spin.sv",), nodsp=True, timeout_s=1))
    assert time.monotonic() - start < 10
    assert not list(cache_directory().glob("*.part"))


def test_cancel_from_another_thread(tmp_path: Path) -> None:
    (tmp_path / "spin.sv").write_text(SPIN)
    cancel = threading.Event()
    threading.Timer(0.5, cancel.set).start()
    with pytest.raises(CancelledError):
        run(SynthJob(top="spin", files=(tmp_path / "spin.sv",), nodsp=True), cancel=cancel)


def test_half_a_result_of_a_killed_run_is_thrown_away(sources: Path) -> None:
    wanted = job(sources, "srl", target="generic")
    part = cache_directory() / f"{cache_key(wanted)}.part"
    part.mkdir(parents=True)
    (part / "result.json").write_text("{")
    assert cached(wanted) is None
    assert run(wanted).ff == 128
    assert not part.exists()


def test_sources_that_change_meanwhile_are_not_cached(sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "add.sv"
    source.write_text((sources / "add.sv").read_text() + "// first\n")
    wanted = SynthJob(top="add", files=(source,), target="generic")

    def edit_and_run(*args: object, **kwargs: object) -> object:
        source.write_text((sources / "add.sv").read_text() + "// second\n")
        return run_process(*args, **kwargs)  # type: ignore[arg-type]  # passed through as given

    monkeypatch.setattr(runner, "run_process", edit_and_run)
    message = r"^add: its sources changed while Yosys read them; synthesise again once they are complete$"
    with pytest.raises(FlowError, match=message):
        run(wanted)
    assert cached(wanted) is None


def test_two_processes_at_once_share_one_run(sources: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hw_flow.synth import SynthJob, run\n"
        f"print(run(SynthJob(top='fifo', files=(Path({str(sources / 'fifo.sv')!r}),), defines=('ONCE',), target='ecp5')).cached)"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-W", "ignore", "-c", code]
    both = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].strip() for process in both)
    assert said == ["False", "True"]


def test_missing_yosys(monkeypatch: pytest.MonkeyPatch, sources: Path) -> None:
    yosys_version.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FlowError) as caught:
        run(job(sources, "add"))
    assert str(caught.value) == (
        "Yosys was not found (Python module 'pyosys'), so nothing can be synthesised; pip install pyosys==0.70"
    )
