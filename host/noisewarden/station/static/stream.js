// The event stream of the station, opened again whenever it breaks.

import { get, logIn } from "./api.js";

const REOPEN_MS = 2000;
/** A line that broke without a word, as a network that is pulled out does, beats no more. */
const SILENT_MS = 15_000;

/**
 * Calls `handlers[event](data)` for each event. `look()` runs whenever the stream has opened and
 * whenever events were lost: then the page must be read anew. `link(state)` hears "connecting",
 * "live" and "lost". While nobody sees the page it listens only when it `calls` somebody: a browser
 * has six connections to a station, and each stream keeps one.
 */
export function follow({ handlers, look, link, calls = false }) {
  link("connecting");
  let looked = Promise.resolve();
  let source;
  let silence;
  const anew = () => { looked = look(); };
  const close = () => {
    clearTimeout(silence);
    source?.close();
  };
  const beat = () => {
    clearTimeout(silence);
    silence = setTimeout(() => {
      link("lost");
      open();
    }, SILENT_MS);
  };
  const open = () => {
    close();
    if (document.hidden && !calls) return;
    const opened = new EventSource("/api/v1/stream");
    source = opened;
    opened.addEventListener("open", () => { link("live"); anew(); beat(); });
    opened.addEventListener("beat", beat);
    opened.addEventListener("lost", anew);
    opened.addEventListener("error", async () => {
      clearTimeout(silence);
      link("lost");
      if (opened.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      await get("/session").catch((problem) => problem.status === 401 && logIn());
      setTimeout(() => opened === source && open(), REOPEN_MS);
    });
    for (const [name, handle] of Object.entries(handlers)) {
      opened.addEventListener(name, async ({ data }) => {
        await looked; // what is older than the look is not to overwrite it
        handle(JSON.parse(data));
      });
    }
  };
  if (!calls) document.addEventListener("visibilitychange", open);
  open();
}
