// The token stands behind the #, so that it is in no log; it leaves the address bar at once.

import { post } from "./api.js";
import { attempt, handle } from "./forms.js";
import { t } from "./words.js";

const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);

const form = document.getElementById("welcome");
const alert = form.querySelector('[role="alert"]');

await attempt(alert, async () => {
  if (!token) throw new Error(t("welcome.nolink"));
  const { name, role } = await post("/invitation", { token });
  const greeting = name ? t("welcome.named", { name }) : t("welcome.first");
  document.getElementById("greeting").textContent =
    `${greeting} ${t("welcome.role", { role: t(`role.${role}`) })}`;
  document.getElementById("own-name").hidden = Boolean(name);
  form.elements.name.required = !name;
  form.querySelector("fieldset").disabled = false;
  form.querySelector("label:not([hidden]) input").focus();
});

handle(form, async ({ name, password, again }) => {
  if (password !== again) throw new Error(t("welcome.differ"));
  await post("/invitation/acceptance", { token, name: name ?? "", password });
  location.assign("/login?opened");
});
