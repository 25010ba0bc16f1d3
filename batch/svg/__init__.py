"""Pictures as SVG without a drawing library: elements with classes, whose colours a style sheet gives."""

from batch.svg.bars import Bars, Line, bars
from batch.svg.bounds import bounds
from batch.svg.bridge import Term, bridge
from batch.svg.element import element, group
from batch.svg.site_map import Spot, site_map

__all__ = ["Bars", "Line", "Spot", "Term", "bars", "bounds", "bridge", "element", "group", "site_map"]
