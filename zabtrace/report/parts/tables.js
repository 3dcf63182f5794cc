// Tables: DataTables searches, sorts and pages the rows that the page holds. Here is what is ours: how cells compare, sentences that are
// told below several rows, and what is copied and saved. A table is made ready when it comes near the screen, for that takes time.
const Tables = (() => {
  const PAGE = 25, PRINTED = 100, FEW = 3, FORMULA = /^[=+\-@\t\r]/, ready = new Map();
  const number = (text) => {
    const plain = text.replace(/,/g, "");
    return /^-?0x[0-9a-f]+$/i.test(plain) ? BigInt(plain) : /^-?\d+(\.\d+)?( %)?$/.test(plain) ? parseFloat(plain) : null;
  };
  // Numbers before texts; a cell without anything is last, whatever the direction.
  const pre = (given) => { const text = given.trim(), found = number(text); return text === "" ? [2, ""] : found === null ? [1, text] : [0, found]; };
  const compared = (a, b, sign) => {
    if (a[0] === 2 || b[0] === 2) return a[0] - b[0];
    const [one, other] = a[0] === b[0] ? [a[1], b[1]] : [a[0], b[0]];
    return one < other ? -sign : one > other ? sign : 0;
  };
  DataTable.type("cell", { order: { pre, asc: (a, b) => compared(a, b, 1), desc: (a, b) => compared(a, b, -1) } });
  DataTable.ext.errMode = "throw";
  document.documentElement.classList.add("live");
  // A spreadsheet takes a cell that begins so for a formula.
  const harmless = (text) => (FORMULA.test(text) ? "'" + text : text);
  const quoted = (text) => '"' + harmless(text).replace(/"/g, '""') + '"';
  // DataTables takes what it searches for HTML.
  const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  const element = (tag, more) => Object.assign(document.createElement(tag), more);
  const sentence = (proof) => (proof ? [...proof.querySelectorAll("p, li")].map((one) => one.textContent.replace(/\s+/g, " ").trim()).join(" ") : "");

  // Each row's sentence, taken out of the table: DataTables takes every row for data.
  function untold(table) {
    const proofs = new Map();
    let above = [];
    for (const row of [...table.tBodies[0].rows]) {
      if (row.className !== "proof") { above.push(row); continue; }
      for (const one of above) proofs.set(one, row);
      row.remove(); above = [];
    }
    return proofs;
  }
  // Sentences back below the rows that are shown, once for neighbours that share one.
  function tell(table, proofs) {
    const rows = [...table.tBodies[0].rows], used = new Set();
    rows.forEach((row, at) => {
      const proof = proofs.get(row);
      if (proof && proofs.get(rows[at + 1]) !== proof) { row.after(used.has(proof) ? proof.cloneNode(true) : proof); used.add(proof); }
    });
  }
  function make(box) {
    if (ready.has(box)) return;
    const table = box.querySelector("table"), names = [...table.tHead.rows[0].cells].map((head) => head.textContent);
    const label = box.firstElementChild.getAttribute("aria-label"), proofs = untold(table);
    const text = (cell) => cell.textContent.trim();
    for (const row of table.tBodies[0].rows) {
      [...row.cells].forEach((cell, at) => {
        cell.dataset.order = escaped(text(cell));
        cell.dataset.search = escaped(at ? text(cell) : `${text(cell)} ${sentence(proofs.get(row))}`);
      });
    }
    const rows = () => [names.concat(proofs.size ? "told" : []), ...made.rows({ order: "applied", search: "applied" }).nodes().toArray()
      .map((row) => [...row.cells].map(text).concat(proofs.size ? sentence(proofs.get(row)) : []))];
    const button = (word, act) => { const one = element("button", { type: "button", className: "tool", textContent: word }); one.addEventListener("click", () => act(one)); return one; };
    const copy = button("Copy", (one) => copied(rows().map((row) => row.map((cell) => harmless(cell.replace(/[\t\r\n]+/g, " "))).join("\t")).join("\n"), one));
    const save = button("CSV", () => {
      const link = element("a", { download: `${box.dataset.name}.csv`, href: URL.createObjectURL(new Blob([rows().map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n"], { type: "text/csv" })) });
      link.click(); setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    });
    const made = new DataTable(table, {
      pageLength: PAGE, autoWidth: false, order: [], orderClasses: false, columnDefs: [{ targets: "_all", type: "cell" }],
      layout: { topStart: ["search", ...(table.tBodies[0].rows.length > PAGE ? ["paging"] : []), "info", () => copy, () => save], topEnd: null, bottomStart: null, bottomEnd: null },
      language: { search: "", searchPlaceholder: "search", info: "_START_–_END_ of _TOTAL_", infoEmpty: "0 of _MAX_", infoFiltered: "(_MAX_ in all)", zeroRecords: "No row holds these words." },
      drawCallback: () => tell(table, proofs),
    });
    box.querySelector("input[type=search]").ariaLabel = `Search: ${label}`;
    box.querySelector("nav")?.setAttribute("aria-label", `Pages: ${label}`);
    box.dataset.ready = "1";
    ready.set(box, made);
  }
  const boxes = [...document.querySelectorAll(".grid")].filter((box) => box.querySelectorAll("tbody tr:not(.proof)").length > FEW);
  const near = new IntersectionObserver((seen) => { for (const one of seen) if (one.isIntersecting) { near.unobserve(one.target); make(one.target); } }, { rootMargin: "600px" });
  for (const box of boxes) near.observe(box);
  // Paper has no buttons: a page of a table is longer there. What stands in details is long enough.
  const resize = (printing) => ready.forEach((made, box) => made.page.len(printing && !box.closest("details") ? PRINTED : PAGE).draw());
  addEventListener("beforeprint", () => { boxes.forEach(make); resize(true); });
  addEventListener("afterprint", () => resize(false));
  // The next search box at or below the top of the screen.
  const search = () => {
    const box = boxes.find((one) => one.offsetParent && one.getBoundingClientRect().bottom > 0);
    if (box) { make(box); box.querySelector("input[type=search]").focus(); }
  };
  return { search };
})();
