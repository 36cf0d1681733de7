import { post } from "./api.js";
import { handle } from "./forms.js";

const asked = new URLSearchParams(location.search);
document.getElementById("opened").hidden = !asked.has("opened");

/** A path of this station: where else a link could lead is not followed. */
function back() {
  const to = new URL(asked.get("to") ?? "/", location.origin);
  return to.origin === location.origin ? to.pathname : "/";
}

const form = document.getElementById("login");
handle(form, async ({ name, password }) => {
  await post("/session", { name, password });
  location.assign(back());
});
// Before this line a browser would post the form by itself, and nobody would answer.
form.querySelector('button[type="submit"]').disabled = false;
