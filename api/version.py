"""Which version of the code runs."""

from __future__ import annotations

import importlib.metadata
import os

VERSION = os.environ.get("WATTPLAN_CODE_VERSION") or importlib.metadata.version("wattplan")
"""Stored with every run; a deployment may name its commit in ``WATTPLAN_CODE_VERSION``."""
