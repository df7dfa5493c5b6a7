"""Write a network as QONNX, with sample inputs and Brevitas' outputs beside it."""

from __future__ import annotations

import io
import json
import math
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hw_flow.errors import FlowError
from hw_flow.export.brevitas import note_order, quantised_weights, restore_unsigned_bits
from hw_flow.export.check import check
from hw_flow.storage import write_bytes

if TYPE_CHECKING:
    from models import Network
    from quant_training import Dataset

SAMPLE_INPUT, EXPECTED_OUTPUT = "sample_input.npy", "expected_output.npy"
_SAMPLES = 100


@dataclass(frozen=True)
class ExportResult:
    """What an export wrote and what its check found.

    Attributes
    ----------
    model : the QONNX file.
    sample_input, expected_output : ``.npy`` files beside it: float32 ``[N, features]`` and Brevitas' logits ``[N, classes]``.
    samples : N.
    quantised_tensors : tensors compared, weights and activations.
    elements : integers compared.
    ties : elements that float32 rounding puts on either side of a rounding boundary; all others are equal to the last bit.
    """

    model: Path
    sample_input: Path
    expected_output: Path
    samples: int
    quantised_tensors: int
    elements: int
    ties: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in vars(self).items()}


def export(model: Network, data: Dataset | np.ndarray, path: str | Path) -> ExportResult:
    """Write ``model`` to the QONNX file ``path`` and check that QONNX execution equals Brevitas.

    Parameters
    ----------
    model : put into evaluation mode.
    data : data set, of whose test part the first samples are taken (and whose integer input type is
        noted in the file's metadata), or samples, float32 ``[N, features]``.

    Raises
    ------
    FlowError : the samples do not fit, or a quantised tensor differs from Brevitas' (the first one is named).
    """
    path = Path(path)
    _quantised(model)
    x = _samples(model, data)
    model.eval()
    content = _qonnx(model, x, _metadata(model, data))
    found = check(model, content, x, path)
    sample, expected = path.parent / SAMPLE_INPUT, path.parent / EXPECTED_OUTPUT
    _save(sample, x)
    _save(expected, found.outputs)
    write_bytes(path, content)
    return ExportResult(path, sample, expected, len(x), found.tensors, found.elements, found.ties)


def export_checkpoint(trained: str | Path, output: str | Path) -> dict[str, Any]:
    """Export the network in a folder of `quant_training`; the samples come from the data set it was trained on.

    Returns
    -------
    ``ExportResult.to_json()``.
    """
    import models
    from quant_training import TrainConfig

    trained = Path(trained)
    settings = trained / "config.json"
    try:
        wanted = json.loads(settings.read_text(encoding="utf-8"))["train"]
        config = TrainConfig(**{key: wanted[key] for key in wanted if key != "output"})
    except OSError as error:
        raise FlowError(f"{settings}: cannot read ({error.strerror}); give a folder that `bitwright train` wrote") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FlowError(
            f"{settings}: not the settings of a training ({error}); give a folder that `bitwright train` wrote"
        ) from error
    return export(models.load(trained), config.data.load(), output).to_json()


def _quantised(model: Network) -> None:
    """FlowError for a layer without types of its own."""
    for kind, types in (("weights", model.bits.weights), ("activations", model.bits.activations)):
        if "FLOAT" in types:
            raise FlowError(f"export: {kind}[{types.index('FLOAT')}] is FLOAT, which no hardware is built for;"
                            " quantise the layer first")


def _samples(model: Network, data: Dataset | np.ndarray) -> np.ndarray:
    x = np.asarray(data if isinstance(data, np.ndarray) else data.test.take(_SAMPLES).x, dtype=np.float32)
    frame = model.spec.frame
    if x.shape[0] == 0 or math.prod(x.shape[1:]) != math.prod(frame):
        raise FlowError(
            f"export: samples have shape {list(x.shape)}; the network takes [N, {', '.join(map(str, frame))}] with N at least 1"
        )
    return x.reshape(len(x), *frame)


def _metadata(model: Network, data: Dataset | np.ndarray) -> dict[str, str]:
    entries = {"bitwright.bits": model.bits.to_json(), "bitwright.model": json.dumps(model.spec.to_dict())}
    if not isinstance(data, np.ndarray):
        entries |= {
            "bitwright.data": data.name, "bitwright.input_type": data.input_type, "bitwright.input_scale": str(data.input_scale),
        }
    return entries


def _qonnx(model: Network, x: np.ndarray, metadata: dict[str, str]) -> bytes:
    """Bytes of the cleaned-up QONNX file, at batch size 1."""
    import torch
    from brevitas.export import export_qonnx
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.util.cleanup import cleanup_model

    with tempfile.TemporaryDirectory(prefix="bitwright-export-") as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = Path(scratch) / "model.onnx"
        # The other exporter writes Gemm nodes without bias, which qonnx cannot convert (qonnx 1.0.0).
        with quantised_weights(model):
            export_qonnx(model, args=torch.from_numpy(x[:1]), export_path=str(file), dynamo=False)
        exported = ModelWrapper(str(file))
        restore_unsigned_bits(exported.graph, model)
        note_order(exported.graph)
        cleaned = cleanup_model(exported)
    for key, value in metadata.items():
        entry = cleaned.model.metadata_props.add()
        entry.key, entry.value = key, value
    content: bytes = cleaned.model.SerializeToString()
    return content


def _save(path: Path, values: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, values)
    write_bytes(path, buffer.getvalue())
