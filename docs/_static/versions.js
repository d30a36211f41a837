// The choice of versions: reads versions.json, which tools/publish_docs.py puts beside the folders of the versions.
// Without that file, as in a local build, there is none.
(() => {
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href);
  const here = root.pathname.split("/").filter(Boolean).pop();
  fetch(new URL("../versions.json", root))
    .then((answer) => (answer.ok ? answer.json() : []))
    .then((versions) => {
      const place = document.querySelector(".sidebar-brand");
      if (!place || !versions.includes(here)) return;
      const choice = document.createElement("select");
      choice.setAttribute("aria-label", "Version");
      for (const version of versions) choice.add(new Option(version, version, false, version === here));
      choice.addEventListener("change", () => {
        location.href = new URL(`../${choice.value}/`, root).href;
      });
      place.after(choice);
    })
    .catch(() => {});
})();
