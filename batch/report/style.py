"""Look of the report and of its charts, on a screen and on paper."""

from __future__ import annotations

from typing import Any

FONT = 'system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif'

CHARTS: dict[str, Any] = {
    "font": FONT.replace('"', "'"),
    "background": None,
    "view": {"stroke": None},
    "title": {"fontSize": 13, "fontWeight": 600, "color": "#1a202c", "anchor": "start", "offset": 8},
    "axis": {
        "labelColor": "#4a5568", "labelFontSize": 11, "titleColor": "#4a5568", "titleFontSize": 11.5, "titleFontWeight": "normal",
        "domainColor": "#a0aec0", "tickColor": "#a0aec0", "gridColor": "#e8ecf1", "tickSize": 4,
    },
    "header": {"labelColor": "#1a202c", "labelFontWeight": 600},
    "legend": {
        "labelColor": "#2d3748", "labelFontSize": 11, "titleColor": "#4a5568", "titleFontSize": 11.5, "titleFontWeight": "normal",
        "symbolStrokeWidth": 0, "columnPadding": 12, "layout": {"bottom": {"margin": 40}},
    },
}  # fmt: skip
"""Configuration of Vega-Lite for every chart."""

STYLE = """
:root { color-scheme: light dark; --ink: #1a202c; --soft: #5a6676; --line: #dde3ea; --rule: #eef1f4; --blue: #2b6cb0; --paper: white; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--paper); font: 14px/1.45 FONT; }
main { max-width: 1240px; margin: 0 auto; padding: 24px 32px 64px; }
h1 { font-size: 24px; margin: 0 0 12px; overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 34px 0 10px; padding-top: 14px; border-top: 1px solid var(--line); }
h3 { font-size: 13px; font-weight: 600; margin: 18px 0 6px; }
nav { margin: 12px 0 0; font-size: 13px; color: var(--soft); }
nav a { color: var(--blue); text-decoration: none; white-space: nowrap; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(265px, 1fr)); gap: 10px; }
.card { border: 1px solid var(--line); border-radius: 6px; padding: 10px 12px; display: flex; flex-direction: column; }
.card span { color: var(--soft); font-size: 12px; }
.card b { font-size: 19px; font-weight: 600; }
.card small { color: var(--soft); font-size: 12px; }
.note { color: var(--soft); font-size: 12.5px; margin: 6px 0 0; overflow-wrap: anywhere; }
h2 + .note { margin: -4px 0 10px; }
.chart { display: block; min-height: 40px; }
.chart svg { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
.list { margin: 4px 0 0; padding-left: 20px; font-size: 13px; overflow-wrap: anywhere; }
table { border-collapse: collapse; font-size: 12.5px; width: 100%; }
th { text-align: left; color: var(--soft); font-weight: 500; border-bottom: 1px solid var(--line); padding: 4px 8px; vertical-align: bottom; }
td { border-bottom: 1px solid var(--rule); padding: 3px 8px; vertical-align: top; overflow-wrap: break-word; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
td.n, .k { white-space: nowrap; }
.two { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 0 32px; }
.tabs > input { position: absolute; opacity: 0; }
.tabs > label { display: inline-block; padding: 4px 14px; margin: 18px 6px 10px 0; border: 1px solid var(--line); border-radius: 14px;
  font-size: 13px; color: var(--soft); cursor: pointer; }
.tabs > input:checked + label { background: var(--blue); border-color: var(--blue); color: white; }
.tabs > input:focus-visible + label { outline: 2px solid var(--blue); outline-offset: 2px; }
.panel { display: none; }
.panel h3 { display: none; }
TABS
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e4e9f0; --soft: #9aa7b8; --line: #37414f; --rule: #262e39; --blue: #7db4ec; --paper: #14181e; }
  .chart svg { filter: invert(0.92) hue-rotate(180deg); }
  .tabs > input:checked + label { color: #14181e; }
}
@media (max-width: 900px) { .two { grid-template-columns: 1fr; } main { padding: 16px; } }
@media screen and (max-width: 900px) { .chart { overflow-x: auto; } .chart svg { max-width: none; } }
@media print {
  @page { size: A4 landscape; margin: 11mm; }
  body { font-size: 11px; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  main { max-width: none; padding: 0; }
  nav, .tabs > input, .tabs > label { display: none; }
  .panel, .panel h3 { display: block; }
  .panel, .chart, tr, .card { break-inside: avoid; }
  h1, h2, h3, h2 + .note { break-after: avoid; }
  h2 { margin: 14px 0 8px; padding-top: 8px; font-size: 15px; }
  h3 { margin: 10px 0 4px; }
  table { font-size: 9.5px; }
  td, th { padding: 1.5px 5px; }
  .scroll { overflow: visible; }
  .cards { grid-template-columns: repeat(4, 1fr); gap: 6px; }
  .card { padding: 5px 8px; }
  .card b { font-size: 15px; }
  .card small, .card span, .note, .list { font-size: 10px; }
  .chart svg { max-height: 162mm; }
  .panel .chart svg, #section-map .chart svg { max-height: 102mm; }
  tbody tr:nth-child(-n+4) { break-after: avoid; }
}
""".replace("FONT", FONT).replace(
    "TABS", "\n".join(f".tabs > input:nth-of-type({n}):checked ~ .panel:nth-of-type({n}) {{ display: block; }}" for n in range(1, 5))
)
