// Forms that the API answers, and its refusals beside them.

/** Shows why something was refused; "" when all is well. */
export function complain(place, text) {
  place.textContent = text;
  place.hidden = !text;
}

/** Does `work` and shows its refusal at `place`; true when it was done. */
export async function attempt(place, work) {
  complain(place, "");
  try {
    await work();
    return true;
  } catch (problem) {
    complain(place, problem.message);
    return false;
  }
}

/**
 * Does `work` when a button of the page is pressed. Whoever presses one before its script is there
 * would wait for nothing, and a form would be sent by the browser itself: so the page comes with
 * its buttons disabled, and what answers them enables them.
 */
export function press(button, work) {
  button.addEventListener("click", work);
  button.disabled = false;
}

/** Hands the fields of a form to `work`, one call at a time. */
export function handle(form, work) {
  const place = form.querySelector('[role="alert"]');
  const button = form.querySelector('button[type="submit"]');
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    await attempt(place, () => work(Object.fromEntries(new FormData(form))));
    button.disabled = false;
  });
  button.disabled = false;
}
