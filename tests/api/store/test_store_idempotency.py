"""The same idempotency key gives the same answer, and the work is done once."""

from __future__ import annotations

from typing import Any

import pytest

from api.store import IdempotencyState, Store
from tests.api.store.support import Clock, NewRun, at_once

ASKED = ("0a", "key", "POST", "/api/v1/runs", "ab" * 32)


def test_answer_is_stored_and_given_again(store: Store) -> None:
    assert store.idempotency.begin(*ASKED).state is IdempotencyState.CLAIMED
    assert store.idempotency.begin(*ASKED).state is IdempotencyState.IN_PROGRESS
    assert store.idempotency.finish("0a", "key", 201, {"location": "/x"}, {"id": 1})
    known = store.idempotency.begin(*ASKED)
    assert (known.state, known.status, known.headers, known.response) == ("stored", 201, {"location": "/x"}, {"id": 1})


@pytest.mark.parametrize("response", [None, [], "", 0, {"b": 1, "a": None}])
def test_any_body_reads_back(store: Store, response: Any) -> None:
    store.idempotency.begin(*ASKED)
    store.idempotency.finish("0a", "key", 204, {}, response)
    assert store.idempotency.begin(*ASKED).response == response


@pytest.mark.parametrize(("part", "other"), [(2, "PUT"), (3, "/api/v1/lines"), (4, "cd" * 32)])
def test_key_of_another_request_is_a_mismatch(store: Store, part: int, other: str) -> None:
    store.idempotency.begin(*ASKED)
    asked = [*ASKED]
    asked[part] = other
    assert store.idempotency.begin(*asked).state is IdempotencyState.MISMATCH
    store.idempotency.finish("0a", "key", 200, {}, {})
    assert store.idempotency.begin(*asked).state is IdempotencyState.MISMATCH


def test_every_caller_has_keys_of_its_own(store: Store) -> None:
    store.idempotency.begin(*ASKED)
    assert store.idempotency.begin("0b", *ASKED[1:]).state is IdempotencyState.CLAIMED


def test_only_one_of_many_claims_a_request(store: Store) -> None:
    found = at_once(6, lambda _: store.idempotency.begin(*ASKED).state)
    assert sorted(found) == ["claimed", *["in_progress"] * 5]


def test_request_that_was_not_answered_may_come_again(store: Store) -> None:
    store.idempotency.begin(*ASKED)
    store.idempotency.forget("0a", "key")
    assert store.idempotency.begin(*ASKED).state is IdempotencyState.CLAIMED
    store.idempotency.finish("0a", "key", 200, {}, {})
    store.idempotency.forget("0a", "key")
    assert store.idempotency.begin(*ASKED).state is IdempotencyState.STORED, "an answer is not forgotten"


def test_first_answer_stays(store: Store) -> None:
    assert not store.idempotency.finish("0a", "key", 200, {}, {}), "nobody claimed it"
    store.idempotency.begin(*ASKED)
    assert store.idempotency.finish("0a", "key", 200, {}, {"n": 1})
    assert not store.idempotency.finish("0a", "key", 200, {}, {"n": 2})
    assert store.idempotency.begin(*ASKED).response == {"n": 1}


def test_claim_of_a_process_that_ended_is_given_up(store: Store, clock: Clock) -> None:
    store.idempotency.begin(*ASKED)
    clock.forward(minutes=1)
    assert store.idempotency.begin(*ASKED).state is IdempotencyState.IN_PROGRESS
    clock.forward(minutes=1)
    assert store.idempotency.begin(*ASKED).state is IdempotencyState.CLAIMED


def test_answer_is_kept_for_a_day(store: Store, clock: Clock) -> None:
    store.idempotency.begin(*ASKED)
    store.idempotency.finish("0a", "key", 200, {}, {})
    clock.forward(hours=23, minutes=59)
    assert (store.idempotency.begin(*ASKED).state, store.idempotency.expire()) == (IdempotencyState.STORED, 0)
    clock.forward(minutes=1)
    assert store.idempotency.expire(dry_run=True) == store.idempotency.expire() == 1
    assert store.idempotency.expire() == 0
    assert store.idempotency.begin(*ASKED).state is IdempotencyState.CLAIMED


def test_old_answer_does_not_wait_to_be_swept(store: Store, clock: Clock) -> None:
    store.idempotency.begin(*ASKED)
    store.idempotency.finish("0a", "key", 200, {}, {})
    clock.forward(hours=24)
    assert store.idempotency.begin(*ASKED[:4], "cd" * 32).state is IdempotencyState.CLAIMED


def test_claims_of_a_process_that_ended_are_given_up_by_the_next_one(store: Store) -> None:
    store.idempotency.begin(*ASKED)
    store.idempotency.begin("0a", "answered", *ASKED[2:])
    store.idempotency.finish("0a", "answered", 200, {}, {"n": 1})
    assert (store.idempotency.release(), store.idempotency.release()) == (1, 0)
    assert store.idempotency.begin(*ASKED[:4], "cd" * 32).state is IdempotencyState.MISMATCH, "the key stays that of its request"
    assert store.idempotency.begin(*ASKED).state is IdempotencyState.CLAIMED
    assert store.idempotency.begin(*ASKED).state is IdempotencyState.IN_PROGRESS
    assert store.idempotency.begin("0a", "answered", *ASKED[2:]).response == {"n": 1}


def test_only_one_of_many_takes_over_a_claim(store: Store) -> None:
    store.idempotency.begin(*ASKED)
    store.idempotency.release()
    found = at_once(6, lambda _: store.idempotency.begin(*ASKED).state)
    assert sorted(found) == ["claimed", *["in_progress"] * 5]


def test_request_that_comes_again_after_a_crash_finds_its_run(store: Store, new_run: NewRun) -> None:
    store.idempotency.begin(*ASKED)
    asked = {"created_by": "0a", "idempotency_key": "key", "request_sha": "ab" * 32}
    made = new_run(**asked)  # here the process ends: no answer is stored
    store.idempotency.release()
    assert store.idempotency.begin(*ASKED).state is IdempotencyState.CLAIMED
    found = store.runs.with_key("0a", "key")
    assert found is not None
    assert (found.id, found.request_sha) == (made.id, "ab" * 32)
    assert new_run(**asked).id == made.id, "whoever did not look before makes none either"
    assert len(store.runs.list().items) == 1


def test_only_one_of_many_requests_makes_a_run(store: Store, new_run: NewRun) -> None:
    made = at_once(6, lambda _: new_run(created_by="0a", idempotency_key="key").id)
    assert len(set(made)) == len(store.runs.list().items) == 1


def test_runs_of_other_callers_and_keys_are_others(store: Store, new_run: NewRun) -> None:
    asked = [{"created_by": "0a", "idempotency_key": "key"}, {"created_by": "0b", "idempotency_key": "key"}]
    asked += [{"created_by": "0a", "idempotency_key": "other"}, {"created_by": "0a"}, {"created_by": "0a"}]
    assert len({new_run(**one).id for one in asked}) == 5
    assert store.runs.with_key("0b", "other") is None


def test_key_of_a_run_is_free_again_after_a_day(store: Store, new_run: NewRun, clock: Clock) -> None:
    first = new_run(created_by="0a", idempotency_key="key")
    clock.forward(hours=23, minutes=59)
    assert new_run(created_by="0a", idempotency_key="key").id == first.id
    clock.forward(minutes=1)
    assert store.runs.with_key("0a", "key") is None
    second = new_run(created_by="0a", idempotency_key="key")
    assert second.id != first.id
    assert store.runs.get(first.id).idempotency_key is None
