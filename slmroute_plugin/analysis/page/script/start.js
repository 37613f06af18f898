// Ties the parts together.

let drawings = 0;

/** Draws all parts anew; what an earlier choice is still fetching is dropped. */
async function drawAll() {
  const mine = ++drawings;
  const isCurrent = () => mine === drawings;
  host("main").setAttribute("aria-busy", "true");
  try {
    await Promise.all([drawHeatMap(isCurrent), drawRouting(isCurrent), drawSpread(isCurrent), drawReliability(isCurrent), drawEnvelope(isCurrent), drawSamples(isCurrent)]);
  } finally {
    if (isCurrent()) host("main").setAttribute("aria-busy", "false");
  }
}

function listen() {
  for (const id of ["lines", "costs"]) host(id).addEventListener("change", () => shown && drawCurve(shown));
  for (const id of ["measure", "heat-rows"]) host(id).addEventListener("change", () => drawHeatMap(() => true));
  host("envelope-over").addEventListener("change", () => drawEnvelope(() => true));
  host("slider").addEventListener("input", () => chooseShare(Number(host("slider").value)));
  host("threshold").addEventListener("change", () => {
    const typed = host("threshold").valueAsNumber;
    if (!Number.isNaN(typed) && shown?.curve) chooseShare(shareOfThreshold(typed));
  });
  host("samples").addEventListener("toggle", () => drawSamples(() => true));
  for (const id of ["sample-filter", "sample-order"]) host(id).addEventListener("change", orderSamples);
  host("sample-search").addEventListener("input", orderSamples);
  host("sample-scroll").addEventListener("scroll", () => requestAnimationFrame(drawScrolled));
  host("sample-rows").addEventListener("keydown", moveInSamples);
  addEventListener("hashchange", () => {
    readAddress();
    showChosen();
    drawAll();
  });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (width === innerWidth) return;
    width = innerWidth;
    drawAll();
  });
}

if (typeof DecompressionStream === "undefined") {
  host("status").textContent = "This page needs a browser of 2023 or later (with DecompressionStream).";
  host("main").hidden = true;
} else if (!study.settings.length) {
  host("main").querySelectorAll("section:not([aria-labelledby='notes-heading'])").forEach((one) => (one.hidden = true));
  host("main").setAttribute("aria-busy", "false");
  host("status").textContent = "There is no run of an SLM with confidences in this folder.";
} else {
  fillSelects();
  followTheme();
  readAddress();
  showChosen();
  listen();
  drawAll();
}
