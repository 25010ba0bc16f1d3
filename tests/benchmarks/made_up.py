"""Made-up results with figures that follow by hand."""

from __future__ import annotations

from typing import Any

from benchmarks.build_speed import OURS
from benchmarks.measures import Point
from benchmarks.runs import REFERENCE, Result, Run

CHECKED = {"violation": 1e-9, "fraction": 0.0}
PHASES = {"load": 0.0, "build": 0.5, "relax": 4.0, "search": 10.0, "extract": 0.2, "audit": 0.3, "total": 15.0}
MACHINE = {"cpu": "Test CPU", "cores": 2, "memory_gib": 8.0, "system": "Linux x86_64"}


def result(instance: str, peer: str, trajectory: list[Point], **more: Any) -> Result:
    """A result that ended by itself and was checked, of 100 s unless told otherwise."""
    run = Run(
        instance,
        peer,
        more.pop("budget", 100.0),
        more.pop("gap", 1e-3),
        more.pop("seed", 0),
        more.pop("threads", 2),
        more.pop("without", ()),
    )
    last = trajectory[-1] if trajectory else (0.0, None, None)
    fields = {
        "outcome": "done", "npv": last[1], "bound": last[2], "solution": CHECKED, "peak_mib": 512.0, "seconds": last[0],
        "sizes": {"sites": 32, "rows": 100, "columns": 200, "integers": 50, "nonzeros": 160_000}, "trajectory": trajectory,
        "phases": PHASES if peer == "wattplan" else {}, "versions": {"python": "3.11.7", "highspy": "1.15.1"}, "machine": MACHINE,
        "code": {"commit": "0123456789abcdef", "dirty": False}, "when": "2026-01-02T03:04:05Z",
    }  # fmt: skip
    return Result(run, **(fields | more))


def reference() -> list[Result]:
    """The reference: times to 1 % are 8, 10 and 20 s, to 0.3 % 30, 40 and 50 s, to 0.1 % not reached; HiGHS alone reaches 1 % only at 80 s.

    The best plan is 1000, the best bound 1002 (of SCIP).
    """

    def ours(first: float, second: float) -> list[Point]:
        return [(2.0, 500.0, None), (5.0, 500.0, 1010.0), (first, 1000.0, 1005.0), (second, 1000.0, 1003.0)]

    results = [
        result(REFERENCE, "wattplan", ours(first, second), seed=seed)
        for seed, (first, second) in enumerate([(8.0, 30.0), (10.0, 40.0), (20.0, 50.0)])
    ]
    results.append(result(REFERENCE, "highs", [(4.0, None, 1100.0), (40.0, 800.0, 1100.0), (80.0, 995.0, 1004.0)], peak_mib=1024.0))
    results.append(result(REFERENCE, "highs_start", [(3.0, 500.0, None), (50.0, 980.0, 1004.0)]))
    results.append(result(REFERENCE, "scip", [(90.0, 500.0, 1002.0)], threads=1))
    results.append(result(REFERENCE, "spreadsheet", [(1.0, 250.0, None)], threads=1))
    return results


def generated() -> list[Result]:
    """Ten instances: Wattplan at 1 % after 10 s on five and 40 s on five (mean 20 s); HiGHS after 80 s on one, else never in 100 s."""
    results = []
    for seed in range(1, 11):
        at = 10.0 if seed <= 5 else 40.0
        results.append(result(f"gen-32-{seed}", "wattplan", [(at, 100.0, 100.5)], peak_mib=1024.0))
        late: list[Point] = [(80.0, 100.0, 100.9)] if seed == 1 else [(80.0, 50.0, 101.0)]
        results.append(result(f"gen-32-{seed}", "highs", late))
    return results


def growth(late: bool = False) -> list[Result]:
    """128 and 512 sites: 16 and 64 times the 10 s of 32 sites, n^1 to 128 and all; or 512 sites not reached."""
    last: list[Point] = [(600.0, 100.0, 120.0 if late else 100.5)]
    return [
        result("gen-128-1", "wattplan", [(40.0, 100.0, 100.5)], budget=1000.0, peak_mib=2048.0),
        result("gen-512-1", "wattplan", [(160.0, 100.0, 100.5)] if not late else last, budget=3000.0, peak_mib=5 * 1024.0),
    ]


def ablations() -> list[Result]:
    """Without "a" 1 % takes 40 and 160 s on two instances on which the whole takes 10 s each (8 times); without "b" it is never reached."""
    results = []
    for instance, at in (("gen-32-1", 40.0), ("gen-32-2", 160.0)):
        results.append(result(instance, "wattplan", [(10.0, 100.0, 100.5)], budget=180.0))
        results.append(result(instance, "wattplan", [(at, 100.0, 100.8)], budget=180.0, without=("a",)))
        results.append(result(instance, "wattplan", [(9.0, 50.0, 100.8)], budget=180.0, without=("b",)))
    return results


def builds() -> list[Result]:
    """Three repeats: 1, 2 and 3 s of build, then 1 s in all; the other way always 4 and 8 s."""
    return [
        result(
            REFERENCE, "build", [], budget=60.0, seed=repeat, threads=1,
            phases={
                OURS: {"build": repeat + 1.0, "compile": 0.75, "hand over": 0.25, "total": repeat + 2.0},
                "other": {"build": 4.0, "hand over": 8.0, "total": 12.0},
            },
        )
        for repeat in range(3)
    ]  # fmt: skip


def change(
    kind: str, seconds: float, gap: float | None, anew: float, anew_gap: float | None, note: str = "", anew_note: str = ""
) -> dict[str, Any]:
    """A change answered and planned anew."""
    return {
        "type": kind, "sentence": kind, "seconds": seconds, "gap": gap, "note": note,
        "anew_seconds": anew, "anew_gap": anew_gap, "anew_note": anew_note,
    }  # fmt: skip


def whatifs() -> list[Result]:
    """Answers after 1, 1, 2, 4 s and none; anew after 20, never (60 s given), 20, 20, 20: 20, ≥ 60, 10, 5 and 0 times."""
    changes = [
        change("a", 1.0, 0.009, 20.0, 0.01), change("a", 1.0, 0.01, 60.0, 0.02), change("b", 2.0, 0.005, 20.0, 0.01),
        change("b", 4.0, 0.0, 20.0, 0.01), change("c", 60.0, 0.02, 20.0, 0.01),
        change("c", 3.0, None, 9.0, None, "infeasible", "infeasible"),
    ]  # fmt: skip
    phases = {"plan": 30.0, "warm": 4.0, "plan_gap": 0.008, "changes": changes}
    return [result(REFERENCE, "whatif", [(30.0, 100.0, 100.8)], gap=0.01, budget=60.0, phases=phases)]


def everything() -> list[Result]:
    """All of it."""
    return [*reference(), *generated(), *growth(), *builds(), *whatifs()]
