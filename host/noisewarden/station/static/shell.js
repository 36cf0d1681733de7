// What every page has: the choice of language, and the way out.

import { remove } from "./api.js";

const YEAR_S = 365 * 24 * 3600;

for (const button of document.querySelectorAll("[data-speak]")) {
  button.addEventListener("click", () => {
    document.cookie = `language=${button.dataset.speak}; path=/; max-age=${YEAR_S}; samesite=strict`;
    location.reload();
  });
}

document.querySelector("[data-log-out]")?.addEventListener("click", async () => {
  await remove("/session").catch(() => null);
  location.assign("/login");
});
