"""Studies: many what-ifs from one base plan on workers that stay warm, kept as they end, and what they say together."""

from batch.study.asked import Asked
from batch.study.carrying import StoppedError, carry_out

__all__ = ["Asked", "StoppedError", "carry_out"]
