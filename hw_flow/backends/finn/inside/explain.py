"""Why FINN left a node as it was: it says which ones, at best, but never why."""

from __future__ import annotations

from typing import Any

_HARDWARE = "finn.custom_op.fpgadataflow"


def told(error: BaseException) -> str:
    """``error`` of FINN's as one line, with the node that it arose at: FINN's messages seldom name one."""
    kind, line, at = type(error).__name__, " ".join(str(error).split()).rstrip("."), ""
    trace = error.__traceback__
    while trace is not None:
        for name in ("node", "n", "onnx_node"):
            node: Any = trace.tb_frame.f_locals.get(name)
            if hasattr(node, "op_type") and hasattr(node, "doc_string"):
                at = f"{node.doc_string or node.name} ({node.op_type})"
        trace = trace.tb_next
    return (f"{kind}: {line}" if line else kind) + (f", at {at}" if at else "")


def unconverted(model: Any) -> list[str]:
    """One sentence for each node between hardware nodes, or that no hardware is left beside; none if the graph is fine."""
    nodes = list(model.graph.node)
    made = [node.domain.startswith(_HARDWARE) for node in nodes]
    if not any(made):
        middle = [node for node in nodes if node.op_type not in ("Transpose", "Flatten", "Reshape")]
        return [_reason(model, node) for node in middle[:1]] or ["the graph holds nothing that FINN makes hardware of"]
    before, after = _reach(nodes, made)
    middle = [node for node, own in zip(nodes, made, strict=True) if not own and node.name in before and node.name in after]
    return [_reason(model, node) for node in middle]


def _reach(nodes: list[Any], made: list[bool]) -> tuple[set[str], set[str]]:
    """Names of nodes behind some hardware node, and of those in front of one."""
    behind: set[str] = set()
    tensors: set[str] = set()
    for node, own in zip(nodes, made, strict=True):
        if any(name in tensors for name in node.input):
            behind.add(node.name)
        if own or node.name in behind:
            tensors.update(node.output)
    ahead: set[str] = set()
    wanted: set[str] = set()
    for node, own in zip(reversed(nodes), reversed(made), strict=True):
        if any(name in wanted for name in node.output):
            ahead.add(node.name)
        if own or node.name in ahead:
            wanted.update(node.input)
    return behind, ahead


def _reason(model: Any, node: Any) -> str:
    return f"{_place(model, node)}: {_why(model, node)}"


def _place(model: Any, node: Any) -> str:
    """The node under the name that its file has for it; one that FINN made, under FINN's, and what it stands behind."""
    if node.doc_string:
        return f"{node.doc_string} ({node.op_type})"
    before, name = model.find_direct_predecessors(node), f"{node.name} ({node.op_type})"
    while before:
        if before[0].doc_string:
            return f"{name} behind {before[0].doc_string}"
        before = model.find_direct_predecessors(before[0])
    return name


def _why(model: Any, node: Any) -> str:
    types = [(name, model.get_tensor_datatype(name)) for name in node.input if name]
    moving = [(name, kind) for name, kind in types if model.get_initializer(name) is None]
    fixed = [(name, kind) for name, kind in types if model.get_initializer(name) is not None]
    floats = [name for name, kind in moving if kind.name == "FLOAT32"]
    match node.op_type:
        case "MatMul" | "XnorPopcountMatMul":
            if not fixed:
                return "both operands move, and FINN's matrix unit needs constant weights"
            if floats:
                return (f"its input '{floats[0]}' is floating point because a scale did not move past it; "
                        "give the quantiser in front one scale for the whole tensor")
            if fixed[0][1].name == "FLOAT32":
                return "its weights are no integers; give the weight quantiser one scale for the whole tensor, or one per output"
            return "FINN's matrix unit does not take this pair of types"
        case "MultiThreshold":
            return (f"its input '{floats[0]}' is floating point between integer layers; a scale or bias in front of it is not "
                    "absorbed, as it differs by channel before a fork or join" if floats else
                    "its output scale or bias is no integer step")
        case "Conv":
            return "a convolution that FINN does not lower; use groups 1 or one group a channel, 1-D or 2-D"
        case "Mul" | "Div" | "Add" | "Sub":
            return "a scale or bias between integer layers that streamlining could not move into thresholds"
        case "Transpose":
            return "a change of layout that FINN could not absorb into its neighbours"
        case "BatchNormalization":
            return "a batch norm that streamlining could not turn into thresholds; put a quantiser behind it"
        case "Quant" | "BipolarQuant" | "Trunc":
            return "a quantiser that FINN does not turn into thresholds; use a scale for the whole tensor and no zero point"
        case "MaxPool" | "MaxPoolNHWC" | "AveragePool":
            return "a pooling window that FINN does not take; use no padding and a stride of the window's size"
        case _:
            return "FINN has no hardware for this operator; end the network before it, or use --backend rtl"
