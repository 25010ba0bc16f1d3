// A browser keeps the session's cookie from a page that was reached from another site; asked from here, it gives it.
const next = document.querySelector("input[name=next]").value;
const answer = await fetch("/signed-in", { redirect: "manual" });
if (answer.ok) location.replace(next);
