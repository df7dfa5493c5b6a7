"""QONNX to hls4ml projects, checked layer by layer against QONNX; see docs/hls4ml.md."""

from __future__ import annotations

from hw_flow.backends.hls4ml.backend import Hls4mlBackend

__all__ = ["Hls4mlBackend"]
