"""Exit codes and one-line faults of the command line."""

import re
import resource
import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest

from hw_flow import api
from hw_flow.cli.entry import run
from tests.hw_flow.tiny import tiny


def last_line(capfd):
    lines = capfd.readouterr().err.splitlines()
    return lines[-1]


@pytest.mark.parametrize(("arguments", "text"), [
    (["verify", "gone.onnx"], "gone.onnx: cannot read the model (No such file or directory); check the path"),
    (["build", "gone.onnx", "-o", "{tmp}/b"], "gone.onnx: cannot read the model (No such file or directory); check the path"),
    (["simulate", "{tmp}/none"],
     "{tmp}/none: no such build directory; run `bitwright build MODEL.onnx --output {tmp}/none` first"),
    (["fifo", "{model}"], "{model}: a file, no build directory; give what `bitwright build` made"),
    (["report", "{tmp}"], "{tmp}: no complete build (build.json is missing); run `bitwright build MODEL.onnx -o {tmp}`"),
    (["run", "gone.yaml"], "gone.yaml: cannot read the configuration (No such file or directory); check the path"),
    (["verify", "{model}", "--folding", "gone.json"],
     "gone.json: cannot read the folding file (No such file or directory); check the path"),
    (["verify", "{model}", "-c", "8", "--unfold"], "--target-cycles and --unfold contradict each other; give one"),
    (["build", "{model}", "--fps", "30"], "--fps 30 without --clock; give the clock in MHz too"),
    (["build", "{model}", "--budget-luts", "9", "--budget-dsps", "2", "--target-latency", "3"],
     "--target-latency and --budget-luts contradict each other; give one"),
    (["build", "{model}", "-o", "{tmp}/b", "--unfold", "--pipeline-levels", "0"],
     "0 levels of logic between registers; give at least 1"),
    (["verify", "{model}", "--target-cycles", "0"], "target of 0 cycles a frame; give at least 1"),
    (["verify", "{model}", "--samples", "0"], "--samples 0; give at least 1"),
    (["verify", "{model}", "--input-scale", "1/255"],
     "--input-scale 1/255 without --input-type; give the type too, for example UINT8"),
    (["verify", "{model}", "--input-type", "UINT8", "--input-scale", "x"],
     "--input-scale 'x' is not a number; give a fraction such as 1/255 or a decimal"),
    (["verify", "{model}", "--backend", "magic"], "back end 'magic' is not known; choose one of rtl, finn, hls4ml"),
    (["synth", "{model}", "--target", "xc9"],
     "synthesis target 'xc9' is not known; choose one of xc7, xcup, ecp5, ice40, generic"),
    (["verify", "{model}", "--samples", "100000000000"],
     "--samples 100000000000: frames of 8 values; give at most 33,554,432 samples"),
    (["verify", "{model}", "--profile", "quick"], "simulation profile 'quick' is not known; choose one of check, fast"),
    (["verify", "{model}", "--input-type", "UINT8", "--input-scale", "1e-400"],
     "--input-scale 1e-400 is beyond what float32 can hold; give a fraction such as 1/255 or a decimal"),
    (["cache", "trim", "--keep", "two"],
     "size 'two' is not known; give bytes, or a number with K, M, G or T, for example 2G"),
    (["verify", "{model}", "--seed", "-1"],
     "Invalid value for '--seed' / '-s': Input should be greater than or equal to 0; see bitwright --help"),
    (["nonsense"], "No such command 'nonsense'.; see bitwright --help"),
])
def test_faults_are_one_line_and_code_2(arguments, text, capfd, tmp_path):
    model = tiny(tmp_path / "m" / "tiny.onnx")
    filled = [argument.format(tmp=tmp_path, model=model) for argument in arguments]
    assert run(filled) == 2
    assert last_line(capfd) == f"bitwright: {text.format(tmp=tmp_path, model=model)}"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    return api.build(tiny(folder / "tiny.onnx"), folder / "b", target_cycles=12).directory


@pytest.mark.parametrize(("arguments", "text"), [
    (["simulate", "{build}", "--trace", "x.foo"], "trace x.foo: the name must end in .vcd, .fst or .saif"),
    (["simulate", "{build}", "--trace", "{tmp}/file/x.vcd"],
     "{tmp}/file/x.vcd: cannot be written (File exists); give another file"),
    (["simulate", "{build}", "--save", "{tmp}/file/y.npy"],
     "{tmp}/file/y.npy: cannot be written (File exists); give another file"),
    (["simulate", "{build}", "--save", "{tmp}"], "{tmp}: is a folder; give the name of a file"),
    (["simulate", "{build}", "--labels", "{tmp}/three.npy"], "3 labels for 16 frames; give one a frame"),
    (["simulate", "{build}", "--samples", "3", "--labels", "{tmp}/three.npy"],
     "label 4 is no class of the network; give 0 to 3"),
    (["simulate", "{build}", "--inputs", "{tmp}/file"],
     "{tmp}/file: not an .npy file; save the inputs with numpy.save as [N, 8]"),
    (["fifo", "{build}", "--frames", "2"], "FIFO sizing with 2 frames a run; give at least 3, or no interval shows"),
    (["synth", "{build}", "--target-cycles", "3"],
     "--target-cycles goes with a MODEL.onnx, and {build} is built already; build it anew"),
])
def test_faults_of_what_is_done_with_a_build(arguments, text, capfd, tmp_path, built, monkeypatch):
    monkeypatch.setattr("hw_flow.backends.simulation.compile_model", None)  # every fault is found before anything slow
    (tmp_path / "file").write_text("hello")
    np.save(tmp_path / "three.npy", [0, 3, 4])
    assert run([argument.format(tmp=tmp_path, build=built) for argument in arguments]) == 2
    assert last_line(capfd) == f"bitwright: {text.format(tmp=tmp_path, build=built)}"


@pytest.mark.parametrize(("verb", "kind"), [("verify", "builds"), ("synth", "builds"), ("synth build", "synth")])
def test_a_cache_that_cannot_be_written(verb, kind, capfd, tmp_path, built, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BITWRIGHT_CACHE", str(tmp_path / "file"))
    assert run([verb.split()[0], str(built if "build" in verb else built.parent / "tiny.onnx")]) == 2
    assert last_line(capfd) == (
        f"bitwright: cache {tmp_path / 'file' / kind}: cannot be written (Not a directory); set BITWRIGHT_CACHE")


def test_verify_misses_the_compiler_before_it_builds(capfd, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert run(["verify", str(tiny(tmp_path / "tiny.onnx")), "-o", str(tmp_path / "b")]) == 2
    assert last_line(capfd).startswith("bitwright: g++: not found; a C++ compiler is needed for simulation")
    assert not (tmp_path / "b").exists()


def test_a_foreign_directory_is_not_touched(tmp_path, capfd):
    model = tiny(tmp_path / "tiny.onnx")
    (tmp_path / "thesis.tex").write_text("years of work")
    assert run(["build", str(model), "-o", str(tmp_path)]) == 2
    assert last_line(capfd) == (
        f"bitwright: {tmp_path}: holds 'thesis.tex' and was not made by a build; give an empty or new --output")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_an_illegal_folding_lists_the_legal_values(tmp_path, capfd):
    model = tiny(tmp_path / "tiny.onnx")
    (tmp_path / "f.json").write_text('{"MVAU_0": {"PE": 4, "SIMD": 8}}')
    assert run(["verify", str(model), "-f", str(tmp_path / "f.json")]) == 2
    assert last_line(capfd) == "bitwright: MVAU_0: PE 4 does not divide MH 6; legal values: 1, 2, 3, 6"


def test_a_bug_is_called_one(monkeypatch, capfd):
    monkeypatch.setattr("hw_flow.pipeline.doctor.examine", lambda: 1 // 0)
    assert run(["doctor"]) == 2
    assert last_line(capfd) == (
        "bitwright: ZeroDivisionError: integer division or modulo by zero; this is a bug in bitwright;"
        " run again with --debug and report the traceback")
    assert run(["doctor"], debug=True) == 2
    assert "Traceback" in capfd.readouterr().err


def test_a_full_disk_and_an_interrupt(monkeypatch, capfd):
    def full():
        raise OSError(28, "No space left on device", "out/x")

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("hw_flow.pipeline.doctor.examine", full)
    assert run(["doctor"]) == 2
    assert last_line(capfd) == "bitwright: out/x: No space left on device; free space or check the path and its permissions"
    monkeypatch.setattr("hw_flow.pipeline.doctor.examine", interrupt)
    assert run(["doctor"]) == 130
    assert last_line(capfd) == "bitwright: interrupted"


def test_version(capfd):
    assert run(["--version"]) == 0
    assert capfd.readouterr().out == f"bitwright {metadata.version('bitwright')}\n"


def test_out_of_memory(monkeypatch, capfd):
    def grow():
        raise MemoryError("Unable to allocate 8 TiB")

    monkeypatch.setattr("hw_flow.pipeline.doctor.examine", grow)
    assert run(["doctor"]) == 2
    assert last_line(capfd) == (
        "bitwright: out of memory (Unable to allocate 8 TiB); give fewer frames or a smaller network, or free memory")


def test_an_end_of_file_is_no_interrupt(monkeypatch, capfd):
    def end():
        raise EOFError("No data left in file")

    monkeypatch.setattr("hw_flow.pipeline.doctor.examine", end)
    assert run(["doctor"]) == 2
    assert last_line(capfd) == (
        "bitwright: EOFError: No data left in file; this is a bug in bitwright; run again with --debug and report the traceback")


def test_sigterm_cleans_up_as_ctrl_c_does():
    code = (
        "import sys, time, hw_flow.pipeline.doctor as doctor\n"
        "doctor.examine = lambda: (print('begun', flush=True), time.sleep(60))\n"
        "from hw_flow.cli.entry import main\n"
        "sys.argv = ['bitwright', 'doctor']\n"
        "main()\n")
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "bitwright: interrupted"
    assert "Traceback" not in err


def test_doctor(capfd):
    assert run(["doctor", "--json"]) == 0
    import json

    tools = {tool["name"]: tool for tool in json.loads(capfd.readouterr().out)["tools"]}
    assert tools["verilator"]["found"]
    assert re.match(r"\d+\.", tools["g++"]["version"])
    assert tools["vivado"]["remedy"] == "install AMD Vivado and source its settings64.sh"


def test_help_does_not_load_heavy_packages():
    heavy = ("torch", "brevitas", "lightning", "numpy", "qonnx", "optuna", "distributed", "matplotlib", "pydantic", "yaml")
    code = ("import sys; from hw_flow.cli.entry import run; code = run(['--help']); "
            f"print([name for name in {heavy} if name in sys.modules], file=sys.stderr); sys.exit(code)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"


def processor_seconds():
    """Of the children that ended: unlike the wall clock's, they do not grow with the load of the machine."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_a_rebuild_with_nothing_changed_is_quick(tmp_path, capfd):
    model = tiny(tmp_path / "tiny.onnx")
    command = [sys.executable, "-m", "hw_flow.cli", "build", str(model), "-o", str(tmp_path / "b")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    before = (tmp_path / "b" / "build.json").stat().st_mtime_ns
    seconds = []
    for _ in range(3):
        start = processor_seconds()
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        seconds.append(processor_seconds() - start)
    assert done.stdout == f"{tmp_path / 'b'}: nothing changed, taken as it was\n"
    assert (tmp_path / "b" / "build.json").stat().st_mtime_ns == before
    assert min(seconds) < 2.0
