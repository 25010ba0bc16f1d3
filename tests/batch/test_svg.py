"""Pictures without a library: well-formed, to scale, and harmless whatever the names."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from batch.svg import Bars, Line, Spot, bars, element, site_map
from batch.svg.bars import nice_step

NASTY = "\"><script>alert(1)</script>'&"
SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def test_texts_and_attributes_are_escaped() -> None:
    found = ElementTree.fromstring(element("a", text=NASTY, href=NASTY, class_="x", none=None))
    assert (found.text, found.attrib) == (NASTY, {"href": NASTY, "class": "x"})


def test_bars_are_as_high_as_their_values() -> None:
    """A scale up to 10: the bars of 5 and 10 differ by a factor of two, and stand on each other where they are stacked."""
    text = bars(["2026-Q1", "2026-Q2"], [Bars("used", "used", [5.0, 10.0]), Bars(NASTY, "short", [5.0, 0.0])], title=NASTY, unit="MW")
    rects = [r for r in parsed(text).iter(f"{SVG}rect") if r.get("class")]
    heights = [float(r.get("height", "")) for r in rects]
    assert [r.get("class") for r in rects] == ["used", "short", "used"]
    assert heights[2] == pytest.approx(2 * heights[0], abs=0.2)
    assert heights[1] == pytest.approx(heights[0], abs=0.2)
    assert float(rects[1].get("y", "")) == pytest.approx(float(rects[2].get("y", "")), abs=0.2)
    assert "<script" not in text


def test_a_line_has_gaps_where_there_is_no_limit() -> None:
    text = bars(
        ["2026", "2027", "2028"], [Bars("used", "used", [1.0] * 3)], [Line("limit", "limit", [2.0, math.inf, 2.0])], title="t", unit="MW"
    )
    (path,) = parsed(text).iter(f"{SVG}path")
    assert path.get("d", "").count("M") == 2
    assert "inf" not in text


def test_nothing_to_draw_is_drawn() -> None:
    assert parsed(bars(["2026"], [Bars("used", "used", [0.0])], title="t", unit="MW")).tag == f"{SVG}svg"
    assert site_map([], "no sites") is None


@pytest.mark.parametrize("most", [0.003, 1.0, 7.0, 99.0, 100.0, 101.0, 123_456.0])
def test_scales_have_few_steps(most: float) -> None:
    assert 2 <= most / nice_step(most) <= 5


def test_the_map_has_a_link_per_site_on_land() -> None:
    spots = [
        Spot("plano-tx", 33.0, -96.7, 10.0, 40.0, "of-grid", NASTY, "/sites/plano-tx?line=a&run=b"),
        Spot("london", 51.5, 0.0, 0.0, 10.0, "of-none", "London", "/sites/london"),
    ]
    text = site_map(spots, "Sites")
    assert text is not None
    picture = parsed(text)
    links = {a.get("href"): a for a in picture.iter(f"{SVG}a")}
    assert links.keys() == {"/sites/plano-tx?line=a&run=b", "/sites/london"}
    ring, disc = (float(c.get("r", "")) for c in links["/sites/plano-tx?line=a&run=b"].iter(f"{SVG}circle"))
    assert ring == pytest.approx(2 * disc, abs=0.1)  # a quarter of the power, half of the radius
    assert len(list(links["/sites/london"].iter(f"{SVG}circle"))) == 1  # nothing used: a ring only
    assert "<script" not in text
    assert sum(path.get("class") == "land" and len(path.get("d", "")) > 500 for path in picture.iter(f"{SVG}path")) == 2
