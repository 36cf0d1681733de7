import { post } from "./api.js";
import { handle } from "./forms.js";

const asked = new URLSearchParams(location.search);
document.getElementById("opened").hidden = !asked.has("opened");

/** A path of this station: where else a link could lead is not followed. `//elsewhere` is a path
 * too, but to a browser the address of another site. */
function back() {
  const { origin, pathname } = new URL(asked.get("to") ?? "/", location.origin);
  return origin === location.origin && !pathname.startsWith("//") ? pathname : "/";
}

handle(document.getElementById("login"), async ({ name, password }) => {
  await post("/session", { name, password });
  location.assign(back());
});
