// Stepping in from afar: what is asked of the box, and at once what comes of it.

import { get, post, remove } from "./api.js";
import { Asked } from "./commands.js";
import { attempt, complain, handle, press } from "./forms.js";
import { outcome } from "./what_if.js";
import { t } from "./words.js";

const IDENTIFY_S = 10;

const part = (name) => document.querySelector(`[data-intervene="${name}"]`);

export class Intervene {
  constructor(id) {
    this.id = id;
    this.asked = new Asked(part("asked"));
    const trouble = part("trouble");
    for (const form of document.querySelectorAll("form[data-action]")) {
      handle(form, ({ seconds, ...rest }) =>
        this.ask(form.dataset.action, { ...rest, seconds: Number(seconds) }));
    }
    for (const button of document.querySelectorAll("[data-ask]")) {
      const action = button.dataset.ask;
      press(button, () => {
        if (action === "reboot" && !confirm(t("box.reboot.ask"))) return;
        attempt(trouble, () => this.ask(action, action === "identify" ? { seconds: IDENTIFY_S } : {}));
      });
    }
    this.limit = part("limit");
    handle(this.limit, async ({ limit, minutes }) => this.asked.show(
      await post(`/boxes/${id}/temporary-limit`, { limit: Number(limit), minutes: Number(minutes) })));
    this.set = this.limit.querySelector('[type="submit"]');
    press(part("end"), () => attempt(trouble, async () =>
      this.asked.show(await remove(`/boxes/${id}/temporary-limit`))));
    press(part("try"), () =>
      attempt(this.limit.querySelector('[role="alert"]'), () => this.tryLimit()));
    // Not before it is known what holds.
    this.set.disabled = part("try").disabled = true;
  }

  async ask(action, given) {
    this.asked.show(await post(`/boxes/${this.id}/commands`, { action, arguments: given }));
  }

  // A limit for a while.

  async look() {
    const { config, certain, temporary } = await get(`/boxes/${this.id}/configuration`);
    this.config = config;
    this.set.disabled = !certain;
    part("try").disabled = false;
    complain(part("unknown"), certain ? "" : t("limit.unknown"));
    const holds = temporary.at(-1);
    part("holds").hidden = !holds;
    if (holds) part("until").textContent = t("limit.holds", { limit: holds.limit, until: holds.to });
  }

  async tryLimit() {
    const { limit } = this.limit.elements;
    if (!limit.reportValidity()) return;
    const row = { days: "1234567", from: "00:00", to: "00:00", limit: Number(limit.value) };
    const config = { ...this.config, schedule: { rows: [row], exceptions: [] } };
    part("tried").replaceChildren(await outcome(this.id, config, this.config));
  }
}
