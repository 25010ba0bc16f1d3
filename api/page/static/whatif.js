// The heat map takes one stop of the Tab key; arrows move within it.

for (const map of document.querySelectorAll("[data-arrows]")) {
  const rows = [...map.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("button")]);
  const all = rows.flat();
  for (const one of all) one.tabIndex = -1;
  if (all.length) all[0].tabIndex = 0;
  map.addEventListener("keydown", (event) => {
    const row = rows.findIndex((cells) => cells.includes(event.target));
    if (row < 0) return;
    const at = rows[row].indexOf(event.target);
    const next = {
      ArrowRight: () => rows[row][at + 1], ArrowLeft: () => rows[row][at - 1],
      ArrowDown: () => rows[row + 1]?.[at], ArrowUp: () => rows[row - 1]?.[at],
      Home: () => rows[row][0], End: () => rows[row].at(-1),
    }[event.key]?.();
    if (!next) return;
    event.preventDefault();
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}
