"""Text files: written whole or not at all, and the kernel library."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from hw_flow.storage import write_bytes

KERNELS = Path(__file__).parent / "kernels"
PACKAGE = "bw_pkg"


def write_text(path: Path, text: str) -> None:
    """Write ``text`` atomically; a file that already holds it is left untouched."""
    data = text.encode()
    if path.exists() and path.read_bytes() == data:
        return
    write_bytes(path, data)


@cache
def kernel_uses() -> dict[str, tuple[str, ...]]:
    """Per kernel the kernels and packages that its text names."""
    texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(KERNELS.glob("*.sv"))}
    uses = {}
    for name, text in texts.items():
        code = re.sub(r"//[^\n]*", "", text)
        uses[name] = tuple(other for other in texts if other != name and re.search(rf"\b{other}\b", code))
    return uses


def kernel_closure(names: Iterable[str]) -> tuple[str, ...]:
    """``names`` and all kernels below them, packages first."""
    uses = kernel_uses()
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(uses[name])
    return tuple(sorted(found, key=lambda name: (name != PACKAGE, name)))


def kernel_paths() -> tuple[Path, ...]:
    """Every kernel, packages first."""
    return tuple(KERNELS / f"{name}.sv" for name in kernel_closure(kernel_uses()))
