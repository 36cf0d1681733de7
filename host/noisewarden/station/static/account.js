import { put } from "./api.js";
import { handle } from "./forms.js";
import { t } from "./words.js";

handle(document.getElementById("password"), async ({ old, new: chosen, again }) => {
  if (chosen !== again) throw new Error(t("welcome.differ"));
  await put("/session/password", { old, new: chosen });
  location.assign("/login");
});
