"""Runs in a process of its own, with hls4ml's interpreter: writes a project, or runs a compiled one.

    python _child.py convert REQUEST.json     our layers -> project
    python _child.py plain REQUEST.json       QONNX file -> project, by hls4ml's own converter
    python _child.py run REQUEST.json         compiled project on frames, with the output of every layer

Imports nothing of ours, so that hls4ml may live in an environment of its own. A fault ends with one line
``error: ...`` on stderr.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np


def main(verb: str, path: str) -> int:
    """Do ``verb`` as the request says; its result is ``result.json`` beside the request."""
    sys.path.pop(0)  # this file's folder, whose modules are none of hls4ml's business
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    verbs = {"convert": _convert, "plain": _plain, "run": _run}
    try:
        result = verbs[verb](request, Path(path).parent)
    except Exception as error:  # noqa: BLE001 - hls4ml raises bare Exception; whatever it is becomes one line
        import traceback

        traceback.print_exc()
        print(f"error: {type(error).__name__}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    Path(path).with_name("result.json").write_text(json.dumps(result), encoding="utf-8")
    return 0


def _convert(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Build hls4ml's graph from the layers of ``request`` and write the project."""
    from hls4ml.model.graph import ModelGraph

    arrays = np.load(folder / "arrays.npz", allow_pickle=False)
    layers = []
    for layer in request["layers"]:
        made = {"name": layer["name"], "class_name": layer["kind"], "inputs": layer["inputs"], **layer["attributes"]}
        made.update({key: arrays[f"{layer['name']}/{key}"] for key in layer["arrays"]})
        layers.append(made)
    config = _config(request) | {"HLSConfig": request["config"]}
    model = ModelGraph.from_layer_list(config, layers, [layers[0]["name"]], [layers[-1]["name"]])
    return _written(model)


def _plain(request: dict[str, Any], _: Path) -> dict[str, Any]:
    """hls4ml's documented way from a QONNX file: clean, channels last, Gemm to MatMul, convert."""
    import hls4ml
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.channels_last import ConvertToChannelsLastAndClean
    from qonnx.transformation.gemm_to_matmul import GemmToMatMul
    from qonnx.util.cleanup import cleanup_model

    model = cleanup_model(ModelWrapper(request["model"]))
    if any(node.op_type in ("Conv", "MaxPool", "AveragePool") for node in model.graph.node):
        model = model.transform(ConvertToChannelsLastAndClean())
    model = cleanup_model(model.transform(GemmToMatMul()))
    config = hls4ml.utils.config.config_from_onnx_model(
        model, granularity="name", backend=request["backend"], default_precision=request["precision"])
    for layer in config["LayerName"].values():
        layer["Trace"] = True
    made = hls4ml.converters.convert_from_onnx_model(
        model, output_dir=request["directory"], project_name=request["project"], backend=request["backend"],
        io_type=request["io_type"], hls_config=config)
    made.config.trace_output = True
    return _written(made)


def _config(request: dict[str, Any]) -> dict[str, Any]:
    from hls4ml.utils.config import create_config

    made: dict[str, Any] = create_config(
        output_dir=request["directory"], project_name=request["project"], backend=request["backend"], **request["settings"])
    return made | {"TraceOutput": True}


def _written(model: Any) -> dict[str, Any]:
    import hls4ml

    _spare_script(model.config.backend.writer)
    model.write()
    traced = [layer for layer in model.get_layers() if layer.get_attr("function_cpp", None) and layer.get_attr("trace", False)]
    return {
        "version": hls4ml.__version__,
        "inputs": [int(variable.size()) for variable in model.get_input_variables()],
        "outputs": [int(variable.size()) for variable in model.get_output_variables()],
        "traced": {layer.name: [int(size) for size in layer.get_output_variable().shape] for layer in traced},
        "layers": [{"name": layer.name, "kind": layer.class_name, "strategy": layer.get_attr("strategy"),
                    "reuse_factor": layer.get_attr("reuse_factor"), "code": bool(layer.get_attr("function_cpp")),
                    "types": {key: str(kind.precision) for key, kind in layer.types.items()}} for layer in model.get_layers()],
    }


def _spare_script(writer: Any) -> None:
    """Let hls4ml 1.3.0 write Libero projects, whose ``build_lib.sh`` its package lacks: it compiles what SmartHLS simulates."""
    write = writer.write_build_script

    def without(model: Any) -> None:
        try:
            write(model)
        except FileNotFoundError as error:
            if Path(str(error.filename)).name != "build_lib.sh":
                raise

    writer.write_build_script = without


class _Trace(ctypes.Structure):
    _fields_ = (("name", ctypes.c_char_p), ("data", ctypes.c_void_p))


def _run(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Feed ``frames.npy [N, size]`` to the library; write ``outputs.npz`` with ``output`` and each traced layer."""
    frames = np.load(folder / "frames.npy", allow_pickle=False).astype(np.float64)
    os.chdir(request["firmware"])
    library = ctypes.CDLL(request["library"])
    top = getattr(library, request["project"] + "_double")
    pointer = np.ctypeslib.ndpointer(ctypes.c_double, flags="C_CONTIGUOUS")
    top.restype, top.argtypes = None, [pointer, pointer]
    traced: dict[str, list[int]] = request["traced"]
    outputs = np.zeros((len(frames), request["outputs"]))
    seen = {name: np.zeros((len(frames), *shape)) for name, shape in traced.items()}
    record = (_Trace * max(1, len(traced)))()
    if traced:
        library.allocate_trace_storage.argtypes = [ctypes.c_size_t]
        library.collect_trace_output.argtypes = [ctypes.POINTER(_Trace)]
        library.allocate_trace_storage(ctypes.sizeof(ctypes.c_double))
    for index, frame in enumerate(frames):
        out = np.zeros(request["outputs"])
        top(np.ascontiguousarray(frame), out)
        outputs[index] = out
        if traced:
            library.collect_trace_output(record)
            for one in record:
                name = one.name.decode()
                data = ctypes.cast(one.data, ctypes.POINTER(ctypes.c_double))
                seen[name][index] = np.ctypeslib.as_array(data, shape=tuple(traced[name]))
    found: dict[str, Any] = {"output": outputs, **{f"layer/{name}": values for name, values in seen.items()}}
    np.savez(folder / "outputs.npz", **found)
    return {"frames": len(frames)}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
