"""Solves in Dask workers: what is asked, what runs in a worker, and the engine that looks after both."""

from batch.engine.engine import Engine
from batch.engine.job import Ended, EngineError, EngineMode, Failure, Fate, Job, OnEnd, OnEvent, Outcome

__all__ = ["Ended", "Engine", "EngineError", "EngineMode", "Failure", "Fate", "Job", "OnEnd", "OnEvent", "Outcome"]
