"""The vendor's compiler: what is run and what is read, with a stand-in that leaves a real report."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hw_flow.backends.hls4ml import vendor
from hw_flow.backends.hls4ml.project import Project
from hw_flow.backends.hls4ml.runner import Written
from hw_flow.backends.hls4ml.settings import HlsSettings
from hw_flow.backends.hls4ml.translate import translate
from hw_flow.backends.protocol import Build
from hw_flow.errors import FlowError
from hw_flow.frontend import compile_qonnx
from hw_flow.report.records import load_syntheses
from hw_flow.steps import Steps
from tests.hw_flow.tiny import tiny

REPORT = Path("reports") / "01_hls4ml_test_report" / "Vivado__myproject_csynth.xml"


@pytest.fixture
def made(tmp_path: Path) -> tuple[Build, Project]:
    """A build directory that holds a project folder, without hls4ml."""
    program = compile_qonnx(tiny(tmp_path / "tiny.onnx"))
    (tmp_path / "out" / "hls4ml").mkdir(parents=True)
    build = Build(tmp_path / "out", "hls4ml", {"key": "k", "name": "tiny", "notes": []})
    written = Written("1.3.0", 4, {}, [{"name": "x", "kind": "Input"}, {"name": "MVAU_0", "kind": "Dense"}])
    return build, Project(build.directory, program, translate(program.graph), HlsSettings(), written, build.directory / "logs")


def _tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program ``vitis_hls`` on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "vitis_hls").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "vitis_hls").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_runs_the_tool_and_reads_its_report(made: tuple[Build, Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.environ.get("BITWRIGHT_DATA")
    if data is None:
        pytest.skip("BITWRIGHT_DATA is not set")
    build, project = made
    shutil.copy(Path(data) / REPORT, tmp_path / "report.xml")
    folder = "top_prj/solution1/syn/report"
    _tool(tmp_path, monkeypatch, f"""echo "INFO: [HLS 200-10] Analyzing design file"
sleep 1.5
echo "$@" > called
mkdir -p {folder}
cp {tmp_path / "report.xml"} {folder}/top_csynth.xml""")
    resources = vendor.synthesise(build, project, "hls", Steps())
    assert (build.directory / "hls4ml" / "called").read_text() == "-f build_prj.tcl\n"
    assert "    synth 1\n" in (build.directory / "hls4ml" / "build_opt.tcl").read_text()
    assert resources.total["luts"].source.startswith("vivado_hls-")
    assert np.isfinite(resources.total["luts"].value)
    seconds = load_syntheses(build.directory, build.key)["hls"].seconds
    assert seconds["hls: read C++"] >= 1
    assert seconds["synthesise hls"] >= seconds["hls: read C++"]


def test_a_tool_that_stops_is_one_line_with_its_log(
    made: tuple[Build, Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    build, project = made
    _tool(tmp_path, monkeypatch, 'echo "ERROR: [HLS 200-70] no licence"; exit 1')
    with pytest.raises(FlowError) as caught:
        vendor.synthesise(build, project, "hls", Steps())
    log = build.directory / "logs" / "vendor.log"
    assert str(caught.value) == f"vitis_hls: ERROR: [HLS 200-70] no licence ({log})"
    assert log.is_file()


def test_a_tool_that_leaves_no_report_says_so(
    made: tuple[Build, Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    build, project = made
    _tool(tmp_path, monkeypatch, "exit 0")
    with pytest.raises(FlowError, match="the tool left no csynth report"):
        vendor.synthesise(build, project, "hls", Steps())


def test_a_tool_without_end_is_killed_whole_and_names_phase_and_setting(
    made: tuple[Build, Project], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    build, project = made
    mark = tmp_path / "mark"
    _tool(tmp_path, monkeypatch, f"""(sleep 3; touch {mark}) &
echo "INFO: [HLS 200-42] -- Implementing module 'top'"
sleep 30""")
    with pytest.raises(FlowError) as caught:
        vendor.synthesise(build, replace(project, settings=HlsSettings(synthesis_timeout_s=1)), "hls", Steps())
    assert str(caught.value) == (f"vitis_hls: no end after 1 s, in phase 'schedule, 1 modules' "
                                 f"({build.directory / 'logs' / 'vendor.log'}); raise synthesis_timeout_s in the settings")
    time.sleep(2.5)
    assert not mark.exists()


def test_unknown_target_is_refused(made: tuple[Build, Project]) -> None:
    with pytest.raises(FlowError) as caught:
        vendor.synthesise(*made, "ice40", Steps())
    assert str(caught.value) == "synthesis target 'ice40' is not one of an hls4ml build; choose hls or vivado"
