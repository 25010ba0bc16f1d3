"""The searches that are compared, each on the same dataset and, but for the spreadsheet rule, on the same matrix.

The clock of all starts with the dataset in memory, so that each pays for building the model.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import highspy
import numpy as np
import pyscipopt
from pyscipopt.scip import PY_SCIP_EVENTTYPE

from benchmarks.build_speed import WAYS, measure
from benchmarks.one_run import Found, Recorder
from benchmarks.runs import Run
from benchmarks.whatif_runs import by_whatif
from models.dataset import Dataset
from models.plan import Plan
from optimizer.blocks.base import MILLION
from optimizer.decisions import decisions_from_plan, start_vector
from optimizer.formulation import formulate
from optimizer.highs import EXACT, Control, Outcome, Program, SolverError, to_highs
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix, compile_matrix, sizes
from optimizer.planner import InfeasibleError, NoPlanError, Progress, plan
from optimizer.spreadsheet import RuleFailedError, spreadsheet_plan

STARTED = ("installed", "in_service", "sign", "serve", "open", "built", "retrofit_ordered")
"""Families of whole numbers that :func:`optimizer.decisions.start_vector` fills; all others follow from them."""
SCIP_INFINITY = 1e20


def search(run: Run, dataset: Dataset, recorder: Recorder) -> Found:
    """Run a peer on a dataset.

    Raises:
        SolverError: the solver failed.
    """
    peers: dict[str, Callable[[Run, Dataset, Recorder], Found]] = {
        "wattplan": by_wattplan,
        "highs": by_highs,
        "highs_start": by_highs_start,
        "scip": by_scip,
        "spreadsheet": by_spreadsheet,
        "build": by_build,
        "whatif": by_whatif,
    }
    return peers[run.peer](run, dataset, recorder)


def by_wattplan(run: Run, dataset: Dataset, recorder: Recorder) -> Found:
    """This project's planner, the audit of the plan included."""

    def told(p: Progress) -> None:
        if p.npv_usd is not None or p.bound_usd is not None:
            recorder.at(p.npv_usd, p.bound_usd)

    try:
        found = _plan(run, dataset, told)
    except (NoPlanError, InfeasibleError) as error:
        recorder.sizes(_sizes(dataset, error.summary.sizes.model_dump()))
        recorder.at(None, error.summary.bound_usd, last=True)
        return Found(str(error))
    summary = found.summary
    recorder.sizes(_sizes(dataset, summary.sizes.model_dump()))
    recorder.at(summary.npv_usd, summary.bound_usd, last=True)
    audited = {"audited": True, "bound_certified_usd": summary.bound_certified_usd, "gap_certified": summary.gap_certified}
    return Found(str(summary.stop_reason.value), summary.seconds.model_dump(), audited)


def _plan(run: Run, dataset: Dataset, progress: Callable[[Progress], None], stop: threading.Event | None = None) -> Plan:
    options: dict[str, Any] = {"without": frozenset(run.without)} if run.without else {}
    return plan(dataset, gap=run.gap, time_limit=run.budget, threads=run.threads, seed=run.seed, progress=progress, stop=stop, **options)


def _sizes(dataset: Dataset, matrix: Any) -> dict[str, int]:
    return {"sites": len(dataset.table_rows("sites")), **matrix}


def _model(dataset: Dataset, recorder: Recorder) -> tuple[Instance, Matrix]:
    instance = Instance(dataset)
    matrix = compile_matrix(formulate(instance))
    recorder.sizes(_sizes(dataset, sizes(matrix)))
    return instance, matrix


def by_highs(run: Run, dataset: Dataset, recorder: Recorder) -> Found:
    """HiGHS on the whole model, with its own settings."""
    return _highs(run, _model(dataset, recorder)[1], recorder, None)


def by_highs_start(run: Run, dataset: Dataset, recorder: Recorder) -> Found:
    """HiGHS on the whole model, from the first plan that this project's search finds itself; its time counts."""
    stop = threading.Event()
    given: list[float] = []

    def told(p: Progress) -> None:
        if p.npv_usd is None:
            return
        recorder.at(p.npv_usd, None)
        if p.bound_usd is None:
            given.append(p.npv_usd)  # a plan to start from, before the search has anything
        elif p.npv_usd > max(given, default=-np.inf):
            stop.set()

    try:
        first = _plan(run, dataset, told, stop)
    except NoPlanError:
        first = None
    except InfeasibleError as error:
        return Found(str(error))
    began = time.monotonic()
    instance, matrix = _model(dataset, recorder)
    recorder.skip(time.monotonic() - began)  # built once already
    start = None if first is None else _whole(matrix, start_vector(instance, matrix, decisions_from_plan(instance, first.tables)))
    return _highs(run, matrix, recorder, start)


def _whole(matrix: Matrix, x: Floats) -> Floats | None:
    """The best solution with the whole numbers of ``x``; None if there is none."""
    columns = np.concatenate([np.arange(matrix.of(name).start, matrix.of(name).stop) for name in STARTED])
    values = np.round(x[columns])
    program = Program(matrix, feasibility=EXACT)
    program.bound(columns, values, values)
    found = program.solve(Control())
    return found.x if found.outcome is Outcome.OPTIMAL else None


def _highs(run: Run, matrix: Matrix, recorder: Recorder, start: Floats | None) -> Found:
    highspy.Highs.resetGlobalScheduler(True)
    h: Any = highspy.Highs()
    settings = {
        "output_flag": False, "threads": run.threads, "random_seed": run.seed, "mip_rel_gap": run.gap, "mip_abs_gap": 0.0,
        "time_limit": max(run.budget - recorder.seconds, 0.1),
    }  # fmt: skip
    for name, value in settings.items():
        if h.setOptionValue(name, value) != highspy.HighsStatus.kOk:
            raise SolverError(f"HiGHS refused the option {name} = {value!r}")
    if h.passModel(to_highs(matrix, integer=True)) == highspy.HighsStatus.kError:
        raise SolverError("HiGHS refused the model")
    npv = None
    if start is not None:
        given = highspy.HighsSolution()
        given.col_value = start.tolist()
        h.setSolution(given)
        npv = matrix.npv_usd(start)

    def told(event: Any) -> None:
        data = event.data_out
        values = (-data.mip_primal_bound * MILLION, -data.mip_dual_bound * MILLION)
        found, bound = (value if np.isfinite(value) else None for value in values)
        recorder.at(npv if found is None else found, bound)

    def improved(event: Any) -> None:
        bound = -event.data_out.mip_dual_bound * MILLION
        recorder.at(-event.data_out.objective_function_value * MILLION, bound if np.isfinite(bound) else None)

    h.cbMipInterrupt.subscribe(told)
    h.cbMipImprovingSolution.subscribe(improved)
    h.run()
    h.cbMipInterrupt.clear()
    h.cbMipImprovingSolution.clear()
    info = h.getInfo()
    x = np.array(h.getSolution().col_value) if info.primal_solution_status == 2 else None
    bound = -info.mip_dual_bound * MILLION
    recorder.at(None if x is None else matrix.npv_usd(x), bound if np.isfinite(bound) else None, last=True)
    checked = _checked(matrix, x) | ({} if run.peer == "highs" else {"started": start is not None})
    return Found(h.modelStatusToString(h.getModelStatus()).lower(), solution=checked)


def _checked(matrix: Matrix, x: Floats | None) -> dict[str, Any]:
    """How far a solution is from the rows, bounds and whole numbers."""
    if x is None:
        return {}
    whole = x[matrix.integer]
    return {"violation": matrix.violation(x), "fraction": float(np.abs(whole - np.round(whole)).max(initial=0.0))}


class _Watch(pyscipopt.Eventhdlr):
    """Tells each better solution and bound of SCIP.

    Args:
        recorder: takes them.
    """

    EVENTS = (PY_SCIP_EVENTTYPE.BESTSOLFOUND, PY_SCIP_EVENTTYPE.DUALBOUNDIMPROVED)

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def eventinit(self) -> None:
        """Ask for the events."""
        for kind in self.EVENTS:
            self.model.catchEvent(kind, self)

    def eventexit(self) -> None:
        """Ask for no more."""
        for kind in self.EVENTS:
            self.model.dropEvent(kind, self)

    def eventexec(self, event: Any) -> None:
        """Tell what is known now."""
        self.recorder.at(*_known(self.model))


def _known(scip: Any) -> tuple[float | None, float | None]:
    """NPV and bound, USD."""
    values = (scip.getPrimalbound(), scip.getDualbound())
    npv, bound = (None if abs(value) >= SCIP_INFINITY else -value * MILLION for value in values)
    return npv, bound


def by_scip(run: Run, dataset: Dataset, recorder: Recorder) -> Found:
    """SCIP on the whole model, on one thread (it has no more); its model is handed over row by row, which does not count."""
    _, matrix = _model(dataset, recorder)
    began = time.monotonic()
    scip, x = _to_scip(matrix)
    watch = _Watch(recorder)
    scip.includeEventhdlr(watch, "trajectory", "NPV and bound against time")
    recorder.skip(time.monotonic() - began)
    settings = {
        "limits/gap": run.gap, "limits/absgap": 0.0, "limits/time": max(run.budget - recorder.seconds, 0.1),
        "randomization/randomseedshift": run.seed,
    }  # fmt: skip
    scip.setParams(settings)
    scip.optimizeNogil()
    recorder.at(*_known(scip), last=True)
    best = scip.getBestSol() if scip.getNSols() else None
    return Found(str(scip.getStatus()), solution=_checked(matrix, None if best is None else np.array([best[v] for v in x])))


def _to_scip(matrix: Matrix) -> tuple[Any, list[Any]]:
    """The matrix as SCIP takes it, and its variables in order."""
    scip = pyscipopt.Model()
    scip.hideOutput()
    bounds = zip(matrix.lower.tolist(), matrix.upper.tolist(), matrix.integer.tolist(), matrix.cost.tolist(), strict=True)
    x = [scip.addVar(f"x{j}", "I" if whole else "C", low, high, cost) for j, (low, high, whole, cost) in enumerate(bounds)]
    scip.addObjoffset(matrix.offset)
    rows = matrix.a.tocsr()
    start, index, value = rows.indptr.tolist(), rows.indices.tolist(), rows.data.tolist()
    for i, (low, high) in enumerate(zip(matrix.row_lower.tolist(), matrix.row_upper.tolist(), strict=True)):
        left = pyscipopt.quicksum(value[k] * x[index[k]] for k in range(start[i], start[i + 1]))
        if low == high:
            scip.addCons(left == low)
            continue
        if np.isfinite(high):
            scip.addCons(left <= high)
        if np.isfinite(low):
            scip.addCons(left >= low)
    return scip, x


def by_spreadsheet(run: Run, dataset: Dataset, recorder: Recorder) -> Found:
    """The rule a planner would follow in a spreadsheet; it has no bound."""
    try:
        found = spreadsheet_plan(dataset)
    except RuleFailedError as error:
        return Found(str(error))
    recorder.at(found.summary.npv_usd, None, last=True)
    return Found("rule ended", solution={"audited": True})


def by_build(run: Run, dataset: Dataset, recorder: Recorder) -> Found:
    """Building the model and handing it to HiGHS, each way once; CPU seconds by way and step.

    Raises:
        SolverError: a way leaves HiGHS with another model.
    """
    matrix = compile_matrix(formulate(Instance(dataset)))
    recorder.sizes(_sizes(dataset, sizes(matrix)))
    phases = {}
    for way in WAYS:
        phases[way], held = measure(lambda: Instance(dataset), way)
        # An LP file holds the constant of the objective as a column.
        if held not in {(*matrix.shape, matrix.a.nnz), (matrix.shape[0], matrix.shape[1] + 1, matrix.a.nnz)}:
            raise SolverError(f"{way}: HiGHS holds rows, columns and nonzeros {held}; expected {(*matrix.shape, matrix.a.nnz)}")
    return Found("each way once", phases)
