"""Functions that change nothing and so need no hardware."""

from __future__ import annotations

import numpy as np

from hw_flow.frontend.activation import Solution
from hw_flow.frontend.spans import Range

# Widest range that is tried integer by integer, and elements tried at a time.
_WIDEST = 1 << 16
_AT_A_TIME = 1 << 20


def unchanged(found: Solution, span: Range, dtype: str) -> bool:
    """Whether ``found`` gives every integer within ``span``, of type ``dtype``, back in the same type.

    Parameters
    ----------
    span : smallest and largest integer, int64 ``[C]`` or ``[1]``; each is tried, so ranges beyond 65,536 are not looked at.
    """
    low, high = span
    if found.dtype != dtype or int(high.max() - low.min()) > _WIDEST:
        return False
    if low.size == 1:
        low, high = (np.broadcast_to(ends, found.rows) for ends in span)
    size = max(1, _AT_A_TIME // low.size)
    for begin in range(int(low.min()), int(high.max()) + 1, size):
        x = np.clip(np.arange(begin, begin + size)[:, None], low, high)
        if (found.function(x) != x).any():
            return False
    return True
