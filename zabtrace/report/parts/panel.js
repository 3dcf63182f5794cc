// The evidence panel: what stands at a place, and the command that prints it. Text goes in as text only.
const Panel = (() => {
  const panel = document.getElementById("panel"), known = JSON.parse(document.getElementById("panel-data").textContent);
  let before = null;
  const element = (tag, text, name) => { const made = document.createElement(tag); if (text) made.textContent = text; if (name) made.className = name; return made; };
  const copyable = (command) => {
    const line = element("div", "", "command"), copy = element("button", "Copy", "tool");
    copy.type = "button";
    copy.addEventListener("click", () => copied(command, copy));
    line.append(element("code", command), copy);
    return line;
  };
  const shown = (place) => {
    const box = element("section", "", "cited"), entry = known.places[place] || { lines: [], command: null };
    box.append(element("h3", place));
    const text = element("pre");
    for (const [number, line, cited] of entry.lines) text.append(element(cited ? "mark" : "span", `${String(number).padStart(7)}  ${line}\n`));
    box.append(entry.lines.length ? text : element("p", "The page does not hold what stands there."));
    if (entry.command) box.append(copyable(entry.command));
    return box;
  };
  function open(heading, sentence, places, zxid) {
    before = document.activeElement;
    const close = element("button", "Close", "tool close");
    close.type = "button"; close.addEventListener("click", hide);
    panel.replaceChildren(close, element("h2", heading));
    if (sentence) panel.append(element("p", sentence));
    panel.append(...places.map(shown));
    if (zxid) panel.append(copyable(`zabtrace verify ${known.evidence} --explain ${zxid}`));
    panel.hidden = false; panel.scrollTop = 0; panel.focus();
  }
  function hide() { panel.hidden = true; if (before) before.focus(); }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape" && !panel.hidden) hide(); });
  document.addEventListener("click", (event) => {
    const button = event.target.closest ? event.target.closest("button.place") : null;
    if (button) open("Evidence", "", button.dataset.place.split("\n"), null); // no place holds a line break: those are written out
  });
  return { open, hide };
})();
