from __future__ import annotations

from pathlib import Path

import pytest

from hw_flow.synth.stat import error_line


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("1. Executing\n../src/my file.sv:3: ERROR: expected expression\nERROR: later\n",
         "{root}/src/my file.sv:3: ERROR: expected expression"),
        ("ABC: + &nf\nABC: Error: no library.\nERROR: abc failed\n", "ABC: Error: no library."),
        ("Traceback (most recent call last):\n  File x\nModuleNotFoundError: No module named 'pyosys'\n",
         "ModuleNotFoundError: No module named 'pyosys'"),
        ("0 errors\nall went well\n", ""),
        ("", ""),
    ],
)
def test_error_line(output: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert error_line(output, tmp_path / "run") == line.format(root=tmp_path)
