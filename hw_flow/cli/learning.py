"""``bitwright train`` and ``bitwright export``."""

from __future__ import annotations

import sys
from math import isnan
from pathlib import Path
from typing import Annotated, Any

import typer

from hw_flow.cli import options
from hw_flow.cli.console import emit, json_only, steps


def register(app: typer.Typer) -> None:
    """Add the verbs of this module."""
    app.command(short_help="Train a low-bit network.")(train)
    app.command(short_help="Trained network to QONNX.")(export)


def train(
    config: Annotated[
        Path | None,
        typer.Argument(metavar="[CONFIG.yaml]", help="Settings; options given beside it win.", show_default=False)] = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for weights, settings and metrics.")],
    model: Annotated[str | None, typer.Option("--model", "-m", help="Preset: tfc, sfc, lfc, jet, kws, nid, digits.")] = None,
    bits: Annotated[str | None, typer.Option("--bits", "-b", help="Types of all layers, for example w2a2.")] = None,
    data: Annotated[str | None, typer.Option("--data", "-d", help="Name, CSV or NPZ file, or folder of images.")] = None,
    data_folder: Annotated[Path | None, typer.Option("--data-folder", help="Where the data set's files lie.")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", "-e", help="Epochs.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", help="Of Adam.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", "-s", help="Of weights and sample order.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Carry on a training that was killed.")] = False,
    as_json: options.Json = False,
) -> None:
    """Train a low-bit network with quantisation in the loop."""
    with json_only(as_json):
        from hw_flow import api

        given: dict[str, Any] = {
            "model": model, "bits": bits, "epochs": epochs, "learning_rate": learning_rate, "seed": seed,
            "data": data if data_folder is None else {"name": data or "digits", "folder": data_folder},
        }
        chosen = {name: value for name, value in given.items() if value is not None}
        result = api.train(config, output=output, resume=resume, progress=sys.stderr.isatty(), **chosen)
    if as_json:
        emit({"directory": str(output), **result.metrics()})
        return
    parts = {"train": result.train_accuracy, "validation": result.val_accuracy, "test": result.test_accuracy}
    shares = ", ".join(f"{name} {100 * share:.2f} %" for name, share in parts.items() if not isnan(share))  # NaN: no such part
    print(f"{output}: {result.epochs} epochs in {result.seconds:.1f} s; accuracy {shares}")


def export(
    trained: Annotated[Path, typer.Argument(metavar="TRAINED", help="Folder made by `bitwright train`.", show_default=False)], *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="QONNX file; default: TRAINED/model.onnx.")] = None,
    as_json: options.Json = False,
) -> None:
    """Export a trained network as QONNX with sample inputs and outputs, checked against Brevitas."""
    from hw_flow import api

    with json_only(as_json), steps() as timer:
        result = api.export(trained, output, steps=timer)
    if as_json:
        emit({**result, "seconds": timer.seconds})
    else:
        print(f"{result['model']}: " + ", ".join(f"{name} {value}" for name, value in result.items() if name != "model"))
