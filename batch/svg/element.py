"""Elements of SVG: every text and attribute is escaped here, and nowhere does a style stand in them."""

from __future__ import annotations

from html import escape
from typing import Any

Svg = str
"""Text of one or more elements, safe as it is."""


def element(name: str, *parts: Svg, text: str = "", **attributes: Any) -> Svg:
    """An element.

    Args:
        name: of it.
        parts: elements within it.
        text: within it, before the elements; it is escaped.
        attributes: a number is written to a tenth; ``class_`` is ``class``, ``stroke_width`` is ``stroke-width``; None leaves it out.
    """
    given = "".join(f' {_name(key)}="{_value(value)}"' for key, value in attributes.items() if value is not None)
    inner = escape(text) + "".join(parts)
    return f"<{name}{given}>{inner}</{name}>" if inner else f"<{name}{given}/>"


def group(*parts: Svg, **attributes: Any) -> Svg:
    """Elements together."""
    return element("g", *parts, **attributes)


def picture(*parts: Svg, width: float, height: float, title: str, **attributes: Any) -> Svg:
    """A whole picture that grows with its place, and says to a reader of screens what it is."""
    box = f"0 0 {width:g} {height:g}"
    return element("svg", element("title", text=title), *parts, class_="chart", viewBox=box, role="img", aria_label=title, **attributes)


def _name(key: str) -> str:
    return key.rstrip("_") if key == "viewBox" else key.rstrip("_").replace("_", "-")


def _value(value: Any) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else escape(str(value), quote=True)
