"""Explanations of plans: what differs, what limits are worth, why a placement stands, why another does not, what conflicts.

Each answer is a frozen dataclass; :func:`as_json` gives its plain values. Formulas stand in docs/explanations.md.
"""

from optimizer.explain.answer import as_json

__all__ = ["as_json"]
