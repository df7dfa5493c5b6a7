"""One ONNX node and what is known around it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from hw_flow.errors import FlowError
from hw_flow.frontend.numeric import Const
from hw_flow.ir.tensor import IntArray


class UnevenError(FlowError):
    """A parameter is not the same at all positions of a channel of the stream."""


@dataclass(frozen=True, eq=False)
class Site:
    """One node with what is known around it: static tensors, and its frame shape (without the batch).

    Functions between integer tensors live in the channels of a stream. `lanes` says which channel each element of the ONNX frame
    belongs to; without it each element counts as a channel of its own.

    Attributes
    ----------
    lanes : gives int64 ``[*frame]``.
    """

    node: onnx.NodeProto
    static: Mapping[str, np.ndarray]
    frame: tuple[int, ...]
    out_frame: tuple[int, ...]
    lanes: Callable[[], IntArray] | None = None

    @property
    def where(self) -> str:
        """``name (operator)`` for messages."""
        return f"{self.node.name} ({self.node.op_type})"

    @property
    def source(self) -> int:
        """Index of the operand that depends on the input."""
        return next(i for i, name in enumerate(self.node.input) if name and name not in self.static)

    def attribute(self, name: str, default: Any) -> Any:
        """An attribute's value; FlowError if it is not a number."""
        found = next((item for item in self.node.attribute if item.name == name), None)
        if found is None:
            return default
        value = onnx.helper.get_attribute_value(found)
        if isinstance(value, float) and not np.isfinite(value) and self.node.op_type != "Clip":
            raise FlowError(f"{self.where}: attribute {name} is {value}; train or export the network again")
        return value.decode() if isinstance(value, bytes) else value

    def array(self, index: int, what: str) -> np.ndarray:
        """A constant operand as it is stored; FlowError if it is missing, not constant or not finite."""
        name = self.node.input[index] if index < len(self.node.input) else ""
        if name not in self.static:
            raise FlowError(f"{self.where}: its {what} is no constant; export the network with fixed quantisers and parameters")
        value = np.asarray(self.static[name])
        if not np.isfinite(np.asarray(value, dtype=np.float64)).all():
            raise FlowError(f"{self.where}: its {what} holds NaN or infinity; train or export the network again")
        return value

    def const(self, index: int, what: str) -> Const:
        """A constant operand, ``[1]`` or one element per channel."""
        return self.spread(self.array(index, what), what)

    def spread(self, value: np.ndarray, what: str) -> Const:
        """``value`` broadcast over the frame as ONNX does it, then one element per channel."""
        if value.size == 1:
            return Const.of(value)
        try:
            full = np.broadcast_to(np.asarray(value, dtype=np.float64), (1, *self.frame))[0]
        except ValueError:
            raise FlowError(f"{self.where}: its {what} of shape {list(value.shape)} does not fit frames of "
                            f"{list(self.frame)}; check the export") from None
        return Const.of(self.rows(full, what))

    def rows(self, full: np.ndarray, what: str) -> np.ndarray:
        """Elements ``[C]`` of an array ``[*frame]`` that is the same at all positions of a channel; FlowError if it is not."""
        if self.lanes is None:
            return full.ravel()
        lanes = self.lanes()
        rows = np.empty(int(lanes.max()) + 1, dtype=full.dtype)
        rows[lanes] = full
        if not np.array_equal(rows[lanes], full):
            raise UnevenError(f"{self.where}: its {what} differs between positions of one channel (frame {list(self.frame)}); "
                              "use parameters per channel")
        return rows

    def channels(self, value: np.ndarray, what: str) -> Const:
        """``value`` ``[C]`` along the node's channel axis: the first of the frame, the last in channels-last domains."""
        axis = len(self.frame) - 1 if self.node.domain.endswith("channels_last") else 0
        if value.size > 1 and value.size != self.frame[axis]:
            raise FlowError(f"{self.where}: its {what} has {value.size} channels for frames of {list(self.frame)}; "
                            "check the export")
        return self.spread(value.reshape([-1 if index == axis + 1 else 1 for index in range(len(self.frame) + 1)]), what)
