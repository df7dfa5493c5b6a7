"""Networks on disk: ``weights.safetensors`` and ``model.json``. Nothing is ever pickled."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.bits import BitConfig
from models.errors import ModelError
from models.presets import Network, Spec, build, spec_of

WEIGHTS, CONFIG = "weights.safetensors", "model.json"


def save(model: Network, directory: Path) -> None:
    """Write ``model`` into ``directory`` (made if needed); each file appears whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    write_tensors(directory / WEIGHTS, model.state_dict())
    description = {"version": 1, "model": model.spec.to_dict(), "bits": model.bits.to_dict()}
    write_text(directory / CONFIG, json.dumps(description, indent=2))


def load(directory: Path) -> Network:
    """The network saved in ``directory``, in evaluation mode.

    Raises
    ------
    ModelError : a file is missing, damaged, or the two do not fit.
    """
    model = build(*load_config(directory / CONFIG), seed=0)
    state = read_tensors(directory / WEIGHTS)
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"{directory / WEIGHTS}: does not fit {CONFIG} ({' '.join(str(error).split())})") from error
    return model.eval()


def load_config(path: Path) -> tuple[Spec, BitConfig]:
    """Shape and types from a ``model.json``."""
    try:
        data = json.loads(path.read_text())
        return spec_of(data["model"]), BitConfig.from_dict(data["bits"])
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file; give the folder that training wrote") from error
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ModelError(f"{path}: not a network description ({reason}); train or copy it again") from error


def load_weights(model: Network, source: Path | Network, *, strict: bool = True) -> list[str]:
    """Start ``model`` from the float weights of another network, whatever its bit configuration.

    Takes weights, biases and normalisation. Learned scales are copied where source and ``model`` give
    the tensor the same type and kind of scale, and set afresh elsewhere: from the weights, and for a
    unit Gaussian activation.

    Parameters
    ----------
    source : folder or ``.safetensors`` file of a checkpoint, or a network.
    strict : refuse a source that lacks a tensor or has one of another shape; otherwise such tensors
        keep their values.

    Returns
    -------
    Names of the tensors that were not taken.
    """
    bits: BitConfig | None
    if isinstance(source, Network):
        state: dict[str, Tensor] = source.state_dict()
        where, bits = "source network", source.bits
    else:
        path = source / WEIGHTS if source.is_dir() else source
        state, where = read_tensors(path), str(path)
        description = path.parent / CONFIG
        bits = load_config(description)[1] if description.exists() else None
    own = model.state_dict()
    floats = [name for name in own if not is_quantiser_state(name)]
    taken = {name: state[name] for name in floats if name in state and state[name].shape == own[name].shape}
    skipped = [name for name in floats if name not in taken]
    if strict and skipped:
        name = skipped[0]
        reason = f"has shape {list(state[name].shape)}, not {list(own[name].shape)}" if name in state else "is missing"
        raise ModelError(f"{where}: tensor '{name}' {reason}; use a checkpoint of the same shape, or strict=False")
    model.load_state_dict(taken, strict=False)
    model.reset_scales()
    if bits is not None:
        same = _same_quantisers(model.bits, bits)
        scales = {name: state[name] for name in own if name.startswith(same) and name in state and is_quantiser_state(name)}
        model.load_state_dict({name: value for name, value in scales.items() if value.shape == own[name].shape}, strict=False)
    return skipped


def _same_quantisers(a: BitConfig, b: BitConfig) -> tuple[str, ...]:
    """Prefixes of the state of those quantisers that two configurations have in common."""
    weights = [zip(c.weights, c.weight_scale, c.per_channel, c.accumulator, strict=True) for c in (a, b)]
    activations = [zip(c.activations, c.activation_scale, strict=True) for c in (a, b)]
    return (
        *(f"layers.{i}.linear." for i, (x, y) in enumerate(zip(*weights, strict=False)) if x == y),
        *(f"layers.{i}.activation." for i, (x, y) in enumerate(zip(*activations, strict=False)) if x == y),
    )


def is_quantiser_state(name: str) -> bool:
    """Whether a state tensor belongs to a quantiser (scales), not to the float network."""
    return "_quant" in name or name.startswith("quant_input.")


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Atomically write a safetensors file."""
    from safetensors.torch import save as to_bytes

    # Scalars of Brevitas may share storage or be expanded: each tensor gets its own, dense.
    plain = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    _replace(path, to_bytes(plain, metadata))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file; ModelError if it is missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file; give the folder that training wrote") from error
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a safetensors file ({error}); train or copy it again") from error
    return tensors


def write_text(path: Path, text: str) -> None:
    """Atomically write a text file."""
    _replace(path, text.encode())


def _replace(path: Path, content: bytes) -> None:
    # hw_flow.storage does the same; this package may not import it, and it may not load torch, as this package does.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:  # which names the temporary file, or none
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def parameter_count(model: torch.nn.Module) -> int:
    """Number of weights of the linear layers."""
    return sum(p.numel() for name, p in model.named_parameters() if name.endswith("linear.weight"))


def describe(model: Network) -> dict[str, Any]:
    """Shape and types as plain values."""
    return {"model": model.spec.to_dict(), "bits": model.bits.to_dict(), "weights": parameter_count(model)}
