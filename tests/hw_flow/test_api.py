"""The verbs from Python: what they are called with."""

import inspect

from hw_flow import api
from tests.hw_flow.tiny import tiny, tiny_folding


def test_synth_takes_its_target_by_that_name(tmp_path):
    assert list(inspect.signature(api.synth).parameters) == ["made", "target", "nodsp", "flatten", "steps"]
    made = api.build(tiny(tmp_path / "tiny.onnx"), tmp_path / "b", target_cycles=48)
    cost = api.synth(made, target="ice40")
    assert cost.target == "ice40"
    assert cost.total["luts"].value > 0
    assert (made.directory / "synth" / "ice40.json").is_file()


def test_verbs_on_a_build_call_it_the_same():
    verbs = (api.simulate, api.simulation_record, api.synth, api.report)
    assert {next(iter(inspect.signature(verb).parameters)) for verb in verbs} == {"made"}


def test_pipeline_levels_without_effect_are_noted(tmp_path):
    note = "pipeline levels change nothing: no layer is unrolled to constant logic"
    model, file = tiny(tmp_path / "tiny.onnx"), tiny_folding(tmp_path / "folding.json")
    assert note in api.build(model, tmp_path / "folded", folding=file, pipeline_levels=3).notes
    assert note not in api.build(model, tmp_path / "unfolded", unfold=True, pipeline_levels=3).notes
