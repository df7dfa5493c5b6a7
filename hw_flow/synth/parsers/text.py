"""Reading of report files: size limits, tables of text reports, XML without entities, JSON."""

from __future__ import annotations

import gzip
import json
import re
import stat
import zlib
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from hw_flow.errors import FlowError

# The largest report seen is 34 MB (a timing report with all its paths).
MAX_BYTES = 64 << 20
_LARGEST = 1e18
_RULE = re.compile(r"\s*\+[-+]+\+\s*")


@dataclass(frozen=True)
class Content:
    """A report file in memory."""

    path: Path
    text: str

    @cached_property
    def head(self) -> str:
        """The first characters, enough for any banner."""
        return self.text[:6000]

    @cached_property
    def data(self) -> Any:
        """The file as JSON: one value, or the list of all lines of an ``.ndjson``; None if it is not JSON.

        Raises
        ------
        FlowError : it begins like JSON and is damaged.
        """
        if self.text.lstrip()[:1] not in ("{", "["):
            return None
        try:
            return json.loads(self.text)
        except RecursionError:
            self.fail("JSON nested less deeply")
        except ValueError as error:
            lines = [line for line in self.text.splitlines() if line.strip()]
            try:
                if len(lines) > 1 and lines[0].rstrip().endswith("}"):
                    return [json.loads(line) for line in lines]
            except ValueError:
                pass
            self.fail("whole JSON", str(error))

    @cached_property
    def root(self) -> Element | None:
        """The file as XML; None if it is not.

        Raises
        ------
        FlowError : it begins like XML and is damaged, or declares a document type (entities are never expanded).
        """
        return _xml(self) if re.match(r"\s*<(\?xml|[A-Za-z])", self.head) else None

    def fail(self, expected: str, found: str = "") -> NoReturn:
        """FlowError: the file is damaged or cut off."""
        why = f" ({found})" if found else ""
        raise FlowError(f"{self.path}: expected {expected}{why}; the file is damaged or cut off, let the tool write it again")


def read(path: Path) -> Content:
    """The text of ``path``, unpacked if it is gzipped.

    Raises
    ------
    FlowError : missing, no regular file, no text, or larger than `MAX_BYTES` (packed or unpacked).
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FlowError(f"{path}: is no regular file; give the tool's .rpt, .xml or .json")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
            if data[:2] == b"\x1f\x8b":
                file.seek(0)
                with gzip.GzipFile(fileobj=file) as packed:
                    data = packed.read(MAX_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise FlowError(f"{path}: expected a whole gzip file ({error}); pack the report again") from error
    except OSError as error:
        raise FlowError(f"{path}: cannot read the report ({error.strerror}); check the path") from error
    if len(data) > MAX_BYTES:
        raise FlowError(f"{path}: more than {MAX_BYTES >> 20} MiB; give the tool's summary report instead")
    if b"\0" in data[:4096]:
        raise FlowError(f"{path}: expected a text report, found binary data; give the tool's .rpt, .xml or .json")
    return Content(path, data.decode("utf-8", errors="replace"))


def number(text: object) -> float | None:
    """The number in a cell such as ``1,234``, ``<0.01``, ``12*`` or ``176 (4%)``; None for ``-``, ``?`` and ``N/A``."""
    if isinstance(text, str):
        match = re.match(r"\s*[<~]?\s*(-?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?)", text)
        text = float(match.group(1).replace(",", "")) if match else None
    if not isinstance(text, int | float) or isinstance(text, bool) or abs(text) > _LARGEST:
        return None  # not a number, infinite, or beyond what any tool counts
    return text if text == text else None  # noqa: PLR0124 - NaN differs from itself


def tables(text: str) -> list[list[list[str]]]:
    """All tables drawn with ``|`` and ``+--+``, as rows of cells; cells keep their leading blanks (they tell the depth).

    Rules between rows split nothing: header, body and total are one table, which ends where no ``|`` follows.
    """
    found: list[list[list[str]]] = []
    inside = False
    for line in text.splitlines():
        bare = line.strip()
        if bare.startswith("|") and bare.endswith("|") and len(bare) > 1:
            if not inside:
                found.append([])
            inside = True
            found[-1].append([cell.rstrip() for cell in bare[1:-1].split("|")])
        elif not _RULE.fullmatch(line):
            inside = False
    return found


def section(text: str, title: str) -> str | None:
    """The part of a Vivado report below the underlined heading ``title`` (its number left out), to the next heading."""
    heading = r"^(?:\| *)?(?:[\d.]+ +)?{} *\n(?:\| *)?-{{3,}} *\n"
    start = re.search(heading.format(re.escape(title)), text, re.MULTILINE)
    if start is None:
        return None
    end = re.search(heading.format(r"\w[^\n|]*"), text[start.end():], re.MULTILINE)
    return text[start.end(): start.end() + end.start()] if end else text[start.end():]


def check_whole(content: Content, end: str = "") -> None:
    """FlowError if a text report is cut off: no heading ``end``, an open table, a section of its table of contents missing."""
    if content.text.lstrip()[:1] in ("{", "[", "<"):
        return  # JSON and XML tell by themselves
    if end and re.search(end, content.text, re.MULTILINE) is None:
        content.fail("the report's last sections")
    lines = (line.strip() for line in reversed(content.text.rstrip().splitlines()))
    table = list(takewhile(lambda line: line[:1] in ("+", "|"), lines))
    # A table without rows ends after its heading, which empty lines follow.
    headed = len(table) == 3 and not content.text.endswith("\n\n")
    if table and (len(table) < 3 or headed or table[0] != table[-1] or not table[0].startswith("+")):
        content.fail("the end of the last table")
    listed = re.search(r"^Table of Contents\n-+\n((?:[\d.]+ .*\n)+)", content.text, re.MULTILINE)
    for line in listed.group(1).splitlines() if listed else ():
        title = line.partition(" ")[2].strip()
        counted = re.sub(r" \(\d+\)$", "", title)
        if section(content.text, title) is None and section(content.text, counted) is None:
            content.fail(f"section '{title}' of its table of contents")


def field(text: str, name: str) -> str:
    """The value of ``| name : value`` or ``* name: value`` in a banner; ``""`` if it is not there."""
    match = re.search(rf"^\s*[|*]\s*{re.escape(name)}\s*:[ \t]*(\S.*?)\s*$", text, re.MULTILINE)
    return match.group(1) if match else ""


def _xml(content: Content) -> Element:
    builder = TreeBuilder()
    parser = expat.ParserCreate()

    def forbid(*_: object) -> None:
        raise FlowError(f"{content.path}: declares a document type, which no report needs and which can hide entities; remove it")

    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = forbid
    parser.buffer_text = True
    try:
        parser.Parse(content.text.encode(), True)
    except expat.ExpatError as error:
        content.fail("whole XML", str(error))
    root: Element = builder.close()
    return root
