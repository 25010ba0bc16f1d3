"""A thin client of the service: each method is one request; nothing is decided here.

with Client("http://127.0.0.1:8000", key="wp_...") as wattplan:
    answer = wattplan.ask(line="reference", changes=[{"type": "site.energization_delay", ...}], wait=20)
    answer["solution"]["difference_usd"]
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
import pandas as pd

PREFIX = "/api/v1"
POLL = 20.0
"""Seconds that one request waits for the end of a run."""
LOOK = 1.0
"""Seconds between two looks at a study."""
EXPORT = 300.0
"""Seconds that a file may take to be made, beyond the timeout of other requests."""
FINAL = ("succeeded", "failed", "cancelled")
OPERATIONS: dict[str, tuple[str, str]] = {
    "datasets": ("GET", "/datasets"),
    "dataset": ("GET", "/datasets/{dataset}"),
    "dataset_table": ("GET", "/datasets/{dataset}/tables/{table}"),
    "dataset_diff": ("GET", "/datasets/{dataset}/diff/{other}"),
    "add_dataset": ("POST", "/datasets"),
    "lines": ("GET", "/lines"),
    "line": ("GET", "/lines/{line}"),
    "add_line": ("POST", "/lines"),
    "update_line": ("PATCH", "/lines/{line}"),
    "scenarios": ("GET", "/scenarios"),
    "scenario": ("GET", "/scenarios/{scenario}"),
    "add_scenario": ("POST", "/scenarios"),
    "revise_scenario": ("POST", "/scenarios/{scenario}/revisions"),
    "preview": ("POST", "/changes/preview"),
    "change_types": ("GET", "/change-types"),
    "runs": ("GET", "/runs"),
    "run": ("GET", "/runs/{run}"),
    "ask": ("POST", "/runs"),
    "stop": ("POST", "/runs/{run}/stop"),
    "kill": ("POST", "/runs/{run}/kill"),
    "plan": ("GET", "/runs/{run}/plan"),
    "plan_table": ("GET", "/runs/{run}/plan/{table}"),
    "export": ("GET", "/runs/{run}/export"),
    "events": ("GET", "/runs/{run}/events"),
    "diff": ("GET", "/diffs/{before}/{after}"),
    "begin_study": ("POST", "/studies"),
    "study": ("GET", "/studies/{study}"),
    "studies": ("GET", "/studies"),
    "stop_study": ("POST", "/studies/{study}/stop"),
    "findings": ("GET", "/studies/{study}/findings"),
    "study_report": ("GET", "/studies/{study}/report"),
    "study_table": ("GET", "/studies/{study}/table"),
    "explain": ("POST", "/explanations"),
    "explanation": ("GET", "/explanations/{explanation}"),
    "explanations": ("GET", "/explanations"),
}
"""Method and path of each method of the client; a test compares them with the OpenAPI document."""


class ServiceError(Exception):
    """The service refused a request.

    Attributes:
        status: HTTP status.
        problem: its problem document; empty if it sent none.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], text: str = "") -> None:
        self.status, self.problem = status, dict(problem)
        faults = [f"{fault['pointer'] or fault.get('parameter') or '/'}: {fault['message']}" for fault in self.problem.get("errors", ())]
        said = self.problem.get("detail") or text[:200] or "no reason given"
        super().__init__("\n".join([f"{status} {self.problem.get('code', '')}: {said}".replace(" :", ":"), *faults[:20]]))


class Client:
    """A service to ask.

    Args:
        url: where it is, such as ``http://127.0.0.1:8000``.
        key: API key; none for a service without keys.
        timeout: seconds to wait for an answer beyond what a request asks for itself.
        transport: of httpx, for tests.
    """

    def __init__(self, url: str, key: str | None = None, timeout: float = 30.0, transport: httpx.BaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.timeout = timeout
        self._http = httpx.Client(base_url=url.rstrip("/") + PREFIX, headers=headers, timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    # datasets and lines ------------------------------------------------------------------------

    def datasets(self) -> Iterator[dict[str, Any]]:
        """All datasets, newest first."""
        return self._pages("datasets")

    def dataset(self, dataset: str) -> dict[str, Any]:
        """A dataset by its hash."""
        return self._json("dataset", dataset=dataset)

    def dataset_table(self, dataset: str, table: str) -> pd.DataFrame:
        """A table of a dataset."""
        found = self._json("dataset_table", dataset=dataset, table=table)
        return pd.DataFrame(found["rows"], columns=found["columns"])

    def dataset_diff(self, dataset: str, other: str) -> dict[str, Any]:
        """Rows in which another dataset differs."""
        return self._json("dataset_diff", dataset=dataset, other=other)

    def add_dataset(self, content: Mapping[str, Any] | bytes, content_type: str = "application/json") -> dict[str, Any]:
        """Send a dataset: plain values (``Dataset.to_plain()``), or the bytes of a workbook or zip file."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self._json("add_dataset", content=data, headers={"Content-Type": content_type})

    def lines(self) -> Iterator[dict[str, Any]]:
        """All plan lines, newest first."""
        return self._pages("lines")

    def line(self, line: str) -> dict[str, Any]:
        """A plan line by its id or name."""
        return self._json("line", line=line)

    def add_line(self, name: str, dataset: str, baseline: str | None = None) -> dict[str, Any]:
        """A new plan line."""
        return self._json("add_line", body={"name": name, "dataset": dataset, "baseline": baseline})

    def update_line(self, line: str, version: int, **changes: Any) -> dict[str, Any]:
        """Give a plan line another ``name`` or ``baseline``; ``version`` is the one that is known."""
        return self._json("update_line", line=line, body=changes, headers={"If-Match": f'"{version}"'})

    def scenarios(self) -> Iterator[dict[str, Any]]:
        """All scenarios, newest first."""
        return self._pages("scenarios")

    def scenario(self, scenario: str) -> dict[str, Any]:
        """A scenario with its current changes."""
        return self._json("scenario", scenario=scenario)

    def add_scenario(
        self, name: str, changes: Sequence[Mapping[str, Any]], *, line: str | None = None, parent: str | None = None
    ) -> dict[str, Any]:
        """A new scenario of a plan line, or of another scenario."""
        return self._json("add_scenario", body={"name": name, "line": line, "parent": parent, "changes": list(changes)})

    def revise_scenario(self, scenario: str, version: int, changes: Sequence[Mapping[str, Any]], note: str = "") -> dict[str, Any]:
        """Give a scenario other changes."""
        body = {"changes": list(changes), "note": note}
        return self._json("revise_scenario", scenario=scenario, body=body, headers={"If-Match": f'"{version}"'})

    def preview(self, changes: Sequence[Mapping[str, Any]], **base: str) -> dict[str, Any]:
        """What changes would do to a ``line``, ``parent`` (scenario) or ``dataset``; nothing is saved."""
        return self._json("preview", body={"changes": list(changes), **base})

    def change_types(self) -> list[dict[str, Any]]:
        """Every type of change with schema, form hint, example and sentence."""
        found = self._request("change_types").json()
        assert isinstance(found, list)
        return found

    # runs --------------------------------------------------------------------------------------

    def runs(self, **filters: str) -> Iterator[dict[str, Any]]:
        """Runs, newest first; ``state``, ``line``, ``scenario`` and ``mode`` choose among them."""
        return self._pages("runs", params=filters)

    def run(self, run: str, wait: float = 0.0) -> dict[str, Any]:
        """A run; with ``wait``, as soon as it has ended, but after at most so many seconds."""
        return self._json("run", run=run, wait=wait)

    def ask(self, *, wait: float = 0.0, idempotency_key: str | None = None, **question: Any) -> dict[str, Any]:
        """Ask what changes do; with ``wait`` the answer itself, if it is there within so many seconds.

        Args:
            question: ``mode``, ``line`` or ``scenario`` or ``baseline`` or ``dataset``, ``changes``, ``gap``, ``time_limit``, ``seed``.
        """
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return self._json("ask", body=question, headers=headers, wait=wait)

    def wait(self, run: str, timeout: float = float("inf")) -> dict[str, Any]:
        """A run once it has ended.

        Raises:
            TimeoutError: it has not within so many seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            found = self.run(run, max(0.0, min(POLL, left)))
            if found["state"] in FINAL:
                return found
            if left <= 0:
                raise TimeoutError(f"run {run} is still {found['state']} after {timeout:g} s")

    def stop(self, run: str) -> dict[str, Any]:
        """End a run with its best plan."""
        return self._json("stop", run=run)

    def kill(self, run: str) -> dict[str, Any]:
        """End a run at once, without an answer."""
        return self._json("kill", run=run)

    def plan(self, run: str) -> dict[str, Any]:
        """The plan of a run: summary and tables."""
        return self._json("plan", run=run)

    def plan_table(self, run: str, table: str) -> pd.DataFrame:
        """A table of the plan of a run."""
        return pd.DataFrame(self._request("plan_table", run=run, table=table, headers={"Accept": "application/json"}).json())

    def export(self, run: str, format: str, baseline: str | None = None) -> bytes:
        """The plan of a run as a file.

        Args:
            format: ``json``, ``zip``, ``xlsx`` or ``html``.
            baseline: id of a run to compare with; the run's own baseline, if not given.
        """
        params = {"format": format} if baseline is None else {"format": format, "baseline": baseline}
        return self._request("export", run=run, params=params, patience=EXPORT).content

    def events(self, run: str, after: int = 0) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Number, kind and content of a run's events after one, as they come, to its end; goes on after a lost connection."""
        while True:
            headers = {"Last-Event-ID": str(after)} if after else {}
            try:
                for number, kind, payload in self._events(run, headers):
                    after = number
                    yield number, kind, payload
                    if kind == "end":
                        return
            except httpx.TransportError:
                time.sleep(1.0)

    def diff(self, before: str, after: str) -> dict[str, Any]:
        """What one plan has that another had not: NPV term by term, and rows of the dataset."""
        return self._json("diff", before=before, after=after)

    # studies -----------------------------------------------------------------------------------

    def begin_study(self, name: str, scenarios: Mapping[str, Any], *, idempotency_key: str | None = None, **more: Any) -> dict[str, Any]:
        """Begin a study: many what-ifs of one plan.

        Args:
            scenarios: ``list``, ``grid``, ``sample`` and ``frontier``, as in a study file (docs/studies.md).
            more: ``line`` or ``baseline``, ``mode``, ``gap``, ``time_limit``, ``seed``, ``with_base``.
        """
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return self._json("begin_study", body={"name": name, "scenarios": scenarios, **more}, headers=headers)

    def study(self, study: str) -> dict[str, Any]:
        """A study and how far it is."""
        return self._json("study", study=study)

    def studies(self, **filters: str) -> Iterator[dict[str, Any]]:
        """Studies, newest first; ``line`` chooses among them."""
        return self._pages("studies", params=filters)

    def stop_study(self, study: str) -> dict[str, Any]:
        """Make no more runs of a study, and end those under way."""
        return self._json("stop_study", study=study)

    def wait_study(self, study: str, timeout: float = float("inf")) -> dict[str, Any]:
        """A study once all of its runs have ended.

        Raises:
            TimeoutError: they have not within so many seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            found = self.study(study)
            if found["state"] in ("done", "stopped"):
                return found
            if time.monotonic() >= deadline:
                raise TimeoutError(f"study {study} is still {found['state']} after {timeout:g} s")
            time.sleep(LOOK)

    def findings(self, study: str) -> dict[str, Any]:
        """What the runs that have ended say together."""
        return self._json("findings", study=study)

    def study_report(self, study: str) -> bytes:
        """The same as an HTML file."""
        return self._request("study_report", study=study, patience=EXPORT).content

    def study_table(self, study: str) -> pd.DataFrame:
        """One row for each run that has ended."""
        return pd.DataFrame(self._request("study_table", study=study, headers={"Accept": "application/json"}).json())

    # explanations ------------------------------------------------------------------------------

    def explain(self, kind: str, *, wait: float = 0.0, idempotency_key: str | None = None, **question: Any) -> dict[str, Any]:
        """Ask about a plan; with ``wait`` the answer itself, if it is there within so many seconds.

        Args:
            kind: ``prices``, ``why``, ``why_not`` or ``conflict``.
            question: ``run`` or ``line``, and what the kind asks: ``placement``, ``gpus`` ..., ``confirm``, ``changes``; ``time_limit``.
        """
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return self._json("explain", body={"kind": kind, **question}, headers=headers, wait=wait)

    def explanation(self, explanation: str, wait: float = 0.0) -> dict[str, Any]:
        """An explanation; with ``wait``, as soon as it has ended, but after at most so many seconds."""
        return self._json("explanation", explanation=explanation, wait=wait)

    def explanations(self, **filters: str) -> Iterator[dict[str, Any]]:
        """Explanations, newest first, without their answers; ``run``, ``line``, ``kind`` and ``state`` choose among them."""
        return self._pages("explanations", params=filters)

    # requests ----------------------------------------------------------------------------------

    def _events(self, run: str, headers: Mapping[str, str]) -> Iterator[tuple[int, str, dict[str, Any]]]:
        method, path = OPERATIONS["events"]
        timeout = httpx.Timeout(self.timeout, read=60.0)
        with self._http.stream(method, path.format(run=run), headers=dict(headers), timeout=timeout) as response:
            if response.status_code != 200:
                response.read()
                raise _error(response)
            fields: dict[str, str] = {}
            for line in response.iter_lines():
                if line and not line.startswith(":"):
                    name, _, value = line.partition(":")
                    fields[name] = value.removeprefix(" ")
                elif not line and "data" in fields:
                    yield int(fields["id"]), fields["event"], json.loads(fields["data"])
                    fields = {}

    def _pages(self, operation: str, params: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        asked = dict(params or {})
        while True:
            page = self._request(operation, params=asked).json()
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            asked["cursor"] = page["next_cursor"]

    def _json(self, operation: str, **more: Any) -> dict[str, Any]:
        found = self._request(operation, **more).json()
        assert isinstance(found, dict)
        return found

    def _request(
        self, operation: str, *, body: Mapping[str, Any] | None = None, content: bytes | None = None,
        headers: Mapping[str, str] | None = None, params: Mapping[str, str] | None = None, wait: float = 0.0,
        patience: float = 0.0, **path: str,
    ) -> httpx.Response:  # fmt: skip
        method, template = OPERATIONS[operation]
        sent = dict(headers or {})
        if wait:
            sent["Prefer"] = f"wait={max(1, round(wait))}"
        given = None if body is None else {name: value for name, value in body.items() if value is not None}
        response = self._http.request(
            method, template.format(**path), json=given, content=content, headers=sent, params=dict(params or {}),
            timeout=self.timeout + wait + patience,
        )  # fmt: skip
        if response.status_code >= 400:
            raise _error(response)
        return response


def _error(response: httpx.Response) -> ServiceError:
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    return ServiceError(response.status_code, problem if isinstance(problem, dict) else {}, response.text)
