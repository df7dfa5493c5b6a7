"""What a long job looks at before it starts."""

from __future__ import annotations

import pytest

from hw_flow import synth
from hw_flow.errors import FlowError
from hw_flow.preflight import check_tools
from sim.errors import SimError


def test_versions_of_the_tools() -> None:
    from sim.toolchain import verilator

    assert check_tools() == {"verilator": verilator().version, "yosys": synth.yosys_version()}


def test_missing_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(SimError, match=r"^no-such-compiler: not found"):
        check_tools()


def test_yosys_is_asked_for_only_if_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise FlowError("Yosys was not found")

    monkeypatch.setattr(synth, "yosys_version", missing)
    assert set(check_tools(synthesis=False)) == {"verilator"}
    with pytest.raises(FlowError, match=r"^Yosys was not found$"):
        check_tools()
