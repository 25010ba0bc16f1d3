"""A plan as an Excel workbook for people: tables with units, what binds and what is late marked, charts, and what changed."""

from batch.export.workbook import workbook_bytes, write_workbook

__all__ = ["workbook_bytes", "write_workbook"]
