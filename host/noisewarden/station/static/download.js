// A table of the API as a file.

import { Problem } from "./api.js";

/** Saves what the API answers at `path` as CSV; Problem when it refuses. */
export async function download(path, name) {
  const answer = await fetch(`/api/v1${path}`, { headers: { Accept: "text/csv" } });
  if (!answer.ok) throw new Problem(await answer.json());
  const address = URL.createObjectURL(await answer.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
