"""A network of lenet.py's shape back from its QONNX file, so that what a benchmark has exported need not be trained again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from lenet import lenet
from onnx import numpy_helper
from torch import Tensor

import models
from models import BitConfig, Network, quantisers
from models.bits import CODEBOOK_TYPES
from models.layer import Layer, tensor_quantiser


def read_back(folder: Path, bits: BitConfig | str) -> Network:
    """The network in ``folder``, with the channels and weights of its ``model.onnx``, in evaluation mode.

    Parameters
    ----------
    bits : its types, with a scale a tensor.

    Raises
    ------
    ValueError : it gives other outputs than ``expected_output.npy``.
    """
    graph = onnx.load(folder / "model.onnx").graph
    values = {item.name: torch.from_numpy(numpy_helper.to_array(item).copy()) for item in graph.initializer}

    def operands(kind: str) -> list[list[Tensor]]:
        return [[values[name] for name in node.input if name in values] for node in graph.node if node.op_type == kind]

    # A weight is all constants: values, scale, zero point, width; an activation, the input's first, has no values among them.
    weights = [(found[0].T if found[0].ndim == 2 else found[0], found[1]) for found in operands("Quant") if len(found) == 4]
    scales = [found[0] for found in operands("Quant") if len(found) == 3][1:]
    spec = lenet()
    for unit, kind, (weight, _) in zip((0, 2, 4), ("conv", "conv", "dense"), weights[:3], strict=True):
        spec["units"][unit][kind] = len(weight)
    model = models.build(spec, bits, seed=0)
    with torch.no_grad():
        for layer, (weight, scale) in zip(model.layers, weights, strict=True):
            _set_weights(layer, weight, scale)
        for site, scale in zip(model.sites()[1:], scales, strict=True):
            quantisers.set_scale(tensor_quantiser(site.module), scale, site.dtype, site.scale, site.dtype == "TERNARY")
        norms: list[Any] = [layer.norm for layer in model.layers if layer.norm is not None]
        for norm, parts in zip(norms, operands("BatchNormalization"), strict=True):
            for own, part in zip((norm.weight, norm.bias, norm.running_mean, norm.running_var), parts, strict=True):
                own.copy_(part)
        norm = model.output_norm
        assert norm is not None
        norm.running_var.fill_(1 - norm.eps)
        norm.scale.copy_(operands("Mul")[0][0])
        norm.offset.copy_(operands("Add")[0][0])
        model.eval()
        inputs, wanted = (np.load(folder / name) for name in ("sample_input.npy", "expected_output.npy"))
        given = model(torch.from_numpy(inputs).flatten(1)).numpy()
    if not np.allclose(given, wanted.reshape(given.shape), rtol=0, atol=1e-3):
        raise ValueError(f"{folder}: the network read back gives other outputs than its export; train it again")
    return model


def _set_weights(layer: Layer, weight: Tensor, scale: Tensor) -> None:
    layer.linear.weight.copy_(weight)
    quantiser: Any = layer.linear.weight_quant.tensor_quant
    if layer.weight_type in CODEBOOK_TYPES:
        quantiser.reach.copy_(torch.log2(scale * quantiser.top))
    else:
        quantisers.set_scale(quantiser, scale, layer.weight_type, layer.weight_scale, quantisers.weight_narrow(layer.weight_type))
