// What every view has: choices that take effect at once, and tables that sort by their heads.

for (const form of document.querySelectorAll("form[data-submits]")) {
  const shows = form.querySelector("button[type=submit]");
  shows?.setAttribute("hidden", "");
  // With the arrow keys a choice changes at each step: then it takes effect by Enter, or by the button that comes back.
  let byKeys = false;
  form.addEventListener("keydown", (event) => {
    byKeys = event.target instanceof HTMLSelectElement;
    if (byKeys && event.key === "Enter") form.requestSubmit();
  });
  form.addEventListener("pointerdown", () => (byKeys = false));
  form.addEventListener("change", (event) => {
    const clears = event.target.dataset?.clears;
    for (const name of clears ? clears.split(" ") : []) {
      if (form.elements[name]) form.elements[name].disabled = true;
    }
    if (byKeys) shows?.removeAttribute("hidden");
    else form.requestSubmit();
  });
  // What is empty does not belong into the address.
  form.addEventListener("submit", () => {
    for (const field of form.elements) {
      if (field.value === "" && field.name) field.disabled = true;
    }
  });
}
// After "back" the browser shows the page as it was left: with its fields switched off.
addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("form[data-submits] :disabled")) field.disabled = false;
});

// What a cell is sorted by: a number, also one with its unit, or its text.
function valueOf(cell) {
  const given = cell.dataset.value ?? cell.textContent.trim();
  const parts = given.replaceAll(",", "").replace("−", "-").match(/^(\S+?)(?: (billion|million))?(?: (?:USD|%))?$/);
  const number = parts === null ? NaN : Number(parts[1]) * ({ billion: 1e9, million: 1e6 }[parts[2]] ?? 1);
  return Number.isFinite(number) ? number : given;
}

function compare(a, b) {
  if (a === b) return 0;
  if (a === "") return 1; // what is empty comes last
  if (b === "") return -1;
  if (typeof a === "number" && typeof b === "number") return b - a;
  return String(a).localeCompare(String(b));
}

for (const table of document.querySelectorAll("table[data-sorts]")) {
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, at) => {
    if (!head.textContent.trim()) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const back = head.getAttribute("aria-sort") !== null && head.dataset.turned === undefined;
      for (const other of heads) {
        other.removeAttribute("aria-sort");
        delete other.dataset.turned;
      }
      const rows = [...table.tBodies[0].rows];
      const sign = back ? -1 : 1;
      rows.sort((one, two) => sign * compare(valueOf(one.cells[at]), valueOf(two.cells[at])));
      if (back) head.dataset.turned = "";
      const numeric = typeof valueOf(rows[0].cells[at]) === "number";
      head.setAttribute("aria-sort", numeric !== back ? "descending" : "ascending");
      table.tBodies[0].append(...rows);
    });
  });
}

for (const button of document.querySelectorAll("button[data-shows]")) {
  button.addEventListener("click", () => {
    for (const row of document.querySelectorAll(`[data-more="${button.dataset.shows}"]`)) row.hidden = false;
    button.parentElement.hidden = true;
  });
}
