// Theme, links into Airflow, addresses to share, and refreshing. Without it, the pages work all the same.
"use strict";

// Airflow shows the page in a frame that can neither navigate its parent nor open windows; both have one origin.
const outer = (() => {
  try {
    return window.parent !== window && window.parent.document ? window.parent : null;
  } catch {
    return null;
  }
})();

function followTheme() {
  const theirs = outer.document.documentElement;
  const apply = () => {
    const dark = theirs.classList.contains("dark") || theirs.dataset.theme === "dark";
    document.documentElement.classList.toggle("dark", dark);
    document.documentElement.classList.toggle("light", !dark);
  };
  apply();
  new MutationObserver(apply).observe(theirs, { attributes: true });
}

function leave(address) {
  const link = outer.document.createElement("a");
  link.href = new URL(address, location.href).href;
  outer.document.body.append(link);
  link.click();
  link.remove();
}

// Each part is replaced in place and only where it has changed: what is read aloud is then what is new.
async function refresh() {
  const parts = [...document.querySelectorAll("[data-refresh]")];
  if (document.hidden || !parts.length || String(getSelection())) return;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    // Nobody may take what was here for the present state: it is gone, or no longer for this user to see.
    if ([401, 403, 404].includes(answer.status)) {
      document.querySelector("main").replaceChildren(...page.querySelector("main").childNodes);
    }
    stale(answer.ok || answer.status < 500 ? "" : `Airflow answers with ${answer.status}`);
    if (!answer.ok) return;
    for (const here of parts) {
      const fresh = page.querySelector(`[data-refresh="${here.dataset.refresh}"]`);
      if (fresh && fresh.innerHTML !== here.innerHTML) replace(here, fresh);
    }
  } catch {
    // The next one may come through.
    stale("Airflow does not answer");
  }
}

function stale(reason) {
  const told = document.querySelector("[data-stale]");
  const text = reason && `${reason}: this page shows an earlier state.`;
  if (told.textContent !== text) told.textContent = text;
}

function replace(here, fresh) {
  const active = here.contains(document.activeElement) && document.activeElement;
  const address = active && active.getAttribute("href");
  const scrolled = [...here.querySelectorAll(".scroll")].map((one) => [one.id, one.scrollLeft]);
  here.replaceChildren(...fresh.childNodes);
  for (const [id, left] of scrolled) {
    const one = left && document.getElementById(id);
    if (one) one.scrollLeft = left;
  }
  if (!active) return;
  const same = address && [...here.querySelectorAll("a")].find((one) => one.getAttribute("href") === address);
  const left = active.id ? document.getElementById(active.id) : here.querySelector("[tabindex]");
  (same || left)?.focus({ preventScroll: true });
}

function copy(button) {
  const text = document.getElementById(button.dataset.copy).textContent;
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
  button.focus();
  button.textContent = "Copied";
  navigator.clipboard?.writeText(text).catch(() => {});
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-airflow]");
  if (link && outer) {
    event.preventDefault();
    leave(link.getAttribute("href"));
  }
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});
// Keyboard users pass through the options one by one, and apply one with Enter or "Filter".
let pointed = false;
document.addEventListener("pointerdown", () => (pointed = true));
document.addEventListener("keydown", () => (pointed = false));
document.addEventListener("change", (event) => {
  if (pointed && event.target.matches("[data-filter] select")) event.target.form.requestSubmit();
});

if (outer) followTheme();
for (const field of document.querySelectorAll("[data-address]")) field.value = location.href;
const interval = Number(document.body.dataset.interval);
if (interval) setInterval(refresh, interval * 1000);
