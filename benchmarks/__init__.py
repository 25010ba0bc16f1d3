"""Instances and measurements; not part of what is installed."""
