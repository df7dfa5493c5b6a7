"""Phases of a vendor's tool, from lines in the formats of Vivado HLS, Vitis HLS, hls4ml's scripts and Vivado."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw_flow.backends.hls4ml.phases import Phases, watched

RULER = "INFO: [HLS 200-10] ----------------------------------------------------------------"
FINISHED = "CPU user time: 0.5 seconds. CPU system time: 0.1 seconds. Elapsed time: 0.6 seconds; current allocated memory: 30 MB."
# A line, and what `Phases.line` says two seconds later; each comes ten seconds after the one before.
RUN = (
    ("INFO: [HLS 200-10] Running 'vitis_hls'", "start: no estimate"),
    ("***** C/RTL SYNTHESIS *****", "C/RTL synthesis: no estimate"),
    ("INFO: [HLS 200-10] Analyzing design file 'firmware/top.cpp' ... ", "read C++: no estimate"),
    (f"INFO: [HLS 200-111] Finished Source Code Analysis and Preprocessing: {FINISHED}", "compile C++: no estimate"),
    ("WARNING: [HLS 214-104] Only for-loops and functions support the pipeline", "compile C++: no estimate"),
    ("INFO: [HLS 200-10] Starting code transformations ...", "transform loops and arrays: no estimate"),
    ("INFO: [HLS 200-10] Starting hardware synthesis ...", "schedule: no estimate"),
    (RULER, "schedule: no estimate"),
    ("INFO: [HLS 200-42] -- Implementing module 'dense_latency_config2_s' ",
     "schedule, 1 modules (dense_latency_config2_s): no estimate"),
    ("INFO: [HLS 200-42] -- Implementing module 'top' ", "schedule, 2 modules (top): no estimate"),
    ("INFO: [HLS 200-10] -- Generating RTL for module 'dense_latency_config2_s' ",
     "generate Verilog, 0 of 2 modules (dense_latency_config2_s): no estimate"),
    ("INFO: [HLS 200-10] -- Generating RTL for module 'top' ",
     "generate Verilog, 1 of 2 modules (top): 0:00:12 left of this phase"),
    (f"INFO: [HLS 200-111] Finished Generating all RTL models: {FINISHED}", "write Verilog: no estimate"),
    ("***** C/RTL SYNTHESIS COMPLETED IN 0h1m50s *****", "write Verilog: no estimate"),
    ("Start Technology Mapping", "write Verilog: no estimate"),
    ("***** VIVADO SYNTHESIS *****", "vivado synthesis: no estimate"),
    ("Starting RTL Elaboration : Time (s): cpu = 00:00:03 ; elapsed = 00:00:04 . Memory (MB): peak = 1900",
     "Vivado: RTL Elaboration: no estimate"),
    ("Start Technology Mapping", "Vivado: Technology Mapping: no estimate"),
    ("Finished Technology Mapping : Time (s): cpu = 00:00:10 ; elapsed = 00:00:11 .", "Vivado: Technology Mapping: no estimate"),
)


def test_every_phase_is_read_and_only_what_is_known_is_estimated() -> None:
    phases = Phases(started=0.0)
    for index, (line, expected) in enumerate(RUN):
        phases.read(line + "\n", at=10.0 * index)
        assert phases.line(at=10.0 * index + 2) == expected, line
    assert phases.seconds == {
        "start": 10.0, "C/RTL synthesis": 10.0, "read C++": 10.0, "compile C++": 20.0, "transform loops and arrays": 10.0,
        "schedule": 40.0, "generate Verilog": 20.0, "write Verilog": 30.0, "vivado synthesis": 10.0,
        "Vivado: RTL Elaboration": 10.0}


def test_a_log_is_followed_while_it_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "vendor.log"
    with watched(log, show=False) as phases, log.open("w") as stream:
        stream.write("INFO: [HLS 200-10] Analyzing design file 'a' ...\nINFO: [HLS 200-10] Starting code transfor")
        stream.flush()
        stream.write("mations ...\nINFO: [HLS 200-10] -- Gen")  # the last line is not whole
    assert phases.now.label == "transform loops and arrays"
    assert not capsys.readouterr().err
