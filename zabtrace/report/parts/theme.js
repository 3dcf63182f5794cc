"use strict";
// Light and dark: what the system asks for, until the button says otherwise. Charts listen to "theme".
const Theme = (() => {
  const root = document.documentElement, system = matchMedia("(prefers-color-scheme: dark)"), button = document.getElementById("theme");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const tell = () => document.dispatchEvent(new Event("theme"));
  const toggle = () => { root.dataset.theme = dark() ? "light" : "dark"; tell(); };
  button.hidden = false;
  button.addEventListener("click", toggle);
  system.addEventListener("change", tell);
  return { dark, toggle, colour: (name) => getComputedStyle(root).getPropertyValue(name).trim() };
})();

// A text into the clipboard, and onto the button whether it is there: only a page that is a file or came over https may write to it.
async function copied(text, button) {
  const before = button.textContent;
  button.textContent = await navigator.clipboard?.writeText(text).then(() => "Copied", () => null) ?? "Not allowed here";
  setTimeout(() => { button.textContent = before; }, 1500);
}

// Keys: n and p walk through the sections, / finds the next search box, t changes the theme.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
  const sections = [...document.querySelectorAll("main > section")];
  const go = (section) => { if (section) { section.tabIndex = -1; section.focus({ preventScroll: true }); section.scrollIntoView(); } };
  const keys = {
    n: () => go(sections.find((one) => one.getBoundingClientRect().top > 2)),
    p: () => go(sections.findLast((one) => one.getBoundingClientRect().top < -2)),
    t: Theme.toggle,
    "/": () => { if (typeof Tables !== "undefined") Tables.search(); },
  };
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});

// Paper is white: what is drawn in the colours of the theme is drawn again.
addEventListener("beforeprint", () => {
  const root = document.documentElement;
  root.dataset.chosen = root.dataset.theme ?? "";
  root.dataset.theme = "light";
  document.dispatchEvent(new Event("theme"));
});
addEventListener("afterprint", () => {
  const root = document.documentElement, chosen = root.dataset.chosen;
  delete root.dataset.chosen;
  if (chosen) root.dataset.theme = chosen; else delete root.dataset.theme;
  document.dispatchEvent(new Event("theme"));
});
// Printing shows what stands in closed details too.
addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach((one) => { if (!one.dataset.long) { one.dataset.closed = "1"; one.open = true; } }));
addEventListener("afterprint", () => document.querySelectorAll("details[data-closed]").forEach((one) => { one.open = false; delete one.dataset.closed; }));
