// A grid of links is one stop of the tab key; arrows, Home, End and Page keys move within it.

for (const table of document.querySelectorAll("table[data-grid]")) {
  const rows = [...table.tBodies[0].rows].map((row) => [...row.querySelectorAll("td a")]);
  if (!rows.length) continue;
  const place = new Map();
  rows.forEach((links, y) => links.forEach((link, x) => place.set(link, [y, x])));
  let at = rows[0][0];
  for (const link of place.keys()) link.tabIndex = link === at ? 0 : -1;

  const go = (y, x) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, y))];
    const link = row[Math.max(0, Math.min(row.length - 1, x))];
    at.tabIndex = -1;
    link.tabIndex = 0;
    at = link;
    link.focus();
  };
  table.addEventListener("focusin", (event) => {
    if (place.has(event.target) && event.target !== at) {
      at.tabIndex = -1;
      at = event.target;
      at.tabIndex = 0;
    }
  });
  table.addEventListener("keydown", (event) => {
    if (!place.has(event.target) || event.ctrlKey || event.altKey || event.metaKey) return;
    const [y, x] = place.get(event.target);
    const to = {
      ArrowUp: [y - 1, x], ArrowDown: [y + 1, x], ArrowLeft: [y, x - 1], ArrowRight: [y, x + 1],
      Home: [y, 0], End: [y, rows[y].length - 1], PageUp: [0, x], PageDown: [rows.length - 1, x],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    go(...to);
  });
}
