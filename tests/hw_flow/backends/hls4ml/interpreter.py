"""hls4ml's arithmetic in integers: what its C++ does with a netlist, without compiling it."""

from __future__ import annotations

import re

import numpy as np

from hw_flow.backends.hls4ml.netlist import Layer, Netlist


def kind(text: str) -> tuple[int, int, bool, str, str]:
    """Width, integer bits, signed, rounding and saturation of a type as hls4ml reads it."""
    match = re.fullmatch(r"(u?)(fixed|int)<(\d+)(?:,(-?\d+))?(?:,(\w+),(\w+))?>", text)
    assert match is not None, text
    unsigned, _, width, integer, rounding, saturation = match.groups()
    return int(width), int(integer or width), not unsigned, rounding or "TRN", saturation or "WRAP"


def cast(values: np.ndarray, fraction: int, text: str) -> np.ndarray:
    """``values * 2**-fraction`` as an integer type holds it; ``values`` are Python integers."""
    width, integer, signed, rounding, saturation = kind(text)
    assert width == integer
    if fraction and rounding == "RND_CONV":
        half = 1 << (fraction - 1)
        values = (values + half - 1 + ((values >> fraction) & 1)) >> fraction
    else:
        values = values >> fraction
    high = (1 << (width - signed)) - 1
    low = -high - (saturation != "SAT_SYM") if signed else 0
    if saturation == "WRAP":
        return (values - low) % (1 << width) + low
    return np.clip(values, low, high)


def fits(values: np.ndarray, fraction: int, text: str) -> np.ndarray:
    """Integers times ``2**-fraction``, checked to be exact in a type; Python integers in units of its last bit."""
    width, integer, signed, _, _ = kind(text)
    assert width - integer == fraction
    exact = np.asarray([int(value) for value in np.rint(values.ravel() * 2.0**fraction)], dtype=object).reshape(values.shape)
    assert (exact.astype(float) == values * 2.0**fraction).all()
    high = (1 << (width - signed)) - 1
    assert exact.max() <= high
    assert exact.min() >= (-high - 1 if signed else 0)
    return exact


def run(netlist: Netlist, frames: np.ndarray) -> dict[str, np.ndarray]:
    """Output of every layer for ``frames [N, elements]``, keyed as `runner.run` does."""
    first = netlist.layers[0]
    seen = {first.name: frames.astype(np.int64).astype(object).reshape(len(frames), *first.shape)}
    for layer in netlist.layers[1:]:
        made = _layer(layer, [seen[name] for name in layer.inputs])
        seen[layer.name] = made.reshape(len(frames), *layer.shape)
    sink = netlist.wires[netlist.sink].layer
    return {"output": seen[sink].astype(float), **{f"layer/{name}": values.astype(float) for name, values in seen.items()}}


def _layer(layer: Layer, inputs: list[np.ndarray]) -> np.ndarray:
    (x, *others), types = inputs, layer.types
    if layer.kind == "Reshape":
        return x
    if layer.kind == "Activation":
        return cast(x, 0, types["result"])
    if layer.kind == "BatchNormalization":
        parts = [kind(types[name]) for name in ("scale", "bias")]
        fractions = [width - integer for width, integer, *_ in parts]
        most = max(0, *fractions)
        scale = fits(layer.arrays["scale_data"], fractions[0], types["scale"]) * 2 ** (most - fractions[0])
        bias = fits(layer.arrays["bias_data"], fractions[1], types["bias"]) * 2 ** (most - fractions[1])
        return cast(x * scale + bias, most, types["result"])
    if layer.kind == "Merge":
        total = x + others[0] if layer.attributes["op"] == "add" else x * others[0]
        return cast(total, 0, types["result"])
    if layer.kind == "Concatenate":
        return cast(np.concatenate([x, others[0]], axis=-1), 0, types["result"])
    if layer.kind in ("Transpose", "Cropping2D", "Resize"):
        return _moved(layer, x)
    if layer.kind == "UnaryLUT":
        assert x.min() >= 0
        return fits(layer.arrays["table_data"], 0, types["table"])[x.astype(int)]
    if layer.kind == "Dense":
        weights = fits(layer.arrays["weight_data"], 0, types["weight"])
        return _accumulated(layer, x @ weights)
    return _windowed(layer, x)


def _moved(layer: Layer, x: np.ndarray) -> np.ndarray:
    at = layer.attributes
    if layer.kind == "Transpose":
        return x.transpose(0, *(axis + 1 for axis in at["perm"]))
    assert x.shape[1:] == (at["in_height"], at["in_width"], at["n_chan"])
    if layer.kind == "Cropping2D":
        return x[:, :, at["crop_left"]:at["in_width"] - at["crop_right"]]
    return np.repeat(x, at["out_width"], axis=2)


def _accumulated(layer: Layer, products: np.ndarray) -> np.ndarray:
    bias = fits(layer.arrays["bias_data"], 0, layer.types["bias"])
    return cast(cast(products + bias, 0, layer.types["accum"]), 0, layer.types["result"])


def _windowed(layer: Layer, x: np.ndarray) -> np.ndarray:
    at = dict(layer.attributes)
    if layer.kind.endswith("1D"):
        x = x[:, None]
        at = {"in_height": 1, "out_height": 1, "stride_height": 1, "pad_top": 0, "pad_bottom": 0, **at}
        at["out_width"] = at.get("out_width", at.get("n_out"))
    pool = layer.kind.startswith("Max")
    rows, columns = at.get("filt_height", at.get("pool_height", 1)), at.get("filt_width", at.get("pool_width"))
    fill = 0
    if pool:  # the number whose top bit alone is set
        width, _, signed, *_ = kind(layer.types["result"])
        fill = (-1 if signed else 1) << (width - 1)
    pads = ((0, 0), (at["pad_top"], at["pad_bottom"]), (at["pad_left"], at["pad_right"]), (0, 0))
    padded = np.pad(x, pads, constant_values=fill)
    taps = [padded[:, row:row + (at["out_height"] - 1) * at["stride_height"] + 1:at["stride_height"],
                   column:column + (at["out_width"] - 1) * at["stride_width"] + 1:at["stride_width"]]
            for row in range(rows) for column in range(columns)]
    if pool:
        return cast(np.stack(taps).max(axis=0), 0, layer.types["result"])
    if layer.kind.startswith("Depthwise"):
        weights = fits(layer.arrays["depthwise_data"], 0, layer.types["weight"]).reshape(rows * columns, -1)
        return _accumulated(layer, sum(tap * weight for tap, weight in zip(taps, weights, strict=True)))
    weights = fits(layer.arrays["weight_data"], 0, layer.types["weight"]).reshape(rows * columns * x.shape[-1], -1)
    return _accumulated(layer, np.concatenate(taps, axis=-1) @ weights)
