// The event stream of the station, opened again whenever it breaks.

import { get, logIn } from "./api.js";

const REOPEN_MS = 2000;

/**
 * Calls `handlers[event](data)` for each event. `look()` runs whenever the stream has opened and
 * whenever events were lost: then the page must be read anew. `link(state)` hears "connecting",
 * "live" and "lost".
 */
export function follow({ handlers, look, link }) {
  link("connecting");
  let looked = Promise.resolve();
  const anew = () => { looked = look(); };
  const open = () => {
    const source = new EventSource("/api/v1/stream");
    source.addEventListener("open", () => { link("live"); anew(); });
    source.addEventListener("lost", anew);
    source.addEventListener("error", async () => {
      link("lost");
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      await get("/session").catch((problem) => problem.status === 401 && logIn());
      setTimeout(open, REOPEN_MS);
    });
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, async ({ data }) => {
        await looked; // what is older than the look is not to overwrite it
        handle(JSON.parse(data));
      });
    }
  };
  open();
}
