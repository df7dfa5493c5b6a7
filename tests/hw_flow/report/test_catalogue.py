"""docs/reports.md says what the code does."""

from __future__ import annotations

from pathlib import Path

from hw_flow.report.catalogue import devices, formats, render
from hw_flow.report.devices import DEVICES
from hw_flow.synth.parsers import FORMATS

PAGE = Path(__file__).parents[3] / "docs" / "reports.md"


def test_the_page_is_that_of_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == render(text), "run python -m hw_flow.report.catalogue"
    assert formats() in text
    assert devices() in text


def test_every_format_and_device_is_listed() -> None:
    assert all(f"| {kind.name} | " in formats() for kind in FORMATS)
    assert all(f"| {device.name} | " in devices() and device.document in devices() for device in DEVICES)
