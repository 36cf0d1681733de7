// The station's API: what it answers, or a Problem.

import { maybe } from "./words.js";

const csrf = document.querySelector('meta[name="csrf"]')?.content;

/** A problem document (RFC 9457); its message is in the language of the page where it can be. */
export class Problem extends Error {
  constructor({ status, code, detail }, waitS) {
    super(maybe(`problem.code.${code}`, { wait: waitS, detail }) ?? detail);
    this.status = status;
    this.code = code;
  }
}

/** Sends to the login page, which comes back here. */
export function logIn() {
  location.assign(`/login?to=${encodeURIComponent(location.pathname)}`);
}

let waiting = 0;

/** What takes its time is seen to be under way, on every page in the same place. */
async function ask(method, path, given) {
  document.body.toggleAttribute("data-waiting", ++waiting > 0);
  try {
    return await exchange(method, path, given);
  } finally {
    document.body.toggleAttribute("data-waiting", --waiting > 0);
  }
}

async function exchange(method, path, given) {
  const headers = { Accept: "application/json" };
  const isFile = given instanceof Blob;
  const body = isFile ? given : JSON.stringify(given);
  if (isFile) headers["Content-Type"] = given.type || "application/octet-stream";
  else if (body) headers["Content-Type"] = "application/json";
  if (csrf) headers["X-CSRF-Token"] = csrf;
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, { method, headers, body });
  } catch {
    throw new Problem({ status: 0, code: "unreachable", detail: "no answer" });
  }
  if (!answer.ok) {
    // A proxy before a station that does not answer speaks HTML.
    const problem = await answer.json().catch(
      () => ({ status: answer.status, code: "unreachable", detail: answer.statusText }));
    if (problem.code === "log-in") logIn();
    throw new Problem(problem, answer.headers.get("Retry-After"));
  }
  return answer.status === 204 ? null : answer.json();
}

export const get = (path) => ask("GET", path);
export const post = (path, body = {}) => ask("POST", path, body);
/** Sends a file as it is. */
export const upload = (path, file) => ask("POST", path, file);
export const put = (path, body) => ask("PUT", path, body);
export const patch = (path, body) => ask("PATCH", path, body);
export const remove = (path) => ask("DELETE", path);
