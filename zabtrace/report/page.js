"use strict";
for (const block of document.querySelectorAll('script[type="application/json"]')) {
  const target = document.getElementById(block.id.slice("data-".length));
  const figure = JSON.parse(block.textContent);
  const options = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
  Plotly.newPlot(target, figure.data, figure.layout, options);
}
