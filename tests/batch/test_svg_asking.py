"""Bounds that close in and bridges, as pictures: what they show is what they were given."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from batch.svg import Term, bounds, bridge


def all_of(svg: str, tag: str) -> list[ET.Element]:
    """Elements of a picture; as in a page, no name space."""
    return list(ET.fromstring(svg).iter(tag))


def test_a_bound_holds_until_the_next_one() -> None:
    svg = bounds([(1.0, 0.0), (3.0, 80.0)], [(2.0, 100.0)], end=4.0, title="t", text=lambda value, step: f"{value:g}/{step:g}")
    lower, upper = (next(p.get("d") or "" for p in all_of(svg, "path") if p.get("class") == look) for look in ("lower", "upper"))
    place = re.fullmatch(r"M(\S+) (\S+?)H(\S+?)V(\S+?)H(\S+)", lower)
    assert place is not None
    begin, bottom, step, higher, end = map(float, place.groups())
    assert begin < step < end
    assert bottom > higher
    assert (step - begin) / (end - step) == 2 / 1
    assert upper.endswith(f"H{end:.1f}")
    words = [text.text or "" for text in all_of(svg, "text")]
    assert {"0/25", "100/25", "0 s", "4 s"} <= set(words)


def test_nothing_and_what_differs_by_rounding_alone_are_drawn() -> None:
    assert bounds([], [(1.0, 5.0)], end=2.0, title="t", text=lambda value, step: "") == ""
    assert len(all_of(bounds([(0.0, 6.98e6), (1.0, 6.98e6 + 1e-9)], [], end=0.0, title="t", text=lambda value, step: ""), "text")) < 20


def test_a_bridge_leads_from_one_sum_to_the_other() -> None:
    terms = [Term("<energy>", -30.0), Term("leases", 10.0, unsure=True)]
    svg = bridge(("A", 100.0), terms, ("B", 80.0), title="t", text=lambda value: f"{value:g}", signed=lambda value: f"{value:+g}")
    bars = [(float(r.get("x") or 0), float(r.get("width") or 0), r.get("class")) for r in all_of(svg, "rect")]
    (_, _, first), (x1, w1, down), (x2, w2, up), (x0, w0, second) = bars
    assert (first, down, up, second) == ("total", "down", "up unsure", "total")
    assert abs(w1 / w2 - 3) < 0.01
    assert abs(x1 - x2) < 0.2  # the second term begins where the first ended
    assert abs(x0 + w0 - (x2 + w2)) < 0.2  # and ends at the second sum
    assert [text.text for text in all_of(svg, "text")] == ["A", "100", "<energy>", "-30", "leases", "+10", "B", "80"]
