// Events of a run, to its end. Where the connection is lost, also for as long as the service is restarted, it is taken up after the last
// event that came; when the run has ended, the server's page of its answer takes the place of this one.

const AGAIN = 1000; // ms after which a lost connection is tried again
const LOST = "The connection is lost; it is taken up again as soon as the service answers.";
const at = (id) => document.getElementById(id);

async function replace() {
  const page = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!page.ok) return location.reload();
  const made = new DOMParser().parseFromString(await page.text(), "text/html");
  at("main").replaceChildren(...made.getElementById("main").childNodes);
  document.title = made.title;
}

export function follow(run, take) {
  let last = 0;

  function listen() {
    const stream = new EventSource(`/api/v1/runs/${run}/events?after=${last}`);
    const seen = (event) => {
      last = Number(event.lastEventId);
      take(event.type, JSON.parse(event.data));
    };
    stream.onopen = () => (at("line-state").textContent = "");
    for (const kind of ["state", "progress", "incumbent"]) stream.addEventListener(kind, seen);
    stream.addEventListener("end", (event) => {
      seen(event);
      stream.close();
      replace();
    });
    stream.onerror = () => {
      at("line-state").textContent = LOST;
      stream.close(); // a browser gives up for good where a service that starts answers with an error
      setTimeout(again, AGAIN);
    };
  }

  async function again() {
    let answer;
    try {
      answer = await fetch(`/api/v1/runs/${run}`, { redirect: "manual" });
    } catch {
      return setTimeout(again, AGAIN);
    }
    if (answer.status === 401) return location.reload(); // the session ended: to sign in, and back here
    if (!answer.ok) return setTimeout(again, AGAIN);
    listen();
  }

  listen();
}
