"""Dataflow graph of integer tensors, and its golden model."""

from hw_flow.ir.execute import execute
from hw_flow.ir.graph import Graph
from hw_flow.ir.joins import Add, Concat, Multiply, Reorder, Slice
from hw_flow.ir.nodes import MVAU, LabelSelect, Node, Thresholding
from hw_flow.ir.spatial import VVAU, GlobalPool, Pool, SlidingWindow
from hw_flow.ir.store import load_graph, save_graph
from hw_flow.ir.tables import Lookup, Requantise
from hw_flow.ir.tensor import Tensor, smallest_datatype
from hw_flow.ir.thresholds import Thresholds

__all__ = [
    "MVAU", "VVAU", "Add", "Concat", "GlobalPool", "Graph", "LabelSelect", "Lookup", "Multiply", "Node", "Pool", "Reorder",
    "Requantise", "Slice", "SlidingWindow", "Tensor", "Thresholding", "Thresholds", "execute", "load_graph", "save_graph",
    "smallest_datatype",
]
