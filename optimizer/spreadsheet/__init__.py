"""The rule that a planner would follow in a spreadsheet: the baseline that the optimizer must beat."""

from optimizer.spreadsheet.rule import RuleFailedError, greedy, spreadsheet_plan

__all__ = ["RuleFailedError", "greedy", "spreadsheet_plan"]
