"""FIFOs between nodes: their depths, and what the accelerator will do with them."""

from hw_flow.fifo.bits import fifo_bits, fifo_widths, finn_bits
from hw_flow.fifo.gauge import Gauged, Tick, check_frames, gauge
from hw_flow.fifo.performance import Prediction, latency_cycles, predict
from hw_flow.fifo.sizing import Progress, completes, depths

__all__ = [
    "Gauged", "Prediction", "Progress", "Tick", "check_frames", "completes", "depths", "fifo_bits", "fifo_widths", "finn_bits",
    "gauge", "latency_cycles", "predict",
]
