"""bitwright's hardware flow: QONNX to verified, measured streaming accelerators.

``hw_flow.train``, ``build``, ``simulate`` and ``verify`` are those of `hw_flow.api`, which has all the verbs; it is
loaded with the first of them. (``export``, ``synth`` and ``report`` are packages here and functions there.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hw_flow import api
    from hw_flow.api import build, load, simulate, train, verify

__all__ = ["api", "build", "load", "simulate", "train", "verify"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'hw_flow' has no attribute '{name}'")
    from importlib import import_module

    module = import_module("hw_flow.api")
    return module if name == "api" else getattr(module, name)
