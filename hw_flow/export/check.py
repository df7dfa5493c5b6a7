"""QONNX execution against Brevitas, quantised tensor by quantised tensor.

Brevitas runs in torch, QONNX in onnxruntime. Both use float32, but sum a matrix product in different
orders, so with scales that are not powers of two the last bit of a sum may differ, and a value that
lies on a rounding boundary can fall either way. To keep one such flip from changing all that follows, each layer of
the QONNX file is fed with Brevitas' own quantised input. Quantised values must then be equal, except where
Brevitas' own quantiser gives either of the two within the forward error bound of the float32
computation (Higham, Accuracy and Stability of Numerical Algorithms, 2002, eq. 3.5): those are counted
as ties. Weights and the quantised input involve no sums and must be equal without exception. Logits
are not quantised; they must agree to float32 accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_flow.errors import FlowError

if TYPE_CHECKING:
    from hw_flow.frontend.reference import Reference
    from models import MLP
    from models.mlp import Layer

# Unit round-off of float32, and roundings after the sum: bias, four of BatchNormalization, and reserve.
_U = 2.0**-24
_AFTER = 12
# Relative to the largest logit; a wrong scale or offset is orders of magnitude above it.
_LOGITS = 1e-4
_FAULT = "this is a fault of the exporter, use the tested versions in constraints.txt"


@dataclass(frozen=True, eq=False)
class Check:
    """Outcome of a check that found no difference.

    Attributes
    ----------
    outputs : Brevitas' logits, float32 ``[N, classes]``.
    tensors, elements : quantised tensors and integers compared.
    ties : elements on a rounding boundary.
    """

    outputs: np.ndarray
    tensors: int
    elements: int
    ties: int


@dataclass(frozen=True, eq=False)
class _Trace:
    """One activation quantiser in Brevitas: itself, what went in and what came out, float32 ``[N, C]``."""

    module: Any
    before: np.ndarray
    after: np.ndarray


def check(model: MLP, content: bytes, x: np.ndarray, path: Path) -> Check:
    """Compare the QONNX file ``content`` with ``model`` on ``x [N, features]``; ``path`` is for messages.

    Raises
    ------
    FlowError : naming the first quantised tensor that differs.
    """
    import onnx

    from hw_flow.frontend.clean import clean
    from hw_flow.frontend.reference import Reference

    reference = Reference(clean(onnx.ModelProto.FromString(content), str(path)))
    outputs, traces = _brevitas(model, x)
    moving = [reference.model.graph.node[reference.nodes[name]] for name in reference.moving()]
    products = [node for node in moving if node.op_type in ("MatMul", "Gemm")]
    quantisers = [node for node in moving if node.op_type in ("Quant", "BipolarQuant")]
    if len(products) != model.spec.layers or len(quantisers) != model.spec.layers:
        raise FlowError(
            f"{path}: the export has {len(products)} matrix products and {len(quantisers)} activation quantisers,"
            f" the network {model.spec.layers} of each; {_FAULT}"
        )
    elements = ties = 0
    for layer, product in zip(model.layers, products, strict=True):
        elements += _compare_weights(layer, reference, product, path)
    fed, order = {reference.source: x}, reference.moving()
    first = 0
    for index, (node, trace) in enumerate(zip(quantisers, traces, strict=True)):
        last = order.index(node.name)
        values = reference.run(order[first : last + 1], fed)
        bound = None if index == 0 else _bound(model.layers[index - 1], traces[index - 1].after, trace.before)
        ties += _compare(f"{path}: quantised tensor '{node.output[0]}'", values[node.output[0]], trace, bound)
        elements += trace.after.size
        fed, first = {node.output[0]: trace.after}, last + 1
    logits = reference.run(order[first:], fed)[reference.sink].reshape(outputs.shape)
    apart = np.abs(logits - outputs)
    if not np.all(apart <= _LOGITS * max(1.0, float(np.abs(outputs).max()))):
        raise FlowError(f"{path}: output '{reference.sink}' differs from Brevitas' by up to {float(apart.max()):g}; {_FAULT}")
    return Check(outputs, len(products) + len(quantisers), elements, ties)


def _brevitas(model: MLP, x: np.ndarray) -> tuple[np.ndarray, list[_Trace]]:
    """Logits, and a trace of the input quantiser and of every hidden activation."""
    import torch

    traces: list[_Trace] = []

    def keep(module: Any, inputs: Any, output: Any) -> None:
        traces.append(_Trace(module, _array(inputs[0]), _array(output)))

    modules = [model.quant_input, *(layer.activation for layer in model.layers if layer.activation is not None)]
    hooks = [module.register_forward_hook(keep) for module in modules]
    try:
        with torch.no_grad():
            outputs = model(torch.from_numpy(x))
    finally:
        for hook in hooks:
            hook.remove()
    return _array(outputs), traces


def _array(value: Any) -> np.ndarray:
    array: np.ndarray = getattr(value, "value", value).detach().numpy().astype(np.float32)
    return array


def _compare_weights(layer: Layer, reference: Reference, product: Any, path: Path) -> int:
    ours = _array(layer.linear.quant_weight()).T
    name = product.input[1]
    theirs = reference.static[name]
    if ours.shape != theirs.shape or not np.array_equal(ours, theirs):
        raise FlowError(
            f"{path}: weights '{name}' of {product.name} differ from Brevitas' in {_count(ours, theirs)}; {_FAULT}"
        )
    return int(ours.size)


def _count(ours: np.ndarray, theirs: np.ndarray) -> str:
    if ours.shape != theirs.shape:
        return f"shape ({list(theirs.shape)} for {list(ours.shape)})"
    return f"{int((ours != theirs).sum())} of {ours.size} elements"


def _bound(layer: Layer, x: np.ndarray, before: np.ndarray) -> np.ndarray:
    """How far two float32 evaluations of ``layer`` on ``x [N, in]`` may lie apart before its quantiser, ``[N, out]``."""
    weights = np.abs(_array(layer.linear.quant_weight()).astype(np.float64))
    steps = weights.shape[1] + _AFTER
    gamma = steps * _U / (1 - steps * _U)
    size = np.abs(x.astype(np.float64)) @ weights.T
    gain: np.ndarray | float = 1.0
    if layer.bias is not None:
        size = size + np.abs(_array(layer.bias.value))
    if layer.norm is not None:
        norm = layer.norm
        gain = np.abs(_array(norm.weight)) / np.sqrt(_array(norm.running_var).astype(np.float64) + norm.eps)
        size = size + np.abs(_array(norm.running_mean))
        size = size * gain + np.abs(_array(norm.bias))
    bound: np.ndarray = 2 * gamma * (size + np.abs(before))
    return bound


def _compare(what: str, theirs: np.ndarray, ours: _Trace, bound: np.ndarray | None) -> int:
    """Number of ties between ``theirs``, of QONNX, and Brevitas at one quantiser; FlowError for any other difference."""
    after = theirs.reshape(ours.after.shape)
    different = after != ours.after
    if not different.any():
        return 0
    fault = different
    if bound is not None:
        below, above = _requantised(ours, -bound), _requantised(ours, bound)
        fault = different & (after != below) & (after != above)
    if fault.any():
        frame, channel = (int(part[0]) for part in np.nonzero(fault))
        raise FlowError(
            f"{what} differs from Brevitas' in {int(fault.sum())} of {fault.size} elements, first at frame {frame},"
            f" channel {channel}: {after[frame, channel]:g} for {ours.after[frame, channel]:g}; {_FAULT}"
        )
    return int(different.sum())


def _requantised(trace: _Trace, step: np.ndarray) -> np.ndarray:
    """What Brevitas' quantiser gives when its input moves by ``step``."""
    import torch

    with torch.no_grad():
        return _array(trace.module(torch.from_numpy((trace.before + step).astype(np.float32))))
