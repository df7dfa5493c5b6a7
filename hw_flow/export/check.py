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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.export.brevitas import PRODUCTS, QUANTISERS, in_order

if TYPE_CHECKING:
    from hw_flow.frontend.reference import Reference
    from models import Network
    from models.layer import Layer, Site

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
    """One call of an activation quantiser in Brevitas: what went in and out, float32, and how far the former may move."""

    module: Any
    before: np.ndarray
    after: np.ndarray
    bound: np.ndarray | None


def check(model: Network, content: bytes, x: np.ndarray, path: Path) -> Check:
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
    products = in_order(node for node in moving if node.op_type in PRODUCTS)
    quantisers = in_order(node for node in moving if node.op_type in QUANTISERS)
    if len(products) != model.spec.layers or len(quantisers) != len(traces):
        raise FlowError(
            f"{path}: the export has {len(products)} matrix products and {len(quantisers)} activation quantisers,"
            f" the network {model.spec.layers} and {len(traces)}; {_FAULT}"
        )
    elements = ties = 0
    for layer, product in zip(model.layers, products, strict=True):
        elements += _compare_weights(layer, reference, product, path)
    fed = {reference.source: x}
    for node, trace in zip(quantisers, traces, strict=True):
        values = reference.run(_between(moving, node.output[0], fed), fed)
        ties += _compare(f"{path}: quantised tensor '{node.output[0]}'", values[node.output[0]], trace)
        elements += trace.after.size
        fed[node.output[0]] = trace.after
    logits = reference.run(_between(moving, reference.sink, fed), fed)[reference.sink].reshape(outputs.shape)
    apart = np.abs(logits - outputs)
    if not np.all(apart <= _LOGITS * max(1.0, float(np.abs(outputs).max()))):
        raise FlowError(f"{path}: output '{reference.sink}' differs from Brevitas' by up to {float(apart.max()):g}; {_FAULT}")
    return Check(outputs, len(products) + len(quantisers), elements, ties)


def _between(moving: Sequence[Any], sink: str, known: Mapping[str, np.ndarray]) -> list[str]:
    """Names of the nodes that compute tensor ``sink`` from the ``known`` ones, in order."""
    needed, names = {sink}, []
    for node in reversed(moving):
        if any(name in needed and name not in known for name in node.output):
            names.append(node.name)
            needed.update(node.input)
    return names[::-1]


def _brevitas(model: Network, x: np.ndarray) -> tuple[np.ndarray, list[_Trace]]:
    """Logits, and a trace of every call of an activation quantiser."""
    import torch

    sites = iter(model.sites())
    traces: list[_Trace] = []
    fed: dict[Any, Any] = {}

    def keep(_module: Any, inputs: Any, output: Any) -> None:
        site = next(sites)
        before = _array(inputs[0])
        bound = None if site.layer is None and not site.roundings else _bound(site, fed.get(site.layer), before)
        traces.append(_Trace(site.module, before, _array(output), bound))

    hooks = [module.register_forward_hook(keep) for module in {site.module for site in model.sites()}]
    hooks.extend(
        layer.linear.register_forward_pre_hook(lambda _, inputs, at=layer: fed.update({at: inputs[0]})) for layer in model.layers
    )
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
    ours = _array(layer.linear.quant_weight())
    ours = ours.T if ours.ndim == 2 else ours
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


def _bound(site: Site, x: Any, before: np.ndarray) -> np.ndarray:
    """How far two float32 evaluations may lie apart before the quantiser of ``site``, in the shape of ``before``.

    ``x`` is the input of its layer's product, ``[N, in]`` or ``[N, C, H, W]``.
    """
    layer = site.layer
    if layer is None:
        return np.full_like(before, 8 * site.roundings * _U * np.abs(before).max(initial=0.0), dtype=np.float64)
    import torch
    from torch.nn import functional

    linear = layer.linear
    weights, values = (torch.from_numpy(_array(tensor)).double().abs() for tensor in (linear.quant_weight(), x))
    with torch.no_grad():
        if layer.shape.kernel is None:
            size = functional.linear(values, weights)
        else:
            size = functional.conv2d(values, weights, None, linear.stride, linear.padding, linear.dilation, linear.groups)
        steps = weights[0].numel() + _AFTER + site.roundings
        shape = (1, -1, *[1] * (size.dim() - 2))
        if layer.bias is not None:
            size = size + layer.bias.value.abs().reshape(shape)
        if layer.norm is not None:
            norm = layer.norm
            mean, variance = (torch.from_numpy(_array(value)).double() for value in (norm.running_mean, norm.running_var))
            gain = (norm.weight.abs() / (variance + norm.eps).sqrt()).reshape(shape)
            size = (size + mean.abs().reshape(shape)) * gain + norm.bias.abs().reshape(shape)
    gamma = steps * _U / (1 - steps * _U)
    bound: np.ndarray = 2 * gamma * (size.numpy() + np.abs(before))
    return bound


def _compare(what: str, theirs: np.ndarray, ours: _Trace) -> int:
    """Number of ties between ``theirs``, of QONNX, and Brevitas at one quantiser; FlowError for any other difference."""
    after = theirs.reshape(ours.after.shape)
    different = after != ours.after
    if not different.any():
        return 0
    fault = different
    if ours.bound is not None:
        below, above = _requantised(ours, -ours.bound), _requantised(ours, ours.bound)
        fault = different & (after != below) & (after != above)
    if fault.any():
        at = tuple(int(part[0]) for part in np.nonzero(fault))
        raise FlowError(
            f"{what} differs from Brevitas' in {int(fault.sum())} of {fault.size} elements, first at frame {at[0]},"
            f" channel {', '.join(map(str, at[1:]))}: {after[at]:g} for {ours.after[at]:g}; {_FAULT}"
        )
    return int(different.sum())


def _requantised(trace: _Trace, step: np.ndarray) -> np.ndarray:
    """What Brevitas' quantiser gives when its input moves by ``step``."""
    import torch

    with torch.no_grad():
        return _array(trace.module(torch.from_numpy((trace.before + step).astype(np.float32))))
