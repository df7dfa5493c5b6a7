"""LUTs of a 6-input architecture per unit of each feature."""

from __future__ import annotations

from collections.abc import Mapping

# What the structure of the kernels suggests; a calibration starts here.
PRIOR: Mapping[str, float] = {
    "xnor": 0.5, "bit_products": 1.4, "dsp_tree": 0.1, "accumulator": 0.5, "adder": 1.0, "argmax": 2.0,
    "weights": 1.5, "buffer": 1.33, "replay": 0.67, "compare": 1.0, "table": 1.0, "counter": 1.0, "stream": 0.25,
    "heap": 0.5, "small_row": 1.0, "constant_compare": 0.5,
    "fifo_beat": 1.0, "fifo_memory": 0.67, "converter": 1.0,
    **{f"control.{name}": luts for name, luts in (
        ("MVAU", 40.0), ("MVAU.constant", 10.0), ("VVAU", 40.0), ("SlidingWindow", 60.0), ("SlidingWindow.parallel", 60.0),
        ("Pool", 20.0), ("GlobalPool", 20.0), ("Thresholding", 20.0), ("LabelSelect", 20.0), ("Add", 10.0), ("Multiply", 10.0),
        ("Concat", 10.0), ("Slice", 10.0), ("Reorder", 20.0), ("Lookup", 10.0), ("Requantise", 20.0),
        ("fifo", 5.0), ("dwc", 5.0))},
}

# What `python benchmarks/lut_model.py` made of them.
FITTED: Mapping[str, float] = PRIOR
