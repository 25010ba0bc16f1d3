"""What NPV is traded against: totals over the horizon, likeness to other plans.

targets    limits beside the objective, as rows of the model, and a check of them on a plan's tables
level      the highest level at which a plan is still worth enough, by halving
alternatives   plans within a loss that have as little as possible in common
nearest        the plan within a loss that has as much as possible in common with a published one
"""

from optimizer.tradeoffs.targets import in_common, missed, with_targets

__all__ = ["in_common", "missed", "with_targets"]
