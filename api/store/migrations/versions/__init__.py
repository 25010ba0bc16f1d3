"""Steps, in the order that each names with ``down_revision``."""
