"""Deletes what nothing needs any more: old runs, derived datasets, content without owner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, or_, select, text, update
from sqlalchemy.orm import Session

from api.store.store import Store
from api.store.tables import Dataset, Line, Run, RunEvent, Study

YOUNG = 3600.0
"""Seconds for which content without owner stays: its row may be about to be written."""
_MOST = 500
"""Ids in one statement."""


@dataclass(frozen=True)
class Collected:
    """What was deleted, or would be.

    Attributes:
        runs, events, datasets: rows; of datasets only derived ones.
        studies: rows; those of which no run is left.
        answers: of requests with an idempotency key.
        blobs: files.
        bytes: of these files.
    """

    runs: int
    events: int
    datasets: int
    studies: int
    answers: int
    blobs: int
    bytes: int


def collect(store: Store, keep_days: float, dry_run: bool = False) -> Collected:
    """Delete runs that ended before the days to keep, and what only they needed.

    A run stays while it is the baseline of a plan line or of a run that stays. Datasets that somebody gave stay.

    Args:
        keep_days: days since a run ended.
        dry_run: only count; nothing is changed.

    Raises:
        ValueError: a negative number of days.
        BlobError: a file can't be deleted; rows are gone by then, and the next call deletes the file.
    """
    if not keep_days >= 0:
        raise ValueError(f"keep_days: must be at least 0 (found {keep_days})")
    before = store.database.now() - timedelta(days=keep_days)
    transaction = store.database.reading() if dry_run else store.database.writing()
    with transaction as session:
        if not dry_run and session.get_bind().dialect.name == "postgresql":
            # Nobody may make a run a baseline between the look and the deletion; reading goes on. SQLite has one writer anyway.
            session.execute(text("LOCK TABLE runs IN EXCLUSIVE MODE"))
        runs = _old_runs(session, before)
        datasets = _unused_datasets(session, before, set(runs))
        studies = _empty_studies(session, before, set(runs))
        owned = _owned(session, set(runs), set(datasets))
        events = sum(
            session.scalar(select(func.count()).select_from(RunEvent).where(RunEvent.run_id.in_(some))) or 0 for some in _chunks(runs)
        )
        if not dry_run:
            _delete(session, runs, datasets, studies)
    answers = store.idempotency.expire(dry_run=dry_run)
    without = [blob for blob in store.blobs.all() if blob.sha not in owned and blob.age >= YOUNG]
    if not dry_run:
        without = [blob for blob in without if store.blobs.delete(blob.sha, unless_younger=YOUNG)]
        store.blobs.delete_temporary(unless_younger=YOUNG)
    return Collected(len(runs), events, len(datasets), len(studies), answers, len(without), sum(blob.size_bytes for blob in without))


def _old_runs(session: Session, before: datetime) -> list[str]:
    """Runs that ended before a time and that nothing needs."""
    found = session.execute(select(Run.id, Run.baseline_run_id, Run.finished_at)).all()
    baseline = {id: base for id, base, _ in found}
    needed = {id for id, _, finished in found if finished is None or finished >= before}
    needed |= {id for id in session.scalars(select(Line.run_id)) if id is not None}
    growing = select(Study.baseline_run_id).where(Study.stop_asked_at.is_(None), Study.made < Study.planned)
    needed |= {id for id in session.scalars(growing) if id is not None}
    for id in list(needed):  # with each its baseline, the baseline of that, and so on
        base = baseline.get(id)
        while base is not None and base not in needed:
            needed.add(base)
            base = baseline[base]
    return [id for id in baseline if id not in needed]


def _empty_studies(session: Session, before: datetime, without_runs: set[str]) -> list[str]:
    """Studies begun before a time, that make no more runs and of which none stays."""
    left = {study for id, study in session.execute(select(Run.id, Run.study_id)) if study is not None and id not in without_runs}
    over = or_(Study.stop_asked_at.is_not(None), Study.made >= Study.planned)
    return [id for id in session.scalars(select(Study.id).where(Study.created_at < before, over)) if id not in left]


def _unused_datasets(session: Session, before: datetime, without_runs: set[str]) -> list[str]:
    """Derived datasets that no line and no run that stays names."""
    used = set(session.scalars(select(Line.dataset_id))) | set(session.scalars(select(Study.base_dataset_id)))
    for id, base, dataset in session.execute(select(Run.id, Run.base_dataset_id, Run.dataset_id)):
        if id not in without_runs:
            used |= {base} if dataset is None else {base, dataset}
    derived = session.scalars(select(Dataset.id).where(Dataset.derived, Dataset.created_at < before))
    return [id for id in derived if id not in used]


def _owned(session: Session, without_runs: set[str], without_datasets: set[str]) -> set[str]:
    """Blobs that the rows which stay name."""
    owned = {blob for id, blob in session.execute(select(Dataset.id, Dataset.blob)) if id not in without_datasets}
    for id, *blobs in session.execute(select(Run.id, Run.plan_blob, Run.answer_blob)):
        if id not in without_runs:
            owned |= {blob for blob in blobs if blob is not None}
    return owned


def _delete(session: Session, runs: Sequence[str], datasets: Sequence[str], studies: Sequence[str]) -> None:
    for some in _chunks(studies):
        session.execute(delete(Study).where(Study.id.in_(some)), execution_options=_PLAIN)
    for some in _chunks(runs):  # first what ties them to each other, so that their order does not matter
        session.execute(update(Run).where(Run.id.in_(some)).values(baseline_run_id=None), execution_options=_PLAIN)
        session.execute(update(Study).where(Study.baseline_run_id.in_(some)).values(baseline_run_id=None), execution_options=_PLAIN)
    for some in _chunks(runs):  # their events go with them
        session.execute(delete(Run).where(Run.id.in_(some)), execution_options=_PLAIN)
    for some in _chunks(datasets):
        session.execute(delete(Dataset).where(Dataset.id.in_(some)), execution_options=_PLAIN)


_PLAIN = {"synchronize_session": False}


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _MOST] for start in range(0, len(ids), _MOST))
