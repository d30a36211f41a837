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

async function refresh() {
  const here = document.querySelector("[data-refresh]");
  if (document.hidden || !here || String(getSelection())) return;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-refresh]");
    if (!answer.ok || !fresh || fresh.innerHTML === here.innerHTML) return;
    const focused = here.contains(document.activeElement) && document.activeElement.getAttribute("href");
    const scrolled = here.querySelector(".scroll")?.scrollLeft;
    here.replaceChildren(...fresh.childNodes);
    if (scrolled) here.querySelector(".scroll").scrollLeft = scrolled;
    if (focused) [...here.querySelectorAll("a")].find((one) => one.getAttribute("href") === focused)?.focus();
  } catch {
    // The next one may come through.
  }
}

function copy(button) {
  const text = document.getElementById(button.dataset.copy).textContent;
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
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
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-filter] select")) event.target.form.requestSubmit();
});

if (outer) followTheme();
for (const field of document.querySelectorAll("[data-address]")) field.value = location.href;
const interval = Number(document.body.dataset.interval);
if (interval) setInterval(refresh, interval * 1000);
