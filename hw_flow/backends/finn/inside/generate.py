"""Code of every node, and the project for a machine with Vivado. No vendor tool is started."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

from hw_flow.backends.finn.inside.legal import FOLDING
from hw_flow.backends.finn.request import Request

# From the folded hardware graph on, FINN's own default steps.
STEPS = ("step_apply_folding_config", "step_minimize_bit_width", "step_transpose_decomposition", "step_generate_estimate_reports",
         "step_assign_ddr_weight_offsets", "step_generate_hardware", "step_create_stitched_ip", "step_out_of_context_synthesis")


def generate(model: Any, request: Request) -> dict[str, Any]:
    """Generate RTL or HLS C++ of every node into ``rtl/<node>`` and ``hls/<node>``.

    Returns
    -------
    By node the files, relative to the output folder, or under ``error`` why FINN generates none without a tool.
    """
    from finn.transformation.fpgadataflow.prepare_ip import _codegen_single_node
    from qonnx.custom_op.registry import getCustomOp

    made: dict[str, Any] = {}
    copy = deepcopy(model)
    for node in copy.graph.node:
        style = "rtl" if node.op_type.endswith("_rtl") else "hls"
        try:
            _codegen_single_node(node, copy, request.part, request.clock_ns)
            made[node.name] = {"style": style, **_kept(getCustomOp(node), request.output / style / node.name, request, style)}
        except Exception as error:  # noqa: BLE001 - FINN raises anything; the report says which node lacks code
            made[node.name] = {"style": style, "error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    return made


def _kept(own: Any, target: Path, request: Request, style: str) -> dict[str, Any]:
    """Copy a node's code to ``target``; what there is of it."""
    source = Path(own.get_nodeattr("code_gen_dir_ipgen"))
    target.parent.mkdir(exist_ok=True)
    shutil.copytree(source, target, dirs_exist_ok=True)
    files = sorted(str(path.relative_to(request.output)) for path in target.rglob("*") if path.is_file())
    return {"files": files} | ({"paths": _rtl_files(own, source, target, request)} if style == "rtl" else {})


def _rtl_files(own: Any, source: Path, target: Path, request: Request) -> list[str]:
    """Files of an RTL node in compile order: its own, and FINN's library by ``lib:``."""
    import finn

    library = Path(next(iter(finn.__path__))) / "finn-rtllib"
    found = []
    for path in (Path(name) for name in own.get_rtl_file_list(abspath=True)):
        if path.is_relative_to(source):
            found.append(str((target / path.relative_to(source)).relative_to(request.output)))
        elif path.resolve().is_relative_to(library.resolve()):
            found.append(f"lib:{path.resolve().relative_to(library.resolve())}")
    streamers = sorted(target.glob("*_memstream_wrapper.v"))
    if streamers:  # of weights, which FINN adds when it stitches
        found += ["lib:axi/hdl/axilite.sv", *(f"lib:memstream/hdl/{name}.sv" for name in ("memstream", "memstream_axi"))]
        found += [str(path.relative_to(request.output)) for path in streamers]
    return found


def project(model: Any, request: Request, cfg: Any) -> dict[str, Any]:
    """Write ``project/``: the folded graph, its folding, FINN's configuration and a script; then load all of it again.

    Returns
    -------
    The FIFOs that FINN will insert, in its order, each with the nodes that it stands between.
    """
    from finn.builder.build_dataflow_config import DataflowBuildConfig, DataflowOutputType
    from finn.transformation.general import ApplyConfig
    from finn.util.config import extract_model_config_to_json
    from qonnx.core.modelwrapper import ModelWrapper

    folder = request.output / "project"
    (folder / "output" / "intermediate_models").mkdir(parents=True)
    model.save(str(folder / "model.onnx"))
    parent = request.output / "intermediate_models" / "dataflow_parent.onnx"
    shutil.copyfile(parent, folder / "output" / "intermediate_models" / "dataflow_parent.onnx")
    extract_model_config_to_json(model, folder / "folding.json", list(FOLDING))
    ready = DataflowBuildConfig(
        output_dir="output", synth_clk_period_ns=request.clock_ns, fpga_part=request.part, board=request.board, steps=list(STEPS),
        generate_outputs=[DataflowOutputType.ESTIMATE_REPORTS, DataflowOutputType.STITCHED_IP, DataflowOutputType.OOC_SYNTH],
        folding_config_file=Path("folding.json"), auto_fifo_depths=False, fifo_config_file=Path("fifo.json"),
        standalone_thresholds=request.standalone_thresholds, save_intermediate_models=True)
    (folder / "build.yaml").write_text(ready.to_yaml(), encoding="utf-8")
    del cfg
    # The same files again, as the other machine will read them.
    again = DataflowBuildConfig.from_yaml((folder / "build.yaml").read_text(encoding="utf-8"))
    loaded = ModelWrapper(str(folder / "model.onnx")).transform(ApplyConfig(str(folder / str(again.folding_config_file))))
    before, after = folder / "before.json", folder / "after.json"
    extract_model_config_to_json(model, before, list(FOLDING))
    extract_model_config_to_json(loaded, after, list(FOLDING))
    same = json.loads(before.read_text()) == json.loads(after.read_text())
    before.unlink()
    after.unlink()
    if not same or list(again.steps or ()) != list(STEPS):
        raise RuntimeError("the project does not load as it was written")
    return {"fifos": _fifos(model, request)}


def _fifos(model: Any, request: Request) -> list[dict[str, str | None]]:
    """FIFOs as `step_set_fifo_depths` will insert and name them."""
    from finn.transformation.fpgadataflow.insert_dwc import InsertDWC
    from finn.transformation.fpgadataflow.insert_fifo import InsertFIFO
    from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
    from finn.transformation.qonnx.give_unique_node_names_recursive import GiveUniqueNodeNamesRecursive

    whole = deepcopy(model)
    for node in whole.graph.node:
        node.doc_string = node.name
    for transformation in (InsertDWC(), InsertFIFO(create_shallow_fifos=True), SpecializeLayers(request.part),
                           GiveUniqueNodeNamesRecursive()):
        whole = whole.transform(transformation)
    found = []
    for node in whole.graph.node:
        if node.op_type == "StreamingFIFO_rtl":
            producer, reader = whole.find_producer(node.input[0]), whole.find_consumer(node.output[0])
            found.append({"name": node.name, "producer": producer.name if producer is not None else None,
                          "reader": reader.name if reader is not None else None, "tensor": node.input[0]})
    return found
