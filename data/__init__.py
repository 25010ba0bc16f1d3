"""Datasets, the facts they rest on, and how the reference dataset is built."""
