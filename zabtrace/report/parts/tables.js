// Tables: search, sort, pages, copy and CSV over the rows that the page already holds. A unit is a tbody: rows told together.
const Tables = (() => {
  const PAGE = 25, FORMULA = /^[=+\-@\t\r]/;
  const number = (text) => {
    const plain = text.replace(/,/g, "");
    return /^-?0x[0-9a-f]+$/i.test(plain) ? BigInt(plain) : /^-?\d+(\.\d+)?( %)?$/.test(plain) ? parseFloat(plain) : null;
  };
  const order = (a, b) => {
    const one = number(a), other = number(b);
    if (a === "" || b === "") return (a === "") - (b === "");
    return one !== null && other !== null ? (one < other ? -1 : one > other ? 1 : 0) : a < b ? -1 : a > b ? 1 : 0;
  };
  // A spreadsheet takes a cell that begins so for a formula.
  const harmless = (text) => (FORMULA.test(text) ? "'" + text : text);
  const quoted = (text) => '"' + harmless(text).replace(/"/g, '""') + '"';
  const element = (tag, more) => Object.assign(document.createElement(tag), more);

  function grid(box) {
    const table = box.querySelector("table"), heads = [...table.tHead.rows[0].cells], units = [...table.tBodies], texts = new Map();
    const text = (unit) => { if (!texts.has(unit)) texts.set(unit, unit.textContent.toLowerCase()); return texts.get(unit); };
    const rows = (some) => some.reduce((sum, unit) => sum + unit.querySelectorAll("tr:not(.proof)").length, 0);
    let shown = units, page = 0, by = null, falling = false;
    const search = element("input", { type: "search", placeholder: "search", ariaLabel: "Search this table" });
    const count = element("span", { className: "count", role: "status" });
    const button = (label, act) => { const made = element("button", { type: "button", className: "tool", textContent: label }); made.addEventListener("click", act); return made; };
    const earlier = button("‹", () => turn(page - 1)), later = button("›", () => turn(page + 1));
    earlier.ariaLabel = "Earlier rows"; later.ariaLabel = "Later rows";
    const cells = () => [heads.map((head) => head.dataset.name).concat("told"), ...shown.flatMap((unit) => {
      const told = [...unit.querySelectorAll(".proof")].map((row) => row.innerText || row.textContent).join(" ").replace(/\s+/g, " ").trim();
      return [...unit.rows].filter((row) => !row.classList.contains("proof")).map((row) => [...row.cells].map((cell) => cell.textContent).concat(told));
    })];
    const copy = button("Copy", async () => {
      const lines = cells().map((row) => row.map((one) => harmless(one.replace(/[\t\r\n]+/g, " "))).join("\t")).join("\n");
      try { await navigator.clipboard.writeText(lines); } catch { const area = element("textarea", { value: lines }); document.body.append(area); area.select(); document.execCommand("copy"); area.remove(); }
      copy.textContent = "Copied"; setTimeout(() => { copy.textContent = "Copy"; }, 1500);
    });
    const csv = button("CSV", () => {
      const link = element("a", { download: `${box.dataset.name}.csv`, href: URL.createObjectURL(new Blob([cells().map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n"], { type: "text/csv" })) });
      link.click(); setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    });
    function turn(to) {
      const pages = Math.max(Math.ceil(shown.length / PAGE), 1);
      page = Math.min(Math.max(to, 0), pages - 1);
      const visible = new Set(shown.slice(page * PAGE, page * PAGE + PAGE));
      for (const unit of units) unit.hidden = !visible.has(unit);
      earlier.disabled = page === 0; later.disabled = page === pages - 1;
      earlier.hidden = later.hidden = pages === 1;
      const before = rows(shown.slice(0, page * PAGE)), here = rows([...visible]);
      count.textContent = pages === 1 ? `${here} of ${rows(units)}` : `${before + 1}–${before + here} of ${rows(shown)}`;
    }
    function find() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      shown = [...table.tBodies].filter((unit) => words.every((word) => text(unit).includes(word)));
      turn(0);
    }
    function sort(column) {
      falling = by === column && !falling; by = column;
      heads.forEach((head, at) => { head.ariaSort = at === column ? (falling ? "descending" : "ascending") : null; if (at !== column) head.removeAttribute("aria-sort"); });
      const key = (unit) => (unit.rows[0].cells[column] || { textContent: "" }).textContent.trim();
      const sorted = units.map((unit) => [key(unit), unit]).sort((a, b) => order(a[0], b[0]) * (falling && a[0] !== "" && b[0] !== "" ? -1 : 1)).map((pair) => pair[1]);
      table.append(...sorted);
      find();
    }
    heads.forEach((head, column) => {
      head.dataset.name = head.textContent;
      const made = element("button", { type: "button", className: "sort", textContent: head.textContent, title: "Sort" });
      made.addEventListener("click", () => sort(column));
      head.replaceChildren(made);
    });
    if (rows(units) > 3) {
      search.addEventListener("input", find);
      const bar = element("div", { className: "bar" });
      bar.append(search, earlier, count, later, copy, csv);
      box.prepend(bar);
      turn(0);
    }
  }
  // A table in closed details is made ready when it is opened.
  for (const box of document.querySelectorAll(".grid")) {
    const folded = box.closest("details:not([open])");
    if (folded) folded.addEventListener("toggle", () => grid(box), { once: true }); else grid(box);
  }
  return { order, harmless };
})();
