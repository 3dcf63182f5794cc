// The charts: figures from JSON blocks, in the colours of the theme; a click shows evidence, a button goes to an incident.
const PAPER = 1000; // pixels of a page in landscape
for (const block of document.querySelectorAll('script[type="application/json"][id^="data-"]')) {
  const target = document.getElementById(block.id.replace("data-", "chart-"));
  if (!target) continue;
  const figure = JSON.parse(block.textContent), incidents = JSON.parse(document.getElementById("incidents-data").textContent);
  const axes = Object.keys(figure.layout).filter((key) => /^xaxis/.test(key));
  // plotly has a button that uploads the chart to its makers' servers: evidence never leaves, so it is taken off, and has no address.
  const options = { responsive: true, displaylogo: false, scrollZoom: false, showSendToCloud: false, plotlyServerURL: "", modeBarButtonsToRemove: ["sendChartToCloud", "select2d", "lasso2d", "autoScale2d"] };
  const themed = () => {
    const line = Theme.colour("--line"), colours = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", "font.color": Theme.colour("--ink") };
    for (const axis of Object.keys(figure.layout).filter((key) => /^[xy]axis/.test(key))) for (const part of ["gridcolor", "zerolinecolor", "linecolor"]) colours[`${axis}.${part}`] = line;
    return colours;
  };
  const repaint = () => {
    const marks = figure.data.flatMap((trace, number) => (trace.meta === "ink" ? [number] : [])), ink = Theme.colour("--ink");
    Plotly.relayout(target, themed());
    if (marks.length) Plotly.restyle(target, { "marker.color": ink, "marker.line.color": ink }, marks);
  };
  // The thinned lines, put back when an incident with every record is left.
  const whole = new Map(figure.data.map((trace, number) => [number, { x: trace.x, y: trace.y, hovertext: trace.hovertext, customdata: trace.customdata }]));
  let detailed = [];
  const put = (number, values) => Plotly.restyle(target, Object.fromEntries(Object.entries(values).map(([key, value]) => [key, [value]])), [number]);
  const restore = () => { for (const number of detailed) put(number, whole.get(number)); detailed = []; };
  const go = (incident) => {
    restore();
    for (const line of incident.lines) {
      const number = figure.data.findIndex((trace) => trace.name === line.name);
      if (number >= 0) { detailed.push(number); put(number, { x: line.x, y: line.y, hovertext: null, customdata: null }); }
    }
    Plotly.relayout(target, Object.fromEntries(axes.map((axis) => [`${axis}.range`, [incident.from, incident.to]])));
  };
  const everything = () => { restore(); Plotly.relayout(target, Object.fromEntries(axes.map((axis) => [`${axis}.autorange`, true]))); };
  // The colours stand before the first drawing: a second one would take as long again.
  for (const [path, value] of Object.entries(themed())) {
    const keys = path.split("."), leaf = keys.pop();
    keys.reduce((at, key) => (at[key] = at[key] || {}), figure.layout)[leaf] = value;
  }
  for (const trace of figure.data) if (trace.meta === "ink") trace.marker.color = trace.marker.line.color = Theme.colour("--ink");
  target.style.height = `${figure.layout.height}px`; // plotly asks its box how high it may be whenever the window changes
  Plotly.newPlot(target, figure.data, figure.layout, options).then(() => {
    target.dataset.ready = "1";
    target.on("plotly_click", (event) => {
      const said = event.points[0] && event.points[0].customdata;
      if (said) Panel.open(said[0], said[1], said[2], said[3]);
    });
    target.on("plotly_doubleclick", () => { restore(); });
  });
  document.addEventListener("theme", repaint);
  addEventListener("beforeprint", () => Plotly.relayout(target, { width: PAPER }));
  addEventListener("afterprint", () => Plotly.relayout(target, { width: null, autosize: true }));
  document.querySelectorAll("#jumps button").forEach((button) => button.addEventListener("click", () => {
    document.querySelectorAll("#jumps button").forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
    if (button.dataset.incident) go(incidents[Number(button.dataset.incident)]); else everything();
  }));
}
