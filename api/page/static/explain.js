// A question about a plan while its answer is searched.

import { follow } from "./stream.js";

const box = document.querySelector("[data-run]");
let begin = null;
follow(box.dataset.run, (kind, data) => {
  begin ??= Date.parse(data.at);
  if (kind === "state") document.getElementById("verdict").firstChild.textContent = "The answer is being searched. ";
});
setInterval(() => {
  const place = document.getElementById("elapsed");
  if (place && begin) place.textContent = `${Math.round((Date.now() - begin) / 1000)} s`;
}, 1000);
