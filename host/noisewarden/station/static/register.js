import { get, post, remove } from "./api.js";
import { attempt, complain, handle } from "./forms.js";
import { link, row } from "./tables.js";
import { date, since, t } from "./words.js";

const FILE_MOST_BYTES = 10_000;

const trouble = document.getElementById("trouble");
const done = document.getElementById("done");
let known = [];

function line({ box, place, board, serial, added_s: added, revoked_s: revoked }, seen) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = t("register.revoke");
  button.setAttribute("aria-label", `${t("register.revoke")}: ${box}`);
  button.disabled = revoked !== null;
  button.addEventListener("click", () => {
    if (!confirm(t("register.revoke.ask", { box }))) return;
    attempt(trouble, () => remove(`/register/${box}`)).then(load);
  });
  const state = revoked === null
    ? t("register.admitted") : t("register.revoked", { when: date(revoked) });
  const heard = seen ? since(seen) : t("tile.never");
  const made = row(link(`/boxes/${box}`, box), place, board, serial, date(added), heard, state, button);
  made.className = revoked === null ? "" : "over";
  return made;
}

async function load() {
  await attempt(trouble, async () => {
    const [registered, boxes] = await Promise.all([get("/register"), get("/boxes")]);
    const seen = new Map(boxes.map(({ box, seen_s: at }) => [box, at]));
    known = registered;
    document.getElementById("none").hidden = registered.length > 0;
    document.getElementById("boxes").replaceChildren(
      ...registered.map((box) => line(box, seen.get(box.box))));
  });
}

/** What stands in the file; it is handed on as it is. */
async function read(file) {
  try {
    if (file.size > FILE_MOST_BYTES) throw new SyntaxError();
    return JSON.parse(await file.text());
  } catch {
    throw new Error(t("problem.code.handover"));
  }
}

const form = document.getElementById("import");
handle(form, async ({ file }) => {
  complain(done, "");
  const handover = await read(file);
  const there = known.find(({ box }) => box === handover.box);
  if (there && !confirm(t("register.replace.ask", there))) return;
  try {
    await post(`/register?replace=${Boolean(there)}`, handover);
  } catch (problem) {
    throw problem.code === "invalid" ? new Error(t("problem.code.handover")) : problem;
  }
  form.reset();
  complain(done, t("register.imported", handover));
  await load();
});

await load();
