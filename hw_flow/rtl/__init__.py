"""SystemVerilog kernels, and the emitter that makes an accelerator of them."""

from hw_flow.rtl.design import Design, Instance
from hw_flow.rtl.emit import emit

__all__ = ["Design", "Instance", "emit"]
