"""The rule that a planner would follow in a spreadsheet: the baseline that the optimizer must beat."""

from optimizer.spreadsheet.rule import RuleFailed, greedy, spreadsheet_plan

__all__ = ["RuleFailed", "greedy", "spreadsheet_plan"]
