"""Forms of changes: what is shown and sent back is the change, what is wrong stands at its field, pointing fills in what it names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.datastructures import FormData

from api.page.change_form import Field, fields_of, kinds_at, pointed, read_form
from api.page.draft import Draft
from api.page.shown import Shown
from api.service import Base
from models.changes import CHANGES, read_changes
from models.dataset import Dataset
from tests.factories import small_dataset
from tests.models.changes.changes_kit import reference


def sent(fields: tuple[Field, ...]) -> Iterator[tuple[str, str]]:
    """What a browser sends of a form that nobody has touched."""
    for field in fields:
        for row in field.rows:
            yield from sent(row)
        if field.many:
            yield from ((field.name, value) for value in field.values)
        elif not field.rows and (field.widget != "checkbox" or field.value):
            yield field.name, field.value


@pytest.mark.parametrize("kind", CHANGES)
def test_a_form_gives_back_the_change_that_it_shows(kind: str) -> None:
    example = CHANGES[kind].example
    fields = fields_of(kind, reference(), example)
    found = read_form(kind, FormData(list(sent(fields))))
    assert read_changes([found]) == read_changes([example])
    assert all(field.value in field.choices for field in fields if field.widget in ("select", "choice") and field.value)


def test_shares_are_asked_in_per_cent_and_come_back_exactly() -> None:
    for share in (0.07, 0.29, 0.3, 0.575, 1 / 3, 1.0):
        fields = fields_of("site.derate", reference(), {"derate_share": share})
        field = next(field for field in fields if field.name == "f.derate_share")
        assert field.unit == "%"
        assert read_form("site.derate", FormData([(field.name, field.value)]))["derate_share"] == share


@pytest.mark.parametrize("text", ["1e999", "nan", "1,5", "a lot", "12 MW"])
def test_what_is_no_number_stays_as_it_was_written(text: str) -> None:
    assert read_form("site.derate", FormData([("f.it_mw", text), ("f.site_id", " a ")])) == {
        "type": "site.derate",
        "site_id": "a",
        "it_mw": text,
    }


def draft(changes: list[dict[str, Any]], parent: list[dict[str, Any]] | None = None) -> Draft:
    """A what-if of a small dataset, without a store behind it."""
    dataset = small_dataset()

    class Known:
        def dataset(self, sha: str) -> Dataset:
            return dataset

        def read(self, base: Base, asked: Any) -> Any:
            return read_changes(list(base.changes))

    service: Any = Known()
    return Draft(service, Shown(service, None, None, chosen=False), Base(dataset.sha256, changes=tuple(parent or [])), tuple(changes))


def test_every_fault_stands_at_its_change_and_field() -> None:
    found = draft(
        [{"type": "site.derate", "site_id": "aa", "derate_share": 0.5}, {"type": "site.derate", "site_id": "a", "derate_share": 2}]
    )
    assert found.applied is None
    assert found.lines[0].faults == ()  # what can't be read comes first
    assert found.faults_at(1) == {
        "derate_share": ["input should be less than or equal to 1 (found 2); allowed: a number from 0 to 1 (share)"]
    }
    found = found.having(found.changes[:1])
    assert found.faults_at(0) == {"site_id": ["unknown id (found aa); did you mean a?"]}
    assert found.lines[0].sentence.startswith("aa: IT power derated by 50 %")


def test_warnings_are_counted_from_the_first_change_of_the_list() -> None:
    cut = {"type": "site.derate", "site_id": "a", "derate_share": 0.5}
    found = draft([{"type": "market.price", "factor": 0.5}, cut], parent=[cut])
    nothing, again = found.lines
    assert nothing.warnings[0].startswith("alters nothing")
    assert again.warnings == ("touches what change 1 touches: site_limits a it_mw 2026-Q1 (and 3 more)",)
    assert found.inherited_sentences == ["a: IT power derated by 50 %"]


def test_a_change_is_taken_back_where_one_change_can() -> None:
    found = draft(
        [{"type": "contract.price", "contract_id": "c", "factor": 0.8}, {"type": "site.close", "site_id": "a", "from_period": "2026-Q3"}]
    )
    back = found.back(0)
    assert back is not None
    undone = found.having([found.changes[0], back])
    assert undone.applied is not None
    assert not undone.rows
    assert found.back(1) is None
    assert found.back(2) is None


def test_pointing_fills_in_what_it_names() -> None:
    at = {"site": "denton-tx", "period": "2026-Q3"}
    assert pointed("site.derate", reference(), at) == {"site_id": "denton-tx", "from_period": "2026-Q3"}
    zone = next(row.price_zone for row in reference().table_rows("sites") if row.site_id == "denton-tx")  # type: ignore[attr-defined]
    assert pointed("energy.price", reference(), at) == {"price_zone": zone, "from_period": "2026-Q3"}
    assert pointed("contract.price", reference(), at) == {"from_period": "2026-Q3"}
    kinds = kinds_at({"contract": "ibm"})
    assert "contract.delay" in kinds
    assert "site.derate" not in kinds
    assert kinds_at({}) == list(CHANGES)
