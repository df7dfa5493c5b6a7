"""The YAML of a run: every fault with file, line and key."""

import re

import pytest

from hw_flow.errors import FlowError
from hw_flow.pipeline import config

GOOD = """\
name: digits
train:
  model: digits
  bits: w2a2
  epochs: 2
build:
  target_cycles: 64
simulate:
  samples: 20
synth:
  targets: [xc7]
"""


def write(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    return path


def test_good(tmp_path):
    loaded = config.load(write(tmp_path, GOOD))
    assert loaded.name == "digits"
    assert loaded.train == {"model": "digits", "bits": "w2a2", "epochs": 2}
    assert loaded.build.target_cycles == 64
    assert loaded.synth.targets == ("xc7",)


@pytest.mark.parametrize(("old", "new", "text"), [
    ("  target_cycles: 64", "  target: 64",
     ":7: unknown key 'build.target'; legal keys are backend, folding, target_cycles, unfold, fps, clock_mhz,"
     " target_latency, budget_luts, budget_brams, budget_dsps, pipeline_levels, integer_input, input_type, input_scale"),
    ("synth:", "synthesis:", ":10: unknown key 'synthesis'; legal keys are name, train, model, build, simulate, synth"),
    ("  samples: 20", "  samples: many",
     ":9: simulate.samples is 'many': input should be a valid integer, unable to parse string as an integer"),
    ("  target_cycles: 64", "  target_cycles: 0", ":7: build.target_cycles is 0: input should be greater than or equal to 1"),
    ("  target_cycles: 64", "  target_cycles: 64\n  unfold: true",
     ":6: build: 'target_cycles' and 'unfold' contradict each other; give one"),
    ("  targets: [xc7]", "  targets: xc7", ":11: synth.targets is 'xc7': input should be a valid list"),
    ("name: digits", "title: digits", ":1: 'name' is missing; add it"),
    ("name: digits", "name: a/b", ":1: name is 'a/b': string should match pattern '^\\w[\\w.-]*$'"),
    ("train:", "model: m.onnx\ntrain:", ":1: give either 'train' or 'model', and not both"),
    ("  samples: 20", "  inputs: x.npy",
     ":1: 'inputs', 'labels' and 'input_type' go with 'model'; with 'train' they come from the data set"),
    ("  bits: w2a2", "  bits: [w2a2", ":5: not YAML (expected ',' or ']', but got ':'); correct this line"),
    ("  epochs: 2", "  epochs: 0", ":5: training settings: epochs is 0: input should be greater than or equal to 1"),
    ("  epochs: 2", "  output: x", ":5: train.output is set by the run itself; leave it out"),
])
def test_faults(tmp_path, old, new, text):
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(FlowError, match=f"^{re.escape(f'{path}{text}')}$"):
        config.load(path)


def test_unknown_training_key(tmp_path):
    path = write(tmp_path, GOOD.replace("epochs", "epoch"))
    text = f"{path}:5: training settings: unknown key 'epoch'; legal keys are model, bits, "
    with pytest.raises(FlowError, match=f"^{re.escape(text)}"):
        config.load(path)


@pytest.mark.parametrize(("text", "message"), [
    ("- a\n", ":1: not a mapping; give at least 'name' and 'train' or 'model'"),
    ("", ":1: not a mapping; give at least 'name' and 'train' or 'model'"),
])
def test_no_mapping(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(FlowError, match=f"^{re.escape(f'{path}{message}')}$"):
        config.load(path)


def test_no_file(tmp_path):
    text = r"gone.yaml: cannot read the configuration \(No such file or directory\); check the path$"
    with pytest.raises(FlowError, match=text):
        config.load(tmp_path / "gone.yaml")
