"""What is committed names no machine of ours, and the README's promises hold."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Folders of a developer's machine; /tmp and /usr are fine in examples.
_MACHINE = re.compile(r"/(?:work|root|home/\w+)/")


def _tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        pytest.skip(f"not a git checkout: {done.stderr.strip()}")
    return [ROOT / name for name in done.stdout.splitlines()]


def test_no_file_names_a_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in _tracked()
        if path.suffix in {".py", ".sv", ".md", ".ipynb", ".yaml", ".json", ".toml", ".txt"} and path.exists()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if _MACHINE.search(line) and path != Path(__file__)
    ]
    assert not found, f"paths of a machine in {found}"


def test_links_of_the_documentation_exist() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    missing = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not missing, f"links to nothing: {missing}"


def test_every_direct_dependency_has_a_reason_and_a_pin() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.split(r"[<>=\[]", entry)[0] for entry in [*project["dependencies"], *project["optional-dependencies"]["dev"]]]
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pins = {line.split("==")[0].lower() for line in constraints.splitlines() if "==" in line}
    reasons = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    spelled = {"pytest-timeout": "-timeout", "pytest-xdist": "-xdist"}
    assert [name for name in names if name.lower() not in pins] == []
    assert [name for name in names if spelled.get(name, name).lower() not in reasons] == []
