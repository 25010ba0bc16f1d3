"""The same idempotency key gives the same answer, and the work is done once."""

from __future__ import annotations

from typing import Any

import pytest

from api.store import IdempotencyState, Store
from tests.api.store.support import Clock, at_once

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
    clock.forward(minutes=9)
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
