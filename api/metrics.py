"""Figures for a monitoring system, in Prometheus's text form."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
REQUESTS = Counter("wattplan_requests_total", "Requests answered", ["method", "route", "status"], registry=REGISTRY)
REQUEST_SECONDS = Histogram(
    "wattplan_request_seconds", "Time to answer a request, seconds", ["method", "route"], registry=REGISTRY,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60),
)  # fmt: skip
RUNS = Counter("wattplan_runs_total", "Runs ended", ["mode", "state", "stop_reason"], registry=REGISTRY)
RUN_SECONDS = Histogram(
    "wattplan_run_seconds", "Time of a run from its start to its end, seconds", ["mode"], registry=REGISTRY,
    buckets=(0.5, 1, 2, 4, 6, 10, 20, 40, 60, 120, 300, 600, 1800, 3600, 7200),
)  # fmt: skip
WAITING = Gauge("wattplan_runs_waiting", "Runs that wait for a solve slot", registry=REGISTRY)
SOLVING = Gauge("wattplan_runs_solving", "Runs being solved", registry=REGISTRY)
STREAMS = Gauge("wattplan_event_streams", "Open event streams", registry=REGISTRY)
CRASHES = Counter("wattplan_worker_crashes_total", "Solves whose process ended unexpectedly", registry=REGISTRY)
STORED = Counter("wattplan_answers_from_store_total", "Questions answered from the store", registry=REGISTRY)
