// What every page has: the choice of language, and the way out.

import { remove } from "./api.js";
import { press } from "./forms.js";

const YEAR_S = 365 * 24 * 3600;

for (const button of document.querySelectorAll("[data-speak]")) {
  press(button, () => {
    document.cookie = `language=${button.dataset.speak}; path=/; max-age=${YEAR_S}; samesite=strict`;
    location.reload();
  });
}

// A narrow window has no room for the head of a table: each cell tells the name of its column.
for (const table of document.querySelectorAll("table.stacked")) {
  const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  const name = () => {
    for (const { cells } of table.tBodies[0].rows) {
      [...cells].forEach((cell, n) => { cell.dataset.column = names[n]; });
    }
  };
  new MutationObserver(name).observe(table.tBodies[0], { childList: true });
}

for (const button of document.querySelectorAll("[data-log-out]")) {
  press(button, async () => {
    await remove("/session").catch(() => null);
    location.assign("/login");
  });
}
