"""Brevitas networks to QONNX files, checked against Brevitas on every quantised tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hw_flow.export.write import ExportResult, export, export_checkpoint

__all__ = ["ExportResult", "export", "export_checkpoint"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'hw_flow.export' has no attribute '{name}'")
    from hw_flow.export import write

    return getattr(write, name)
