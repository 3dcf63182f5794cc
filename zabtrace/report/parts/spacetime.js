// The space-time view of an election: time runs downwards, a lane per server, arrows from sender to receiver; step through it.
(() => {
  const block = document.getElementById("ballots-data"), root = document.getElementById("spacetime");
  if (!block || !root) return;
  const elections = JSON.parse(block.textContent), SVG = "http://www.w3.org/2000/svg", ROW = 34, TOP = 44;
  const make = (tag, attributes, text) => { const one = document.createElementNS(SVG, tag); for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value); if (text) one.textContent = text; return one; };
  const [choose, first, back, next, last, said, drawing] = ["choose", "first", "back", "next", "last", "said", "drawing"].map((name) => root.querySelector(`.${name}`));
  let election = null, at = 0;
  function draw() {
    const width = Math.max(drawing.clientWidth, 300), count = election.servers.length, steps = election.steps;
    const x = (server) => 60 + (election.servers.indexOf(server) + 0.5) * ((width - 80) / count), y = (index) => TOP + 20 + index * ROW;
    // Steps are equally far apart, in the order of time; where something was sent is found by its time among them.
    const when = (time) => { const after = steps.findIndex((step) => step.time >= time); return after < 0 ? steps.length - 0.5 : after === 0 ? -0.4 : after - 0.5; };
    const svg = make("svg", { width, height: y(steps.length) + 10, role: "img", "aria-label": election.title });
    const defs = make("defs", {}), head = make("marker", { id: "head", viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" });
    head.append(make("path", { d: "M0,0L10,5L0,10z", class: "arrowhead" })); defs.append(head); svg.append(defs);
    for (const server of election.servers) {
      svg.append(make("line", { x1: x(server), x2: x(server), y1: TOP, y2: y(steps.length), class: "lane" }), make("text", { x: x(server), y: 20, class: "name" }, `server ${server}`));
    }
    steps.forEach((step, index) => {
      const group = make("g", { class: `step ${step.kind}${index > at ? " later" : ""}${index === at ? " now" : ""}`, tabindex: "-1" });
      if (step.kind === "vote") {
        const begin = step.sent === null ? index - 0.4 : Math.min(when(step.sent), index - 0.4);
        group.append(make("line", { x1: x(step.sender), y1: y(begin), x2: x(step.server), y2: y(index), "marker-end": "url(#head)", class: step.sent === null ? "arrow unsure" : "arrow" }));
      } else {
        const mark = { change: ["circle", { r: 6 }], quorum: ["rect", { x: x(step.server) - 7, y: y(index) - 7, width: 14, height: 14 }], decision: ["path", { d: `M${x(step.server)},${y(index) - 9}l9,9l-9,9l-9,-9z` }] }[step.kind];
        group.append(make(mark[0], { cx: x(step.server), cy: y(index), ...mark[1] }));
      }
      group.append(make("title", {}, step.text));
      group.append(make("text", { x: 4, y: y(index) + 4, class: "clock" }, new Date(step.clock).toISOString().slice(17, 23)));
      group.addEventListener("click", () => { go(index); Panel.open(election.title, step.text, step.places, null); });
      svg.append(group);
    });
    drawing.replaceChildren(svg);
  }
  function go(to) {
    at = Math.min(Math.max(to, 0), election.steps.length - 1);
    const step = election.steps[at];
    said.textContent = step ? `${at + 1} of ${election.steps.length}: ${step.text}` : "No vote has a time.";
    first.disabled = back.disabled = at <= 0; next.disabled = last.disabled = at >= election.steps.length - 1;
    draw();
    const now = drawing.querySelector(".now");
    if (now && step) drawing.scrollTop = Math.max(TOP + at * ROW - drawing.clientHeight / 2, 0);
  }
  const pick = () => { election = elections[Number(choose.value)]; go(election.steps.length - 1); };
  choose.addEventListener("change", pick);
  first.addEventListener("click", () => go(0)); back.addEventListener("click", () => go(at - 1));
  next.addEventListener("click", () => go(at + 1)); last.addEventListener("click", () => go(election.steps.length - 1));
  root.addEventListener("keydown", (event) => {
    const moves = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
    if (moves[event.key] && event.target !== choose) { event.preventDefault(); go(at + moves[event.key]); }
  });
  root.hidden = false;
  new IntersectionObserver((seen, observer) => { if (seen.some((one) => one.isIntersecting)) { observer.disconnect(); pick(); } }, { rootMargin: "400px" }).observe(root);
  addEventListener("beforeprint", () => { if (!election) pick(); });
  addEventListener("resize", () => { if (election) draw(); });
})();
