"""FINN's hardware graph as the child process described it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from hw_flow.errors import FlowError

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class HardwareNode:
    """A node of FINN's graph.

    Attributes
    ----------
    name, op_type : as FINN names them: ``MVAU_hls_0``, ``MVAU_hls``.
    inputs, outputs : tensor names, constants included.
    attributes : FINN's node attributes, defaults filled in.
    constants : those of ``inputs`` that are constant.
    cycles : FINN's estimate for a frame.
    """

    name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    constants: tuple[str, ...]
    cycles: int

    @property
    def kind(self) -> str:
        """Operator without the style."""
        return self.op_type.rsplit("_", 1)[0] if self.style else self.op_type

    @property
    def style(self) -> str:
        """``hls`` or ``rtl``, empty before FINN specialises."""
        tail = self.op_type.rsplit("_", 1)[-1]
        return tail if tail in ("hls", "rtl") else ""

    @property
    def streams(self) -> tuple[str, ...]:
        """Inputs that are no constants."""
        return tuple(name for name in self.inputs if name not in self.constants)

    def number(self, key: str, default: int = 0) -> int:
        """A whole-number attribute."""
        return int(self.attributes.get(key, default))

    def pair(self, key: str, default: tuple[int, int] = (1, 1)) -> tuple[int, int]:
        """An attribute of height and width."""
        first, second = self.attributes.get(key) or default
        return int(first), int(second)


@dataclass(frozen=True, eq=False)
class HardwareGraph:
    """FINN's graph of specialised, folded nodes in topological order.

    Attributes
    ----------
    shapes, dtypes : of every tensor, batch first.
    arrays : the constants.
    """

    nodes: tuple[HardwareNode, ...]
    shapes: Mapping[str, tuple[int, ...]]
    dtypes: Mapping[str, str]
    arrays: Mapping[str, np.ndarray]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def readers(self, tensor: str) -> tuple[HardwareNode, ...]:
        """Nodes that read ``tensor``."""
        return tuple(node for node in self.nodes if tensor in node.inputs)

    @classmethod
    def load(cls, folder: Path) -> HardwareGraph:
        """Read ``hardware.json`` and ``hardware.npz`` in ``folder``; FlowError if they are missing or damaged."""
        try:
            document = json.loads((folder / "hardware.json").read_text(encoding="utf-8"))
            if document["format"] != _FORMAT:
                raise FlowError(f"{folder}/hardware.json: format {document['format']} is not {_FORMAT}; build again")
            with np.load(folder / "hardware.npz", allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            tensors = document["tensors"]
            return cls(
                tuple(_node(item) for item in document["nodes"]),
                {name: tuple(item["shape"]) for name, item in tensors.items()},
                {name: str(item["dtype"]) for name, item in tensors.items()},
                arrays, tuple(document["inputs"]), tuple(document["outputs"]))
        except (OSError, ValueError, KeyError, TypeError, BadZipFile) as error:
            raise FlowError(f"{folder}: no readable hardware graph ({type(error).__name__}: {error}); build again") from error


def _node(item: Mapping[str, Any]) -> HardwareNode:
    return HardwareNode(item["name"], item["op_type"], tuple(item["inputs"]), tuple(item["outputs"]), item["attributes"],
                        tuple(item["constants"]), int(item["cycles"]))
