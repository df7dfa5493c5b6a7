"""Elements that no result depends on: hardware need not make them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hw_flow.ir import MVAU, Graph, Node, Thresholding

BoolArray = NDArray[np.bool_]


@lru_cache(maxsize=256)
def read_channels(graph: Graph, tensor: str) -> BoolArray:
    """Channels of ``tensor`` on which an output of ``graph`` may depend, bool ``[C]``.

    A matrix does not depend on columns of zeros, and rows that are not read themselves ask for nothing.
    """
    channels = graph.tensors[tensor].channels
    read = np.zeros(channels, dtype=bool)
    read[:] = tensor in graph.outputs
    for node in graph.consumers(tensor):
        np.logical_or(read, _asked(node, graph, channels), out=read)
    read.flags.writeable = False  # the cache hands out this one
    return read


def _asked(node: Node, graph: Graph, channels: int) -> BoolArray:
    match node:
        case MVAU() if node.mw == channels:
            asked: BoolArray = np.asarray(node.weights[read_channels(graph, node.outputs[0])].any(axis=0), dtype=bool)
            return asked
        case Thresholding():
            return read_channels(graph, node.outputs[0])
        case _:
            return np.ones(channels, dtype=bool)
