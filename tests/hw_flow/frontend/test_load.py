"""Files that are no models, or hostile ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hw_flow.errors import FlowError
from hw_flow.frontend import load
from hw_flow.frontend.load import read_model


def _model(nodes: list[onnx.NodeProto], opset: int = 13, **tensors: np.ndarray) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [numpy_helper.from_array(v, k) for k, v in tensors.items()])
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])


def _refusal(path: Path, content: bytes | onnx.ModelProto) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.SerializeToString())
    with pytest.raises(FlowError) as error:
        read_model(path)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(path), "m.onnx")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "m.onnx"


def test_missing(path: Path) -> None:
    with pytest.raises(FlowError, match=r"m.onnx: no such file; give the path of a QONNX model"):
        read_model(path)


@pytest.mark.parametrize("content", [b"", b"this is no protobuf", bytes(range(256)) * 9, b"\x00" * 100])
def test_not_onnx(path: Path, content: bytes) -> None:
    message = _refusal(path, content)
    assert message.startswith("m.onnx: not an ONNX file (")
    assert message.endswith("; export the network again")


@pytest.mark.parametrize("seed", range(30))
def test_damaged_bytes_never_crash(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = bytearray(_model([helper.make_node("Add", ["x", "w"], ["y"])], w=np.ones((4,), np.float32)).SerializeToString())
    for position in rng.integers(0, len(whole), 4):
        whole[position] = rng.integers(0, 256)
    path.write_bytes(bytes(whole[:rng.integers(1, len(whole) + 1)]))
    try:
        read_model(path)
    except FlowError as error:
        assert "\n" not in str(error)  # noqa: PT017 - some damage is harmless


def test_truncated(path: Path) -> None:
    whole = _model([helper.make_node("Add", ["x", "w"], ["y"])], w=np.ones((4,), np.float32)).SerializeToString()
    assert _refusal(path, whole[: len(whole) // 2]).startswith("m.onnx: not an ONNX file (")


def test_too_large(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "MAX_BYTES", 10)
    assert _refusal(path, b"x" * 11) == "m.onnx: 11 bytes, more than the limit of 10; is it a QONNX model?"


def test_old_opset(path: Path) -> None:
    message = _refusal(path, _model([helper.make_node("Relu", ["x"], ["y"])], opset=7))
    assert message == "m.onnx: ONNX opset 7 is too old; export with opset 9 or newer"


def test_opset_of_the_future(path: Path) -> None:
    newest = onnx.defs.onnx_opset_version()
    message = _refusal(path, _model([helper.make_node("Relu", ["x"], ["y"])], opset=newest + 1))
    assert message == (f"m.onnx: ONNX opset {newest + 1} is newer than the installed onnx {onnx.__version__} knows; export with "
                       f"opset {newest} or older, or install a newer onnx")


def test_opset_left_out(path: Path) -> None:
    model = _model([helper.make_node("Relu", ["x"], ["y"])])
    del model.opset_import[:]
    assert _refusal(path, model) == ("m.onnx: names 0 versions of the ONNX operators; export the network again with one opset")


def test_format_before_opsets(path: Path) -> None:
    model = _model([helper.make_node("Relu", ["x"], ["y"])])
    model.ir_version = 2
    assert _refusal(path, model) == "m.onnx: ONNX format 2 is too old; export with opset 9 or newer"


def test_names_that_cannot_be_shown(path: Path) -> None:
    """Neither line breaks nor escape sequences nor pages of text reach messages, reports or files."""
    bad = ["a\nb", "\x1b[31m", "x" * 500]
    nodes = [helper.make_node("Relu", ["x"], [bad[0]], name=bad[1]), helper.make_node("Relu", [bad[0]], [bad[1]], name=bad[2]),
             helper.make_node("Add", [bad[1], bad[2]], ["y"], name="sum")]
    path.write_bytes(_model(nodes, **{bad[2]: np.ones(4, np.float32)}).SerializeToString())
    graph = read_model(path).graph
    assert [node.name for node in graph.node] == ["Relu_0", "Relu_1", "sum"]
    assert [list(node.input) for node in graph.node] == [["x"], ["tensor_1"], ["tensor_0", "tensor_2"]]
    assert graph.initializer[0].name == "tensor_2"


def test_cycle(path: Path) -> None:
    nodes = [helper.make_node("Add", ["x", "b"], ["a"], name="A"), helper.make_node("Relu", ["a"], ["b"], name="B"),
             helper.make_node("Relu", ["b"], ["y"], name="C")]
    message = _refusal(path, _model(nodes))
    assert message in {f"m.onnx: the nodes form a cycle ({names}); only feed-forward networks can be compiled"
                       for names in ("A -> B -> A", "B -> A -> B")}


def test_missing_initialiser(path: Path) -> None:
    message = _refusal(path, _model([helper.make_node("Add", ["x", "w"], ["y"], name="A")]))
    assert message == "A: input 'w' is neither an initialiser nor the output of a node in m.onnx; export the network again"


def test_missing_output(path: Path) -> None:
    message = _refusal(path, _model([helper.make_node("Relu", ["x"], ["z"])]))
    assert message == "m.onnx: graph output 'y' is written by no node; export the network again"


def test_written_twice(path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["y"], name=name) for name in "AB"]
    message = _refusal(path, _model(nodes))
    assert message == "m.onnx: tensor 'y' is written twice, by B too; export the network again"


def test_damaged_initialiser(path: Path) -> None:
    model = _model([helper.make_node("Add", ["x", "w"], ["y"])], w=np.ones((4,), np.float32))
    model.graph.initializer[0].dims[0] = 5
    assert _refusal(path, model).startswith("m.onnx: initialiser 'w' is damaged (")


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname", "", "nothing.bin", "link.bin"])
def test_external_data_outside(tmp_path: Path, location: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    model = _model([helper.make_node("Add", ["x", "w"], ["y"])], w=np.ones((4,), np.float32))
    _externalise(model, location)
    message = _refusal(folder / "m.onnx", model)
    assert message == (f"m.onnx: data of 'w' is in '{location}', which is no file in the model's own folder; "
                       "save the model with its data inside")


def test_external_data_inside(path: Path) -> None:
    model = _model([helper.make_node("Add", ["x", "w"], ["y"])], w=np.ones((4,), np.float32))
    _externalise(model, "w.bin")
    (path.parent / "w.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())
    path.write_bytes(model.SerializeToString())
    assert numpy_helper.to_array(read_model(path).graph.initializer[0]).tolist() == [0, 1, 2, 3]


def _wrapped(kind: str, tensor: onnx.TensorProto) -> onnx.ModelProto:
    """A model that holds ``tensor`` as an attribute: of a node, among several, sparse, in a subgraph, in a function."""
    node = helper.make_node("Constant", [], ["w"], name="K")
    if kind == "constant":
        node.attribute.append(helper.make_attribute("value", tensor))
    elif kind == "tensors":
        node.attribute.append(helper.make_attribute("values", [tensor]))
    elif kind == "sparse":
        indices = numpy_helper.from_array(np.arange(4), "i")
        node.attribute.append(helper.make_attribute("sparse_value", helper.make_sparse_tensor(tensor, indices, [4])))
    else:
        node.attribute.append(helper.make_attribute("body", helper.make_graph([], "sub", [], [], [tensor])))
    if kind != "function":
        return _model([node, helper.make_node("Add", ["x", "w"], ["y"])])
    model = _model([helper.make_node("Relu", ["x"], ["y"])])
    model.functions.append(helper.make_function("d", "F", [], ["w"], [node], [helper.make_opsetid("", 13)]))
    return model


@pytest.mark.parametrize("kind", ["constant", "tensors", "sparse", "subgraph", "function"])
def test_data_of_attributes_are_confined_and_limited(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    (folder / "w.bin").write_bytes(np.arange(4, dtype=np.float32).tobytes())

    def model(location: str) -> onnx.ModelProto:
        tensor = numpy_helper.from_array(np.ones(4, np.float32), "w")
        _outside(tensor, location)
        return _wrapped(kind, tensor)

    assert _refusal(folder / "m.onnx", model("../secret.bin")) == (
        "m.onnx: data of 'w' is in '../secret.bin', which is no file in the model's own folder; "
        "save the model with its data inside")
    inside = folder / "m.onnx"
    inside.write_bytes(model("w.bin").SerializeToString())
    assert load.external_files(inside.read_bytes(), inside) == ((folder / "w.bin").resolve(),)
    loaded = [tensor for tensor in load._tensors(read_model(inside)) if tensor.name == "w"]
    assert [numpy_helper.to_array(tensor).tolist() for tensor in loaded] == [[0, 1, 2, 3]]
    inside.write_bytes(_wrapped(kind, helper.make_tensor("w", TensorProto.STRING, [4], [b"a"] * 4)).SerializeToString())
    with pytest.raises(FlowError, match=r"initialiser 'w' holds text, not numbers; export a network of numbers alone$"):
        read_model(inside)
    content = model("w.bin").SerializeToString()
    (folder / "w.bin").write_bytes(bytes(4 * len(content)))
    monkeypatch.setattr(load, "MAX_BYTES", 2 * len(content))
    assert ": external data exceed the limit of " in _refusal(inside, content)


@pytest.mark.parametrize(("key", "value"), [("offset", "8"), ("offset", "-4"), ("length", "999999999999"), ("length", "x")])
def test_extents_outside_the_file_are_refused(path: Path, key: str, value: str) -> None:
    model = _model([helper.make_node("Add", ["x", "w"], ["y"])], w=np.ones((4,), np.float32))
    _externalise(model, "w.bin")
    model.graph.initializer[0].external_data.add(key=key, value=value)
    (path.parent / "w.bin").write_bytes(bytes(16))
    message = _refusal(path, model)
    assert message.startswith(("m.onnx: data of 'w' cannot be read (", "m.onnx: initialiser 'w' is damaged ("))


def test_text_initialiser(path: Path) -> None:
    model = _model([helper.make_node("Add", ["x", "w"], ["y"])])
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.STRING, [2], [b"a", b"b"]))
    assert _refusal(path, model) == "m.onnx: initialiser 'w' holds text, not numbers; export a network of numbers alone"


def _externalise(model: onnx.ModelProto, location: str) -> None:
    _outside(model.graph.initializer[0], location)


def _outside(tensor: onnx.TensorProto, location: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)


def test_unsorted_and_unnamed_nodes(path: Path) -> None:
    nodes = [helper.make_node("Relu", ["b"], ["y"], name="last"), helper.make_node("Relu", ["a"], ["b"]),
             helper.make_node("Relu", ["x"], ["a"], name="last")]
    path.write_bytes(_model(nodes).SerializeToString())
    assert [node.name for node in read_model(path).graph.node] == ["Relu_1", "Relu_0", "last"]
