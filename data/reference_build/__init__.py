"""Builds the reference dataset from the fact files and the assumptions; one module per concept."""
