"""Look of the report, on a screen and on paper."""

STYLE = """
:root { --ink: #1a202c; --soft: #5a6676; --line: #dde3ea; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: white; font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 24px 32px 64px; }
h1 { font-size: 24px; margin: 0 0 12px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 36px 0 10px; padding-top: 10px; border-top: 1px solid var(--line); }
nav { margin: 10px 0 0; font-size: 13px; color: var(--soft); }
nav a { color: #2b6cb0; text-decoration: none; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(265px, 1fr)); gap: 10px; }
.card { border: 1px solid var(--line); border-radius: 6px; padding: 10px 12px; display: flex; flex-direction: column; }
.card span { color: var(--soft); font-size: 12px; }
.card b { font-size: 19px; font-weight: 600; }
.card small { color: var(--soft); font-size: 12px; }
.note { color: var(--soft); font-size: 12.5px; margin: 6px 0 0; }
.chart { overflow-x: auto; min-height: 40px; }
table { border-collapse: collapse; font-size: 12.5px; width: 100%; }
th { text-align: left; color: var(--soft); font-weight: 500; border-bottom: 1px solid var(--line); padding: 4px 8px; vertical-align: bottom; }
td { border-bottom: 1px solid #eef1f4; padding: 3px 8px; vertical-align: top; overflow-wrap: anywhere; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.two { display: grid; grid-template-columns: 2fr 3fr; gap: 28px; }
@media (max-width: 900px) { .two { grid-template-columns: 1fr; } main { padding: 16px; } }
@media print {
  @page { size: A4 landscape; margin: 11mm; }
  body { font-size: 11px; }
  main { max-width: none; padding: 0; }
  nav { display: none; }
  section { break-inside: avoid; }
  section#section-contracts, section#section-binding, section#section-build { break-inside: auto; }
  tr, .card, .chart { break-inside: avoid; }
  h2 { break-after: avoid; }
  .chart svg { max-width: 100%; height: auto; }
}
"""
