"""From a QONNX model to FINN's hardware graph, by FINN's own transformations."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hw_flow.backends.finn.inside import legal
from hw_flow.backends.finn.inside.edges import host_edges
from hw_flow.backends.finn.inside.explain import told, unconverted
from hw_flow.backends.finn.inside.prepare import classified, declared, four_axes, one_frame, spelled_out, tagged
from hw_flow.backends.finn.inside.rounding import exact_thresholds, single_precision
from hw_flow.backends.finn.request import Request

Step = Callable[[Any], Any]


class ConversionError(Exception):
    """FINN cannot make hardware of the graph; the message names the node and why."""


def configuration(request: Request) -> Any:
    """FINN's build configuration for ``request``."""
    from finn.builder.build_dataflow_config import DataflowBuildConfig, DataflowOutputType

    return DataflowBuildConfig(
        output_dir=str(request.output), synth_clk_period_ns=request.clock_ns, fpga_part=request.part, board=request.board,
        generate_outputs=[DataflowOutputType.ESTIMATE_REPORTS], standalone_thresholds=request.standalone_thresholds,
        mvau_wwidth_max=request.mvau_wwidth_max, save_intermediate_models=True, auto_fifo_depths=False,
        specialize_layers_config_file=request.styles_file, folding_config_file=request.folding_file,
    )


def hardware_graph(request: Request, cfg: Any) -> Any:
    """The model of one partition of hardware nodes; ``dataflow_parent.onnx`` around it lies in the output folder.

    Raises
    ------
    ConversionError : a node that FINN cannot convert, with the reason.
    """
    from finn.builder import build_dataflow_steps as finn
    from qonnx.core.modelwrapper import ModelWrapper

    model = spelled_out(one_frame(tagged(ModelWrapper(str(request.model)))))
    with exact_thresholds():
        model = finn.step_tidy_up(finn.step_qonnx_to_finn(declared(model, request), cfg), cfg)
    if request.classify:
        model = classified(model)
    model = four_axes(model)
    tried: list[tuple[Any, list[str]]] = []
    for streamline in (_branches, _plain) if _joins(model) else (_plain, _branches):
        try:
            converted = finn.step_convert_to_hw(_averages(streamline(_copy(model), cfg)), cfg)
            converted = host_edges(finn.step_minimize_bit_width_initial(converted, cfg))
        except Exception as error:  # noqa: BLE001 - FINN's assertions and KeyErrors
            traceback.print_exc()  # into the log; the next way may do
            tried.append((None, [told(error)]))
            continue
        left = unconverted(converted)
        if not left:
            return finn.step_create_dataflow_partition(single_precision(converted), cfg)
        tried.append((converted, left))
    raise ConversionError(next((left[0] for converted, left in tried if converted is not None), tried[0][1][0]))


def fold(model: Any, request: Request, cfg: Any) -> Any:
    """Specialise every node, fold, and minimise widths, as FINN's steps do.

    Raises
    ------
    ConversionError : an entry of the folding file fits no node; a PE or SIMD that its node cannot have.
    """
    from finn.builder import build_dataflow_steps as finn
    from finn.transformation.fpgadataflow.set_folding import SetFolding

    model = finn.step_specialize_layers(model, cfg)
    if request.target_cycles is not None:
        model = model.transform(SetFolding(request.target_cycles, mvau_wwidth_max=request.mvau_wwidth_max,
                                           two_pass_relaxation=True))
    given = {} if request.folding_file is None else json.loads(request.folding_file.read_text(encoding="utf-8"))
    wrong = legal.check_entries(model, given)
    if wrong is None:
        model = finn.step_apply_folding_config(model, cfg)
        wrong = legal.check(model)
    if wrong is not None:
        raise ConversionError(wrong)
    model = finn.step_minimize_bit_width(model, cfg)
    return finn.step_transpose_decomposition(model, cfg)


def remarks(model: Any, request: Request) -> list[str]:
    """What the user should know of the folding: FINN says nothing where it has none, and skips entries of nodes it lacks."""
    if request.folding_file is None:
        return [] if request.target_cycles is not None else [
            "no folding given: FINN's default, one operation a cycle in every node; choose with --target-cycles or --folding"]
    given = json.loads(request.folding_file.read_text(encoding="utf-8"))
    known = {node.name for node in model.graph.node}
    # FINN inserts FIFOs later; their depths are taken by the back end.
    unknown = [name for name in given if name not in known and name != "Defaults" and not name.startswith("StreamingFIFO")]
    silent = [node.name for node in model.graph.node if node.name not in given]
    return ([f"folding file: ignored {', '.join(unknown)}, which FINN's graph does not have"] if unknown else []) + (
        [f"folding file: says nothing of {', '.join(silent)}, which keep FINN's default"] if silent else [])


def reports(model: Any, cfg: Any) -> Any:
    """Write FINN's estimate reports; returns the model with its cycles noted."""
    from finn.builder import build_dataflow_steps as finn

    Path(cfg.output_dir, "report").mkdir(parents=True, exist_ok=True)
    return finn.step_generate_estimate_reports(model, cfg)


def _forking_pools(model: Any) -> Any:
    """A pair of changes of layout behind every pool that several nodes read.

    FINN's `MakeMaxPoolNHWC` takes a change of layout from behind a pool to its front although others read the pool too, who
    then read its input. Of a pair it finds one that nobody else reads.
    """
    from onnx import helper
    from qonnx.transformation.infer_shapes import InferShapes

    pools = model.get_nodes_by_op_type("MaxPool")
    for node in [node for node in pools if len(model.find_consumers(node.output[0])) > 1]:
        pooled, turned = model.make_new_valueinfo_name(), f"{node.output[0]}_nhwc"
        index = list(model.graph.node).index(node)
        pair = [helper.make_node("Transpose", [pooled], [turned], name=f"{node.name}_nhwc", perm=[0, 2, 3, 1]),
                helper.make_node("Transpose", [turned], [node.output[0]], name=f"{node.name}_nchw", perm=[0, 3, 1, 2])]
        node.output[0] = pooled
        for place, one in enumerate(pair, index + 1):
            model.graph.node.insert(place, one)
    return model.transform(InferShapes())


def _plain(model: Any, cfg: Any) -> Any:
    """FINN's default streamlining."""
    from finn.builder import build_dataflow_steps as finn

    return _settled(finn.step_streamline(_forking_pools(model), cfg)) if _forks(model) else finn.step_streamline(model, cfg)


def _branches(model: Any, cfg: Any) -> Any:
    """FINN's streamlining for graphs that fork and join."""
    from finn.builder.custom_step_library.resnet import step_resnet_streamline, step_resnet_tidy

    return _settled(step_resnet_streamline(step_resnet_tidy(model, cfg), cfg))


def _settled(model: Any) -> Any:
    """``model`` with every change of layout moved to where two cancel; FINN would make hardware of each."""
    from finn.transformation.streamline import absorb, reorder
    from qonnx.transformation.infer_data_layouts import InferDataLayouts
    from qonnx.transformation.infer_datatypes import InferDataTypes

    model = _forking_pools(model)
    for _ in range(2):
        for transformation in (
                reorder.MakeMaxPoolNHWC(), absorb.AbsorbTransposeIntoMultiThreshold(), reorder.MoveTransposePastFork(),
                reorder.MoveTransposePastJoinAdd(), reorder.MoveTransposePastEltwise(), absorb.AbsorbConsecutiveTransposes()):
            model = model.transform(transformation)
        model = model.transform(InferDataTypes()).transform(InferDataLayouts())
    return model.transform(absorb.AbsorbScalarMulAddIntoTopK()).transform(InferDataLayouts())


def _averages(model: Any) -> Any:
    """``model`` with averages of whole maps as sums, and their scale moved on into what follows; FINN leaves it in between."""
    if not model.get_nodes_by_op_type("GlobalAveragePool"):
        return model
    from finn.transformation.fpgadataflow.convert_to_hw.global_acc_pool import InferGlobalAccPoolLayer
    from finn.transformation.streamline import Streamline, absorb
    from finn.transformation.streamline.round_thresholds import RoundAndClipThresholds
    from qonnx.transformation.infer_data_layouts import InferDataLayouts
    from qonnx.transformation.infer_datatypes import InferDataTypes

    for transformation in (InferDataLayouts(), InferGlobalAccPoolLayer(), absorb.AbsorbConsecutiveTransposes(), Streamline(),
                           RoundAndClipThresholds(), absorb.AbsorbScalarMulAddIntoTopK(), InferDataTypes(), InferDataLayouts()):
        model = model.transform(transformation)
    return model


def _forks(model: Any) -> bool:
    """Whether a tensor of the graph has several readers."""
    readers = [name for node in model.graph.node for name in node.input if model.get_initializer(name) is None]
    return len(set(readers)) < len(readers)


def _joins(model: Any) -> bool:
    """Whether two tensors that move are added: FINN's default streamlining leaves the scales of such a graph in between."""
    return any(all(model.get_initializer(name) is None for name in node.input) for node in model.get_nodes_by_op_type("Add"))


def _copy(model: Any) -> Any:
    from copy import deepcopy

    return deepcopy(model)
