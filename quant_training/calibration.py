"""From a trained network to a quantised one without training: ranges, bias correction, batch-norm re-estimation.

A quick start for 8 to 4 bits, and a better start than none for training below.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from models import quantisers
from models.accumulator import HeldIntQuant
from models.bits import CODEBOOK_TYPES, FLOAT, BitConfig, type_bits
from models.joins import plain
from models.layer import Layer, tensor_quantiser
from quant_training.errors import TrainingError

if TYPE_CHECKING:
    from models import Network
    from models.layer import Site

Ranges = Literal["mse", "percentile", "max"]
RANGES: tuple[Ranges, ...] = ("mse", "percentile", "max")

_ENOUGH = 1 << 17
_FRACTIONS = 60


def post_training(
    model: Network, bits: BitConfig | str | Mapping[str, Any], x: Tensor, *, ranges: Ranges = "mse", percentile: float = 99.9,
    equalised: bool = False, correct: bool = True, reestimate: bool = True,
) -> Network:
    """A quantised network from a trained one, usually a FLOAT one, and some hundred samples ``x [N, inputs]`` in [0, 1].

    Parameters
    ----------
    bits : types of the result.
    ranges, percentile : see `calibrate`.
    equalised : even out the ranges of channels first (see `equalise`); worth it for scales per tensor.
    correct : see `correct_bias`.
    reestimate : see `reestimate_norms`.
    """
    import models

    config = BitConfig.parse(bits, model.bits.layers)
    source = model
    if equalised:
        from quant_training.equalise import equalise

        source = models.build(model.spec, model.bits, seed=0)
        source.load_state_dict(model.state_dict())
        equalise(source)
    quantised = models.build(model.spec, config, seed=0)
    models.load_weights(quantised, source)
    calibrate(quantised.eval(), x, ranges=ranges, percentile=percentile)
    if reestimate:  # first, or the correction would be for statistics that no longer hold
        reestimate_norms(quantised, x)
    if correct:
        correct_bias(quantised, source, x)
    return quantised


def calibrate(model: Network, x: Tensor, *, ranges: Ranges = "mse", percentile: float = 99.9) -> None:
    """Set all learned scales, of weights from the weights and of activations from samples, layer by layer.

    Parameters
    ----------
    x : ``[N, inputs]`` in [0, 1].
    ranges : ``mse``: the scale with the least squared error; ``percentile``: the largest level stands for that percentile of
        the magnitudes; ``max``: for the largest of them. Codebooks and BIPOLAR weights always take the least squared error.

    Raises
    ------
    TrainingError : unknown ranges, a percentile that is none, no samples, or samples that are not finite.
    """
    if ranges not in RANGES:
        raise TrainingError(f"ranges is '{ranges}'; give {', '.join(RANGES)}")
    if not 50 < percentile <= 100:
        raise TrainingError(f"percentile is {percentile}; give a number above 50, at most 100")
    if not len(x) or not bool(torch.isfinite(x).all()):
        raise TrainingError(f"{len(x)} samples to calibrate with, and all must be finite; give some hundred of the training set")
    share = percentile / 100 if ranges == "percentile" else 1.0
    for layer in model.layers:
        layer.reset_weight_scale()
        if ranges != "mse":
            _set_weight_range(layer, share)

    # A join quantises two branches alike, so its range needs both; what follows it then sees other values.
    first: dict[nn.Module, list[Tensor]] = {}
    shared = {site.module for site in model.sites() if sum(other.module is site.module for other in model.sites()) > 1}
    for final in (False, True):
        _run_hooked(model, x, lambda site, before, last=final: _set_activation(
            site, before, (ranges, share), first if site.module in shared else None, last))
        if not shared:
            break


def reestimate_norms(model: Network, x: Tensor, batch: int = 256) -> None:
    """Set the statistics of all normalisations anew, as averages over ``x [N, inputs]``, with everything else quantised.

    Sun et al., Hybrid 8-bit floating point training (NeurIPS 2019): quantised sums have other means and variances.
    """
    training = model.training
    model.eval()
    norms = [layer.norm for layer in model.layers if layer.norm is not None]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
        norm.train()
    output = model.output_norm
    parts = [part for part in torch.split(x, batch) if len(part) > 1]
    with torch.no_grad():
        for count, part in enumerate(parts, 1):
            if output is not None:
                output.train()
                kept, output.momentum = output.momentum, 1.0 / count
            model(part)
            if output is not None:
                output.momentum = kept
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(training)


def correct_bias(model: Network, reference: Network, x: Tensor) -> list[int]:
    """Shift each layer's channels so that their means over ``x [N, inputs]`` are those of ``reference``, first layers first.

    The shift goes into the layer's normalisation or bias (Nagel et al., Data-Free Quantization, ICCV 2019, section 4.2, with
    measured means).

    Returns
    -------
    Layers that have neither, and stay as they are.
    """
    wanted: dict[int, Tensor] = {}
    _watch(reference, x, lambda index, output: wanted.update({index: _means(output)}))
    skipped = [index for index, layer in enumerate(model.layers) if layer.norm is None and layer.bias is None]

    def shift(index: int, output: Tensor) -> Tensor | None:
        layer = model.layers[index]
        more = wanted[index] - _means(output)
        if layer.norm is not None:
            layer.norm.bias.add_(more)
        elif layer.bias is not None:
            layer.bias.value.add_(more)
        else:
            return None
        return output + more.reshape(1, -1, *[1] * (output.dim() - 2))

    _watch(model, x, shift)
    return skipped


def _watch(model: Network, x: Tensor, see: Any) -> None:
    """Call ``see(index, output)`` with what each layer gives before its activation; what it returns takes its place."""
    def hook(index: int) -> Any:
        return lambda _module, _inputs, output: see(index, plain(output))

    hooks = [(layer.norm or layer.bias or layer.linear).register_forward_hook(hook(i)) for i, layer in enumerate(model.layers)]
    _forward(model, x, hooks)


def _run_hooked(model: Network, x: Tensor, see: Any) -> None:
    """Call ``see(site, input)`` before each call of an activation quantiser; those of the input are left out."""
    sites = iter(model.sites()[1:])
    modules = {site.module for site in model.sites()[1:]}
    hooks = [module.register_forward_pre_hook(lambda _module, inputs: see(next(sites), plain(inputs[0]))) for module in modules]
    _forward(model, x, hooks)


def _forward(model: Network, x: Tensor, hooks: list[Any]) -> None:
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            model(x)
    finally:
        for hook in hooks:
            hook.remove()
        model.train(training)


def _means(output: Tensor) -> Tensor:
    return output.mean(dim=[axis for axis in range(output.dim()) if axis != 1])


def _set_activation(site: Site, before: Tensor, how: tuple[Ranges, float], first: dict[nn.Module, list[Tensor]] | None,
                    final: bool) -> None:
    if site.dtype == "BIPOLAR" or site.scale == "constant" or (final and first is not None):
        return
    values = before.flatten()
    values = values[:: max(1, len(values) // _ENOUGH)]
    if first is not None:
        values = torch.cat([values, *first.setdefault(site.module, [])])
        first[site.module].append(values)
    if site.dtype.startswith("UINT"):
        values = values.clamp_min(0)
    scale = best_scale(values, _levels(site.dtype), how, site.scale)
    quantisers.set_scale(tensor_quantiser(site.module), scale, site.dtype, site.scale, site.dtype == "TERNARY")


def best_scale(values: Tensor, levels: tuple[int, int], how: tuple[Ranges, float], kind: str) -> Tensor:
    """Scale for ``values [N]`` with whole levels ``(lowest, highest)``, a scalar.

    Parameters
    ----------
    how : ranges, and the share of the magnitudes inside the range.
    kind : of ``SCALES``; with ``power_of_two`` the result is one.
    """
    (low, high), (ranges, share) = levels, how
    sizes = values.abs()
    reach = sizes.max() if share >= 1 else torch.quantile(sizes, share)
    top = (reach / max(high, -low)).clamp_min(1e-8)
    if ranges != "mse":
        return torch.exp2(torch.ceil(torch.log2(top))) if kind == "power_of_two" else top
    if kind == "power_of_two":
        tried = [torch.exp2(torch.ceil(torch.log2(top)) + shift) for shift in range(-6, 2)]
    else:
        tried = [top * fraction for fraction in torch.linspace(0.05, 2.0, _FRACTIONS).tolist()]
    errors = [float((torch.round(values / step).clamp(low, high) * step - values).square().sum()) for step in tried]
    return tried[errors.index(min(errors))]


def _levels(name: str) -> tuple[int, int]:
    if name == "TERNARY":
        return -1, 1
    bits = type_bits(name)
    return (0, (1 << bits) - 1) if name.startswith("UINT") else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def _set_weight_range(layer: Layer, share: float) -> None:
    """Scale by the largest magnitudes, of each output where it has its own."""
    quantiser: Any = getattr(layer.linear.weight_quant, "tensor_quant", None)
    kind = layer.weight_type
    if layer.weight_scale == "constant" or kind in (*CODEBOOK_TYPES, FLOAT, "BIPOLAR"):
        return
    rows = layer.linear.weight.detach().flatten(1)
    how: tuple[Ranges, float] = ("max", share)
    levels = quantisers.weight_levels(kind)
    if layer.per_channel:
        scale = torch.stack([best_scale(row, levels, how, layer.weight_scale) for row in rows])[:, None]
    else:
        flat = rows.flatten()
        scale = best_scale(flat[:: max(1, len(flat) // _ENOUGH)] if share < 1 else flat, levels, how, layer.weight_scale)
    if isinstance(quantiser, HeldIntQuant):
        quantiser.fit(layer.linear.weight, scale)
    else:
        quantisers.set_scale(quantiser, scale, kind, layer.weight_scale, quantisers.weight_narrow(kind))
