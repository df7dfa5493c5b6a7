"""LUTs of a 6-input architecture per unit of each feature."""

from __future__ import annotations

from collections.abc import Mapping

# What the structure of the kernels suggests; a calibration starts here.
PRIOR: Mapping[str, float] = {
    "xnor": 0.5, "bit_products": 1.4, "shift": 1.0, "dsp_tree": 0.1, "accumulator": 0.5, "adder": 1.0, "argmax": 2.0,
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
FITTED: Mapping[str, float] = {
    "xnor": 0.51, "bit_products": 0.96, "shift": 0.565, "dsp_tree": 0.1, "accumulator": 0.531, "adder": 0.393, "argmax": 1.27,
    "weights": 0.996, "buffer": 0.651, "replay": 0.765, "compare": 0.795, "table": 0.199, "counter": 0.736, "stream": 0,
    "heap": 0.436, "small_row": 1.01, "constant_compare": 0.557, "fifo_beat": 0.68, "fifo_memory": 0.528, "converter": 0,
    "control.MVAU": 56.4, "control.MVAU.constant": 9.33, "control.VVAU": 25.8, "control.SlidingWindow": 9.75,
    "control.SlidingWindow.parallel": 0, "control.Pool": 9.47, "control.GlobalPool": 26.4, "control.Thresholding": 2.29,
    "control.LabelSelect": 11.7, "control.Add": 13, "control.Multiply": 7.64, "control.Concat": 12.8, "control.Slice": 6.13,
    "control.Reorder": 36.7, "control.Lookup": 0.909, "control.Requantise": 9.61, "control.fifo": 5.71, "control.dwc": 5.09,
}
