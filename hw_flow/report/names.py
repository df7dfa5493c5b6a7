"""Short names for paths that are shown beside each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_LONG_NAME = 30


def short_names(paths: Sequence[Path]) -> list[str]:
    """Short and unique: the last part of each path; folders above it where several end alike; a number for the same one again."""
    parts = [path.resolve().parts for path in paths]
    names = []
    for own in parts:
        others = [other for other in parts if other != own]
        length = next((n for n in range(1, len(own)) if all(other[-n:] != own[-n:] for other in others)), len(own))
        names.append("/".join(own[-length:]))
    if len(set(names)) > 1 and max(map(len, names)) > _LONG_NAME:
        names = _without_common(names)
    return [f"{name} ({names[:index].count(name) + 1})" if names.count(name) > 1 else name for index, name in enumerate(names)]


def _without_common(names: Sequence[str]) -> list[str]:
    """Names without what all begin and end with, in whole words."""
    words = [re.findall(r"[^\W_]+|[\W_]+", name) for name in names]
    begin = next((index for index, same in enumerate(zip(*words, strict=False)) if len(set(same)) > 1), 0)
    backward = [list(reversed(own[begin:])) for own in words]
    end = next((index for index, same in enumerate(zip(*backward, strict=False)) if len(set(same)) > 1), 0)
    short = ["".join(own[begin:len(own) - end]) for own in words]
    return short if all(short) and len(set(short)) == len(set(names)) else list(names)
