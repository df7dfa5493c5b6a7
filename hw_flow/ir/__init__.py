"""Dataflow graph of integer tensors, and its golden model."""

from hw_flow.ir.execute import execute, execute_node
from hw_flow.ir.graph import Graph
from hw_flow.ir.nodes import MVAU, LabelSelect, Node, Thresholding, Thresholds
from hw_flow.ir.store import load_graph, save_graph
from hw_flow.ir.tensor import Tensor, smallest_datatype

__all__ = [
    "MVAU", "Graph", "LabelSelect", "Node", "Tensor", "Thresholding", "Thresholds",
    "execute", "execute_node", "load_graph", "save_graph", "smallest_datatype",
]
