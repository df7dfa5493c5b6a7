"""The tables of a comparison, as values: what `hw_flow.report.compare` makes and the outputs show."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from hw_flow.report.align import Evidence
from hw_flow.synth.parsers import Stage


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cell(_Strict):
    """One figure of a table.

    Attributes
    ----------
    source, target : who states it, and for what part or synthesis target (``""`` if it is not said).
    ratio : to the baseline's figure; None for the baseline itself, or where it has none.
    mixed : the ratio is between figures of different sources, stages or targets.
    percent : of what the device has; None without a device, or where units are not the device's.
    """

    value: int | float
    unit: str
    source: str
    target: str
    ratio: float | None = None
    mixed: bool = False
    percent: float | None = None


class Row(_Strict):
    """A metric at a stage; a cell for every subject."""

    metric: str
    stage: Stage
    cells: list[Cell | None]


class Column(_Strict):
    """What a column of a table of layers holds."""

    subject: int
    stage: Stage
    source: str
    target: str


class LayerRow(_Strict):
    """A layer (or all parts of a kind that are no layers); a cell for every column.

    Attributes
    ----------
    name : unique in the table.
    names : what each column's report calls it; None where it has no such layer.
    evidence : why each column's layer is in this row, see `hw_flow.report.align`; None for groups.
    """

    name: str
    cells: list[Cell | None]
    names: list[str | None]
    evidence: list[Evidence | None]

    def only(self, table: LayerTable) -> int | None:
        """The one subject of ``table`` that has this layer, if others have layers too; else None."""
        owners = {column.subject for column, name in zip(table.columns, self.names, strict=True) if name is not None}
        several = len({column.subject for column in table.columns}) > 1
        return next(iter(owners)) if several and len(owners) == 1 else None


class LayerTable(_Strict):
    """One metric, layer by layer. ``baseline`` is the column that ratios refer to."""

    metric: str
    columns: list[Column]
    baseline: int
    rows: list[LayerRow]


class SubjectInfo(_Strict):
    """What was compared."""

    name: str
    path: str
    kind: str
    notes: list[str]


class Comparison(_Strict):
    """All tables of a comparison."""

    schema_version: Literal["1.1"] = "1.1"
    subjects: list[SubjectInfo]
    baseline: int
    device: str | None
    totals: list[Row]
    layers: list[LayerTable]
    notes: list[str]
