"""Read an ONNX file without trusting it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # no stubs among our dependencies
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from hw_flow.errors import FlowError

MAX_BYTES = 1 << 30
OLDEST_OPSET = 9
# The oldest format with opsets; onnx infers no shapes in older ones.
_OLDEST_FORMAT = 3
# Names show up in messages of one line.
_LONGEST_NAME = 200


def read_model(path: Path) -> onnx.ModelProto:
    """Load and check the structure of the ONNX file at ``path``.

    Nodes come back sorted, all of them named. Raises FlowError, in one line, for anything malformed.
    """
    if not path.is_file():
        raise FlowError(f"{path}: no such file; give the path of a QONNX model")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise FlowError(f"{path}: {size:,} bytes, more than the limit of {MAX_BYTES:,}; is it a QONNX model?")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
    except (DecodeError, ValueError) as error:
        raise FlowError(f"{path}: not an ONNX file ({_first_line(error)}); export the network again") from error
    if not model.graph.node:
        raise FlowError(f"{path}: not an ONNX file (it has no nodes); export the network again")
    _check_version(model, path)
    _load_external(model, path)
    _check_initialisers(model, path)
    _name_tensors(model.graph)
    _name_nodes(model)
    _sort(model, path)
    return model


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _check_version(model: onnx.ModelProto, path: Path) -> None:
    if model.ir_version < _OLDEST_FORMAT:
        raise FlowError(f"{path}: ONNX format {model.ir_version} is too old; export with opset {OLDEST_OPSET} or newer")
    versions = {opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")}
    if len(versions) != 1:
        raise FlowError(f"{path}: names {len(versions)} versions of the ONNX operators; export the network again with one opset")
    version, newest = versions.pop(), onnx.defs.onnx_opset_version()
    if version < OLDEST_OPSET:
        raise FlowError(f"{path}: ONNX opset {version} is too old; export with opset {OLDEST_OPSET} or newer")
    if version > newest:
        raise FlowError(f"{path}: ONNX opset {version} is newer than the installed onnx {onnx.__version__} knows; export with "
                        f"opset {newest} or older, or install a newer onnx")


def external_files(content: bytes, path: Path) -> tuple[Path, ...]:
    """Files beside ``path`` that hold data of the model with this ``content``; none if it is no ONNX file.

    Raises FlowError, as `read_model` does, for data outside the model's folder.
    """
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError):
        return ()
    return tuple(sorted({_source(tensor, path) for tensor in _tensors(model) if uses_external_data(tensor)}))


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor with data in ``model``: initialisers and attributes, also of subgraphs and functions."""
    yield from _in_graph(model.graph)
    for function in model.functions:
        yield from _in_nodes(function.node)


def _in_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _in_nodes(graph.node)


def _in_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for attribute in (attribute for node in nodes for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors) if attribute.HasField("t") else attribute.tensors
        for sparse in (*((attribute.sparse_tensor,) if attribute.HasField("sparse_tensor") else ()), *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for graph in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
            yield from _in_graph(graph)


def _source(tensor: onnx.TensorProto, path: Path) -> Path:
    """The file that holds the data of ``tensor``; FlowError unless it is in the folder of ``path``."""
    folder = path.resolve().parent
    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    source = None if not location or "\0" in location or Path(location).is_absolute() else (folder / location).resolve()
    if source is None or not source.is_relative_to(folder) or not source.is_file():
        raise FlowError(f"{path}: data of '{tensor.name}' is in '{location}', which is no file in the model's own folder; "
                        "save the model with its data inside")
    return source


def _load_external(model: onnx.ModelProto, path: Path) -> None:
    read = 0
    for tensor in _tensors(model):
        if not uses_external_data(tensor):
            continue
        source = _source(tensor, path)
        try:
            read += _extent(tensor, source)
            if read > MAX_BYTES:
                raise FlowError(f"{path}: external data exceed the limit of {MAX_BYTES:,} bytes; is it a QONNX model?")
            load_external_data_for_tensor(tensor, str(path.resolve().parent))
        except (OSError, ValueError, onnx.checker.ValidationError) as error:
            raise FlowError(f"{path}: data of '{tensor.name}' cannot be read ({_first_line(error)}); export it again") from error
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _extent(tensor: onnx.TensorProto, source: Path) -> int:
    """Bytes of ``source`` that ``tensor`` asks for."""
    asked = {entry.key: int(entry.value) for entry in tensor.external_data if entry.key in ("offset", "length")}
    offset, size = asked.get("offset", 0), source.stat().st_size
    extent = asked.get("length", 0) or size - offset
    if offset < 0 or extent < 0 or offset + extent > size:
        raise ValueError(f"bytes {offset} to {offset + extent} of a file of {size}")
    return extent


def _check_initialisers(model: onnx.ModelProto, path: Path) -> None:
    for tensor in _tensors(model):
        try:
            kind = onnx.numpy_helper.to_array(tensor).dtype.kind
        except (ValueError, TypeError, KeyError, onnx.checker.ValidationError) as error:
            raise FlowError(f"{path}: initialiser '{tensor.name}' is damaged ({_first_line(error)}); export it again") from error
        if kind in "OSU":
            raise FlowError(f"{path}: initialiser '{tensor.name}' holds text, not numbers; export a network of numbers alone")


def _fit(name: str) -> bool:
    """Whether ``name`` can be shown on a line."""
    return name.isprintable() and len(name) <= _LONGEST_NAME


def _name_tensors(graph: onnx.GraphProto) -> None:
    """Give ``tensor_<n>`` to tensors whose names cannot be shown."""
    values = (*graph.initializer, *graph.input, *graph.output, *graph.value_info)
    names = {name for node in graph.node for name in (*node.input, *node.output)} | {value.name for value in values}
    free = (name for name in _numbered("tensor") if name not in names)
    renamed = {name: next(free) for name in sorted(names) if not _fit(name)}
    if not renamed:
        return
    for value in values:
        value.name = renamed.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    for note in graph.quantization_annotation:
        note.tensor_name = renamed.get(note.tensor_name, note.tensor_name)


def _name_nodes(model: onnx.ModelProto) -> None:
    """Keep the names that the file has; give ``Op_<n>`` to nodes without a printable one and mend duplicates."""
    for node in model.graph.node:
        if not _fit(node.name):
            node.name = ""
    taken = {node.name for node in model.graph.node if node.name}
    seen: set[str] = set()
    for node in model.graph.node:
        if not node.name or node.name in seen:
            node.name = next(name for name in _numbered(node.op_type) if name not in taken)
            taken.add(node.name)
        seen.add(node.name)


def _numbered(stem: str) -> Iterator[str]:
    number = 0
    while True:
        yield f"{stem}_{number}"
        number += 1


def _sort(model: onnx.ModelProto, path: Path) -> None:
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    known = constants | {tensor.name for tensor in graph.input}
    writer: dict[str, int] = {}
    for index, node in enumerate(graph.node):
        for name in filter(None, node.output):
            if name in writer or name in constants:
                raise FlowError(f"{path}: tensor '{name}' is written twice, by {node.name} too; export the network again")
            writer[name] = index
    order: TopologicalSorter[int] = TopologicalSorter()
    for index, node in enumerate(graph.node):
        for name in filter(None, node.input):
            if name not in known and name not in writer:
                raise FlowError(f"{node.name}: input '{name}' is neither an initialiser nor the output of a node in {path}; "
                                "export the network again")
        order.add(index, *(writer[name] for name in node.input if name in writer))
    try:
        order.prepare()
    except CycleError as error:
        names = " -> ".join(graph.node[index].name for index in error.args[1])
        raise FlowError(f"{path}: the nodes form a cycle ({names}); only feed-forward networks can be compiled") from error
    for output in graph.output:
        if output.name not in writer:
            raise FlowError(f"{path}: graph output '{output.name}' is written by no node; export the network again")
    if any(writer.get(name, -1) >= index for index, node in enumerate(graph.node) for name in node.input):
        nodes = [onnx.NodeProto.FromString(graph.node[index].SerializeToString()) for index in _stable(graph, writer)]
        del graph.node[:]
        graph.node.extend(nodes)


def _stable(graph: onnx.GraphProto, writer: dict[str, int]) -> list[int]:
    """A valid order that keeps the file's wherever it can."""
    done: dict[int, None] = {}
    stack = list(reversed(range(len(graph.node))))
    while stack:
        index = stack.pop()
        if index in done:
            continue
        needs = sorted({writer[name] for name in graph.node[index].input if name in writer} - done.keys())
        if needs:
            stack += [index, *reversed(needs)]
        else:
            done[index] = None
    return list(done)
