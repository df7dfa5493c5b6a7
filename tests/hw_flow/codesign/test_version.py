from __future__ import annotations

from pathlib import Path

import pytest

from hw_flow import preflight
from hw_flow.codesign.loop import default_evaluator
from hw_flow.codesign.problem import Problem, parse
from hw_flow.codesign.version import code_digest, measurement_version


def test_version_names_code_and_tools() -> None:
    first, code, *tools = measurement_version("7", {"verilator": "5.048", "yosys": "0.70"}).split()
    assert (first, code.startswith("code-"), tools[:2]) == ("7", True, ["verilator-5.048", "yosys-0.70"])
    assert [tool.split("-")[0] for tool in tools[2:]] == ["torch", "brevitas"]


@pytest.mark.parametrize("file", [
    "hw_flow/rtl/kernels/x.sv", "hw_flow/codesign/evaluate.py", "models/mlp.py", "quant_training/x.py", "sim/harness/x.h"])
def test_digest_follows_the_code_that_measures(tmp_path: Path, file: str) -> None:
    before = code_digest(tmp_path)
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text("one")
    one = code_digest(tmp_path)
    path.write_text("two")
    assert len({before, one, code_digest(tmp_path)}) == 3


def test_digest_leaves_out_what_only_shows(tmp_path: Path) -> None:
    before = code_digest(tmp_path)
    (tmp_path / "hw_flow" / "cli").mkdir(parents=True)
    (tmp_path / "hw_flow" / "cli" / "search.py").write_text("one")
    assert code_digest(tmp_path) == before


def problem_on(dataset: str) -> Problem:
    types = {"weights": ["INT2"], "activations": ["UINT2"]}
    return parse({"name": "any", "dataset": dataset, "model": {"features": [2, 4, 2]}, **types})


def test_another_verilator_or_yosys_is_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for verilator, yosys in (("5.0", "0.70"), ("5.1", "0.70"), ("5.0", "0.71")):
        tools = {"verilator": verilator, "yosys": yosys}
        monkeypatch.setattr(preflight, "check_tools", lambda tools=tools: tools)
        found.add(default_evaluator(problem_on("digits")).version)
    assert len(found) == 3


def test_other_samples_are_another_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(preflight, "check_tools", dict)
    samples = tmp_path / "samples.csv"
    versions = []
    for content in ("1,2,a\n", "1,2,a\n", "1,3,a\n"):
        samples.write_text(content)
        versions.append(default_evaluator(problem_on(str(samples))).version)
    assert versions[0] == versions[1] != versions[2]
