import { get } from "./api.js";
import { attempt } from "./forms.js";
import { dateTime, maybe, t } from "./words.js";

const PAGE_ROWS = 100;
const more = document.getElementById("more");
let last;

function row({ at_s: at, person, action, about, detail, address }) {
  const made = document.createElement("tr");
  const cells = [
    dateTime(at),
    person || t("audit.nobody"),
    maybe(`audit.action.${action}`) ?? action,
    about,
    maybe(`role.${detail}`) ?? detail,
    address,
  ];
  made.append(...cells.map((text) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    return cell;
  }));
  return made;
}

async function load() {
  await attempt(document.getElementById("trouble"), async () => {
    const entries = await get(`/audit${last ? `?before=${last}` : ""}`);
    document.getElementById("entries").append(...entries.map(row));
    last = entries.at(-1)?.id;
    more.hidden = entries.length < PAGE_ROWS;
  });
}

more.addEventListener("click", load);
await load();
