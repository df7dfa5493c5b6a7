"""docs/operators.md says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import helper

from hw_flow.errors import FlowError
from hw_flow.frontend.catalogue import SECTIONS, render, supported
from hw_flow.frontend.support import INSTEAD, check_operators

ROOT = Path(__file__).parents[3]


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "operators.md").read_text(encoding="utf-8") == render(), "run python -m hw_flow.frontend.catalogue"


def test_every_operator_is_on_the_page() -> None:
    assert {name for entries in SECTIONS.values() for entry in entries for name in entry.operators} == supported()


@pytest.mark.parametrize("name", sorted(INSTEAD))
def test_remedies(name: str) -> None:
    graph = helper.make_graph([helper.make_node(name, ["x"], ["y"], name="n", domain="qonnx.custom_op.general")], "g", [], [])
    with pytest.raises(FlowError) as caught:
        check_operators(graph)
    assert str(caught.value) == f"n ({name}): {INSTEAD[name]}"
