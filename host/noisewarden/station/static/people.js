import { get, patch, post, remove } from "./api.js";
import { attempt, handle } from "./forms.js";
import { date, t } from "./words.js";

const rows = document.getElementById("people");
const trouble = document.getElementById("trouble");
const secret = document.getElementById("secret");
const tokens = document.getElementById("tokens");

for (const button of document.querySelectorAll("dialog [data-close]")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}

// A link or a token, shown once.

function show(words, value) {
  secret.querySelector("p").textContent = words;
  secret.querySelector("output").textContent = value;
  secret.querySelector("[data-copy]").textContent = t("people.copy");
  secret.showModal();
}

secret.querySelector("[data-copy]").addEventListener("click", async ({ target }) => {
  const output = secret.querySelector("output");
  try {
    await navigator.clipboard.writeText(output.textContent);
    target.textContent = t("people.copied");
  } catch {
    getSelection().selectAllChildren(output); // without HTTPS there is no clipboard: mark it
  }
});
secret.addEventListener("close", () => {
  secret.querySelector("output").textContent = "";
});

const showLink = (name, link) => show(t("people.link", { name }), location.origin + link);

// The list.

function state({ ready, disabled_s: disabled }) {
  if (disabled !== null) return "people.disabled";
  return ready ? "people.open" : "people.invited";
}

function row(person) {
  const { id, name } = person;
  const made = document.getElementById("person").content.cloneNode(true);
  const part = (which) => made.querySelector(`[data-${which}]`);
  const change = (body) =>
    attempt(trouble, () => patch(`/people/${id}`, body)).then(load);
  part("name").textContent = name;
  part("state").textContent = t(state(person));
  const role = part("role");
  role.value = person.role;
  role.setAttribute("aria-label", t("people.roleof", { name }));
  role.addEventListener("change", () => change({ role: role.value }));
  const shut = person.disabled_s !== null;
  const toggle = part("switch");
  toggle.textContent = t(shut ? "people.enable" : "people.disable");
  toggle.addEventListener("click", () => {
    if (shut || confirm(t("people.disable.ask", { name }))) change({ disabled: !shut });
  });
  const reinvite = part("reinvite");
  reinvite.disabled = shut;
  reinvite.addEventListener("click", () => {
    if (person.ready && !confirm(t("people.reinvite.ask", { name }))) return;
    attempt(trouble, async () => {
      showLink(name, (await post(`/people/${id}/invitation`)).link);
      await load();
    });
  });
  part("tokens").addEventListener("click", () => openTokens(person));
  return made;
}

async function load() {
  await attempt(trouble, async () => {
    rows.replaceChildren(...(await get("/people")).map(row));
  });
}

const invite = document.getElementById("invite");
handle(invite, async ({ name, role }) => {
  const { person, link } = await post("/people", { name, role });
  invite.reset();
  showLink(person.name, link);
  await load();
});

// The tokens of one of them.

let owner;

async function openTokens(person) {
  owner = person;
  document.getElementById("tokens-title").textContent = t("token.title", { name: person.name });
  if (await attempt(trouble, listTokens)) tokens.showModal();
}

async function listTokens() {
  const issued = await get(`/people/${owner.id}/tokens`);
  tokens.querySelector("[data-none]").hidden = issued.length > 0;
  tokens.querySelector("[data-list]").replaceChildren(...issued.map(tokenLine));
}

function tokenLine({ id, label, seen_s: seen, expires_s: expires }) {
  const made = document.getElementById("token").content.cloneNode(true);
  made.querySelector("[data-label]").textContent = label;
  made.querySelector("[data-dates]").textContent =
    `${t("token.seen")} ${date(seen)} · ${t("token.expires")} ${date(expires)}`;
  const revoke = made.querySelector("[data-revoke]");
  revoke.setAttribute("aria-label", `${t("token.revoke")}: ${label}`);
  revoke.addEventListener("click", () =>
    attempt(tokens.querySelector('[role="alert"]'), async () => {
      await remove(`/people/${owner.id}/tokens/${id}`);
      await listTokens();
    }));
  return made;
}

const issue = tokens.querySelector("form");
handle(issue, async ({ label }) => {
  const { token } = await post(`/people/${owner.id}/tokens`, { label });
  issue.reset();
  tokens.close();
  show(t("token.shown"), token);
});

await load();
