// The charts: figures from JSON blocks, in the colours of the theme.
for (const block of document.querySelectorAll('script[type="application/json"][id^="data-"]')) {
  const target = document.getElementById(block.id.replace("data-", "chart-"));
  if (!target) continue;
  const figure = JSON.parse(block.textContent);
  const options = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
  const themed = () => {
    const ink = Theme.colour("--ink"), line = Theme.colour("--line"), colours = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: Theme.colour("--paper"), "font.color": ink };
    for (const axis of Object.keys(figure.layout).filter((key) => /^[xy]axis/.test(key))) Object.assign(colours, { [axis + ".gridcolor"]: line, [axis + ".zerolinecolor"]: line, [axis + ".linecolor"]: line });
    return colours;
  };
  const inked = () => figure.data.flatMap((trace, number) => (trace.meta === "ink" ? [number] : []));
  Plotly.newPlot(target, figure.data, figure.layout, options).then(() => Plotly.relayout(target, themed()));
  document.addEventListener("theme", () => { Plotly.update(target, {}, themed()); const marks = inked(); if (marks.length) Plotly.restyle(target, { "marker.color": Theme.colour("--ink"), "marker.line.color": Theme.colour("--ink") }, marks); });
}
