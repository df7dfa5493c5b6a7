"""Every format: a sample of each, cut off anywhere, and hostile files."""

from __future__ import annotations

import gzip
import math
import os
import random
import re
from pathlib import Path

import pytest

from hw_flow.errors import FlowError
from hw_flow.synth.parsers import FORMATS, UNITS, ToolReport, parse, text
from tests.hw_flow.synth.parsers.samples import SAMPLES


def plain(report: ToolReport) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    return ({name: figure.value for name, figure in report.total.items()},
            {layer: {name: figure.value for name, figure in row.items()} for layer, row in report.layers.items()})


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_gives_its_figures(name: str, tmp_path: Path) -> None:
    sample = SAMPLES[name]
    report = parse(sample.write(tmp_path))
    total, layers = plain(report)
    assert (report.format, report.source, report.stage) == (name.split(" ", maxsplit=1)[0], sample.source, sample.stage)
    assert total == pytest.approx(sample.total)
    if sample.layers:
        assert layers | sample.layers == layers
    assert report.capacity == sample.capacity
    figures = [*report.total.items(), *(item for row in report.layers.values() for item in row.items())]
    assert all(figure.source == sample.source and figure.unit == UNITS[metric] for metric, figure in figures)


def test_every_format_has_a_sample() -> None:
    assert {kind.name for kind in FORMATS} == {name.split(" ")[0] for name in SAMPLES}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_file_cut_anywhere_is_refused_or_loses_nothing(name: str, tmp_path: Path) -> None:
    sample = SAMPLES[name]
    whole = plain(parse(sample.write(tmp_path)))
    refused = 0
    for length in range(0, len(sample.text.rstrip()), max(1, len(sample.text) // 61)):
        path = tmp_path / f"cut_{sample.name}"
        path.write_text(sample.text[:length], encoding="utf-8")
        try:
            found = plain(parse(path))
        except FlowError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017 - most cuts raise, and some rightly do not
            refused += 1
        else:
            assert found == whole, f"cut after {length} characters"
    assert refused > 25


@pytest.mark.parametrize("name", SAMPLES)
def test_a_mutilated_file_raises_nothing_else(name: str, tmp_path: Path) -> None:
    sample, rng = SAMPLES[name], random.Random(f"mutilated {name}")
    path = tmp_path / sample.name
    for _ in range(40):
        text = sample.text
        for _ in range(rng.randint(1, 6)):
            at, length = rng.randrange(len(text) + 1), rng.randint(1, 30)
            piece = rng.choice(["", "|", "-", "{", "}", '"', "null", "[]", "NaN", "1e999", "\x1b[31m", text[at:at + length] * 2])
            text = text[:at] + piece + text[at + length:]
        path.write_text(text, encoding="utf-8")
        try:
            report = parse(path)
        except FlowError:
            continue
        figures = [figure for row in (report.total, *report.layers.values()) for figure in row.values()]
        assert all(math.isfinite(figure.value) for figure in figures)
        assert all(layer.isprintable() for layer in report.layers)


def test_a_name_says_nothing(tmp_path: Path) -> None:
    sample = SAMPLES["csynth-xml"]
    path = tmp_path / "estimate_layer_cycles.json"
    path.write_text(sample.text, encoding="utf-8")
    assert parse(path).format == "csynth-xml"


def test_a_gzipped_report_is_unpacked(tmp_path: Path) -> None:
    sample = SAMPLES["vivado-timing"]
    path = tmp_path / "timing.rpt.gz"
    path.write_bytes(gzip.compress(sample.text.encode()))
    assert parse(path).total["fmax_mhz"].value == 200
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(FlowError, match=r"timing\.rpt\.gz: expected a whole gzip file \(.*\); pack the report again"):
        parse(path)


def test_sources_beside_a_file_win(tmp_path: Path) -> None:
    (tmp_path / "sources.json").write_text('{"post_synth_resources.json": "yosys-0.70 on xc7"}')
    report = parse(SAMPLES["finn-post-synthesis"].write(tmp_path))
    assert (report.source, report.stage, report.notes) == ("yosys-0.70", "synthesis", ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("hello\n", r"no report of a known format \(expected one of csynth-xml, .*, openroad\); the table in docs/reports.md"),
        ('{"a": 1', r"expected whole JSON \(.*\); the file is damaged or cut off, let the tool write it again"),
        ('{"a": {"b": [1, 2]}}', "no report of a known format"),
        ("[" * 100_000, "expected JSON nested less deeply"),
        ('<AutoPilot:project xmlns:AutoPilot="com" name="x"/>', "is a project file of Vivado HLS; give its csynth.xml"),
        ('{"MVAU_hls_0": [{"LUT": 3}]}',
         "is FINN's alternatives for each node, not one design; give estimate_layer_resources.json"),
        ('{"MVAU_hls_0": 3, "MVAU_hls_1": "x"}', "no report of a known format"),
        ('{"fmax": {}, "utilization": {"XYZ": {"used": 1, "available": 2}}}',
         r"expected cells of ecp5, ice40, nexus, gowin \(found XYZ\)"),
    ],
)
def test_what_is_no_report_is_refused(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    with pytest.raises(FlowError, match=f"{path}: {message}"):
        parse(path)


def test_entities_are_never_expanded(tmp_path: Path) -> None:
    path = tmp_path / "csynth.xml"
    path.write_text('<?xml version="1.0"?>\n<!DOCTYPE profile [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>\n'
                    + SAMPLES["csynth-xml"].text.replace("2019.2", "&b;"))
    with pytest.raises(FlowError, match="declares a document type, which no report needs and which can hide entities; remove it"):
        parse(path)


def test_a_file_too_large_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_BYTES", 1 << 20)
    bomb = tmp_path / "report.rpt.gz"
    bomb.write_bytes(gzip.compress(b" " * (8 << 20)))
    with pytest.raises(FlowError, match="more than 1 MiB; give the tool's summary report instead"):
        parse(bomb)


def test_missing_binary_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FlowError, match=r"none\.rpt: cannot read the report \(No such file or directory\); check the path"):
        parse(tmp_path / "none.rpt")
    (tmp_path / "x.xutil").write_bytes(b"ab\0cd")
    with pytest.raises(FlowError, match=r"expected a text report, found binary data; give the tool's \.rpt, \.xml or \.json"):
        parse(tmp_path / "x.xutil")


def test_an_unknown_latency_is_noted(tmp_path: Path) -> None:
    report = parse(SAMPLES["csynth-rpt without a latency"].write(tmp_path))
    assert report.notes == ("latency is not known to the compiler (a loop without a fixed trip count)",)


_NUMBER = re.compile(r"(?<![\w.\"-])\d+(?![\w.])")
_HOSTILE = {
    "empty": lambda text: b"", "blank": lambda text: b" \n" * 50, "mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "utf-16": lambda text: text.encode("utf-16"), "latin": lambda text: b"\xe9\xff" + text.encode() + b"\xfe",
    "dos": lambda text: text.replace("\n", "\r\n").encode(), "mac": lambda text: text.replace("\n", "\r").encode(),
    "twice": lambda text: (text + text).encode(), "backwards": lambda text: "\n".join(reversed(text.splitlines())).encode(),
    "packed twice": lambda text: gzip.compress(gzip.compress(text.encode())),
    "entity": lambda text: text.replace("?>", '?><!DOCTYPE p [<!ENTITY a "b">]>', 1).encode(),
    "nested": lambda text: (text[:1] + "[" * 200_000 if text[:1] in "[{" else "<a>" * 200_000).encode(),
    "spaces": lambda text: text.replace(" ", " " * 40).encode(), "rules": lambda text: text.replace("-", "-" * 300).encode(),
    "colours": lambda text: text.replace(" ", "\x1b[31m ").encode(), "zeros": lambda text: text.replace("\n", "\0\n").encode(),
    "other digits": lambda text: re.sub(r"\d", "\u0663", text).encode(),
    **{f"numbers are {value[:9]}": lambda text, value=value: _NUMBER.sub(value, text).encode()
       for value in ("9" * 400, "9" * 5000, "1e308", "NaN", "Infinity", "null", "0", '"x"', "[1,2]", '{"a":{}}', "true")},
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_hostile_file_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    sample = SAMPLES[name]
    path = tmp_path / sample.name
    for change in _HOSTILE.values():
        path.write_bytes(change(sample.text))
        try:
            report = parse(path)
        except FlowError as error:
            assert "\n" not in str(error)  # noqa: PT017 - most are refused, and some rightly not
            continue
        figures = [figure for row in (report.total, *report.layers.values()) for figure in row.values()]
        assert all(math.isfinite(figure.value) and (figure.value >= 0 or figure.unit == "ns") for figure in figures)


def test_counts_below_zero_are_refused(tmp_path: Path) -> None:
    path = SAMPLES["finn-layer-cycles"].write(tmp_path)
    path.write_text('{"MVAU_hls_0": -3, "MVAU_hls_1": 4}')
    with pytest.raises(FlowError, match="says that cycles is -3; no tool counts below 0, take it from its maker again"):
        parse(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "report.json")
    with pytest.raises(FlowError, match=r"report\.json: is no regular file; give the tool's \.rpt, \.xml or \.json"):
        parse(tmp_path / "report.json")
