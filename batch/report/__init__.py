"""A plan as one HTML file that needs nothing beside it: pictures, tables, proofs."""

from batch.report.page import write_report

__all__ = ["write_report"]
