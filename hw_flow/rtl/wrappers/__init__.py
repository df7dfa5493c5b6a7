"""One generated module without parameters for every node, FIFO, converter and fork: a file for each family.

`node_module` dispatches on the class of the node; a family registers its own.
"""

from hw_flow.rtl.wrappers import elementwise, joins, matrix, spatial, tables, windows
from hw_flow.rtl.wrappers.module import Module, node_module
from hw_flow.rtl.wrappers.streams import dwc_module, fifo_module, fork_module

__all__ = ["Module", "dwc_module", "elementwise", "fifo_module", "fork_module", "joins", "matrix", "node_module",
           "spatial", "tables", "windows"]
