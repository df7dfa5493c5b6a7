"""Where files go."""

from __future__ import annotations

from pathlib import Path

import pytest

from hw_flow.storage import cache_dir
from hw_flow.synth.runner import cache_directory


def test_every_cache_is_below_one_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for root, expected in (("~/c", "c"), ("", ".cache/bitwright")):
        monkeypatch.setenv("BITWRIGHT_CACHE", root)
        assert cache_dir("verify") == tmp_path / expected / "verify"
        assert cache_dir("verify").is_dir()
        assert cache_directory() == tmp_path / expected / "synth"
