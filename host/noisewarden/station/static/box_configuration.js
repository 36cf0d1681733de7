// The configuration of a box: checked by the box's own rules, tried on yesterday, then sent.

import { get, post } from "./api.js";
import { Asked } from "./commands.js";
import { ConfigurationForm, same } from "./configuration_form.js";
import { attempt, press } from "./forms.js";
import { tellLink } from "./link_state.js";
import { follow } from "./stream.js";
import { t } from "./words.js";
import { outcome } from "./what_if.js";

const CHECK_AFTER_MS = 300;

const { id } = document.getElementById("box").dataset;
const trouble = document.getElementById("trouble");
const form = document.getElementById("configuration");
const save = form.querySelector('button[type="submit"]');
const asked = save ? new Asked(document.getElementById("asked")) : null;
const locked = form.querySelectorAll('fieldset.all, button[type="submit"], #try');
let known;
let waiting;

const fields = new ConfigurationForm(form, () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => attempt(trouble, check), CHECK_AFTER_MS);
});

/** Whether the box would take it; what it would not stands beside the fields. */
async function check() {
  const problems = await post(`/boxes/${id}/configuration/problems`, { config: fields.read() });
  fields.complain(problems);
  const changed = !same(fields.read(), known.config);
  document.getElementById("verdict").textContent = problems.length
    ? t("config.problems", { count: problems.length })
    : t(changed ? "config.good" : "config.unchanged");
  return problems.length === 0;
}

/** With `keep`, what somebody has entered stays. */
async function read(keep = false) {
  const first = !known;
  const entered = !first && !same(fields.read(), known.config);
  known = await get(`/boxes/${id}/configuration`);
  if (!keep || !entered) fields.fill(known.config);
  const origin = known.certain ? "certain" : known.command ? "set" : "default";
  const notice = document.getElementById("certain");
  notice.textContent = t(`config.${origin}`);
  notice.classList.toggle("good", known.certain);
  if (!save) return;
  // Nothing can be entered before what holds is there, or that would overwrite it.
  if (first) for (const part of locked) part.disabled = false;
  await check();
}

if (save) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    save.disabled = true;
    await attempt(form.querySelector('[role="alert"]'), async () => {
      if (!await check()) {
        form.querySelector("[aria-invalid]")?.focus();
        return;
      }
      const command = await post(`/boxes/${id}/commands`, {
        action: "set_config", arguments: { config: fields.read() },
      });
      asked.show(command);
    });
    save.disabled = false;
  });
  document.getElementById("try").addEventListener("click", ({ target }) =>
    attempt(form.querySelector('[role="alert"]'), async () => {
      target.disabled = true;
      try {
        if (await check()) {
          document.getElementById("tried").replaceChildren(
            await outcome(id, fields.read(), known.config));
        }
      } finally {
        target.disabled = false;
      }
    }));
  press(document.getElementById("again"), () => attempt(trouble, () => read()));
}

follow({
  handlers: {
    command: (command) => {
      const own = asked?.take(command);
      if (own && command.status === "done") attempt(trouble, () => read(true));
    },
    state: ({ box }) => box === id && attempt(trouble, () => read(true)),
  },
  look: () => attempt(trouble, async () => {
    document.getElementById("place").textContent = (await get(`/boxes/${id}`)).place || id;
    await read(true);
  }),
  link: tellLink,
});
