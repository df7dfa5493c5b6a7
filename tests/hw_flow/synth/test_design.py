from __future__ import annotations

from pathlib import Path

import pytest

from hw_flow.errors import FlowError
from hw_flow.rtl.design import Design, Instance
from hw_flow.synth import layer_luts, synthesise, total
from tests.hw_flow.synth.conftest import FIFO, MUL

TOP = """
module net (
  input logic clk_i, rst_ni, push_i, pop_i, input logic [7:0] data_i, output logic signed [15:0] p_o, output logic odd_o
);
  logic [7:0] a, b;
  net_fifo_0 u_fifo_0 (.clk_i, .rst_ni, .push_i, .pop_i, .data_i, .data_o(a));
  net_fifo_1 u_fifo_1 (.clk_i, .rst_ni, .push_i, .pop_i, .data_i(a), .data_o(b));
  mul u_mul (.clk_i, .a_i(a), .b_i(b), .p_o(p_o));
  assign odd_o = ^data_i[4:0];
endmodule
"""


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Design:
    """Two equal FIFOs under two names, a multiplier, and one LUT of glue."""
    directory = tmp_path_factory.mktemp("design")
    texts = {"net_fifo_0": FIFO.format(name="net_fifo_0"), "net_fifo_1": FIFO.format(name="net_fifo_1"), "mul": MUL, "net": TOP}
    for name, text in texts.items():
        (directory / f"{name}.sv").write_text(text)
    return Design(
        top="net", directory=directory, files=tuple(f"{name}.sv" for name in texts), inputs=(), outputs=(),
        instances=(
            Instance("u_fifo_0", "net_fifo_0", "fifo", "fifo_0", ("net_fifo_0.sv",)),
            Instance("u_fifo_1", "net_fifo_1", "fifo", "fifo_1", ("net_fifo_1.sv",)),
            Instance("u_mul", "mul", "mvau", "MVAU_0", ("mul.sv",)),
        ),
    )


def test_total_is_glue_and_all_instances(design: Design, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    from hw_flow.synth import runner
    real = runner.run_process

    def counting(*args: object, **kwargs: object) -> int:
        started.append(args)
        return real(*args, **kwargs)  # type: ignore[arg-type]  # passed through as given

    monkeypatch.setattr(runner, "run_process", counting)
    found = synthesise(design, "ecp5", flatten=True)
    assert len(started) == 4  # one FIFO, the product, the glue and the flat top
    assert found.source.startswith("yosys-")
    assert found.layers["u_fifo_0"].cells == found.layers["u_fifo_1"].cells
    assert found.layers["u_fifo_0"].lutram == 24
    assert found.layers["u_mul"].dsp == 1
    assert dict(found.glue.cells) == {"LUT4": 1, "PFUMX": 1} or found.glue.luts <= 3
    assert found.total.luts == found.glue.luts + 2 * found.layers["u_fifo_0"].luts + found.layers["u_mul"].luts
    assert found.total.dsp == 1
    assert found.by_layer()["fifo_1"].luts == found.layers["u_fifo_1"].luts
    assert {kind: part.lutram for kind, part in found.by_kind().items()} == {"fifo": 48, "mvau": 0}
    assert found.flat is not None
    assert found.flat.lutram == found.total.lutram
    assert abs(found.flat.luts - found.total.luts) <= 10
    again = synthesise(design, "ecp5", flatten=True)
    assert len(started) == 4
    assert again.total == found.total


def test_nodsp_for_chosen_layers(design: Design) -> None:
    found = synthesise(design, "ecp5", nodsp={"MVAU_0"})
    assert found.total.dsp == 0
    luts = layer_luts(design, "ecp5", nodsp={"MVAU_0"})
    assert luts == {"fifo_0": found.layers["u_fifo_0"].luts, "fifo_1": found.layers["u_fifo_1"].luts,
                    "MVAU_0": found.layers["u_mul"].luts}


def test_gates_of_a_whole_design(design: Design) -> None:
    found = synthesise(design, "generic")
    parts = [found.glue, *found.layers.values()]
    assert found.total.ff == sum(part.ff for part in parts) == 2 * 266 + 16
    assert found.total.transistors == sum(part.transistors or 0 for part in parts)
    assert all(part.transistors for part in parts)


def test_top_that_does_not_fit_its_description(design: Design) -> None:
    shorter = Design(design.top, design.directory, design.files, (), (), (*design.instances, design.instances[0]))
    with pytest.raises(FlowError) as caught:
        synthesise(shorter, "ecp5")
    assert str(caught.value) == (
        "net: the top holds 1 x mul, 1 x net_fifo_0, 1 x net_fifo_1, "
        "but design.json lists 1 x mul, 2 x net_fifo_0, 1 x net_fifo_1; build the design again"
    )


def test_error_in_one_layer_stops_the_rest(design: Design, sources: Path) -> None:
    (design.directory / "bad.sv").write_text((sources / "bad.sv").read_text())
    broken = Design(design.top, design.directory, design.files, (), (), (
        Instance("u_bad", "bad", "mvau", "MVAU_9", ("bad.sv",)), *design.instances))
    with pytest.raises(FlowError, match=r"^bad: Yosys \(generic\) stopped: .*bad\.sv:3: ERROR: expected expression"):
        synthesise(broken, "generic")


def test_total_of_nothing() -> None:
    assert (total("xc7", ()).luts, total("generic", ()).area) == (0, None)
