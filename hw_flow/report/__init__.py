"""Reports: schema, records of the verbs, terminal table, picture, and FINN's file names."""

from hw_flow.report.schema import SCHEMA_VERSION, Figure, Report, Resources, Verification

__all__ = ["SCHEMA_VERSION", "Figure", "Report", "Resources", "Verification"]
