// Every setting at one glance; a cell opens its curve.

const CIVIDIS = ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"];
const MEASURES = {
  auroc: { name: "AUROC", table: "alignment", range: [0.5, 1] },
  auprc: { name: "AUPRC", table: "alignment" },
  prr: { name: "PRR", table: "alignment" },
  ece: { name: "ECE (lower is better)", table: "alignment" },
  brier: { name: "Brier (lower is better)", table: "alignment" },
  accuracy: { name: "accuracy", table: "alignment" },
  area: { name: "area under the routing curve", table: "routing" },
  apgr: { name: "APGR", table: "routing" },
  gain_over_random: { name: "gain over random", table: "routing" },
};

async function drawHeatMap(isCurrent) {
  const measure = host("measure").value;
  const about = MEASURES[measure];
  const bySlm = host("heat-rows").value === "slm";
  const by = about.table === "routing" ? [...NAMED_BY, "llm"] : NAMED_BY;
  const { columns, rows } = await table(about.table, by);
  if (!isCurrent()) return;
  const values = columns.get(measure);
  const cellOf = (name, dataset) => {
    const names = bySlm ? [name, dataset, chosen.method] : [chosen.slm, dataset, name];
    const row = rows(...names, ...(about.table === "routing" ? [chosen.llm] : []))[0];
    return row === undefined ? null : record(columns, row);
  };
  const names = bySlm ? study.slms : study.methods;
  const grid = names.map((name) => study.datasets.map((dataset) => cellOf(name, dataset)));
  const isThin = (cell) => thin(cell, measure);
  const found = sensible(grid.flat().map((cell) => (cell && !isThin(cell) ? cell[measure] : NaN)));
  const scale = about.range ?? (found.length ? [Math.min(...found), Math.max(...found)] : [0, 1]);
  const of = bySlm ? `confidence of ${chosen.method}` : chosen.slm;
  const to = about.table === "routing" ? `, routing to ${chosen.llm || "an LLM"}` : "";
  if (!values || !grid.flat().some(Boolean)) return show("heat-map", message(about.table === "routing" ? NO_LLM : "Nothing was measured."));
  const marked = grid.flat().some((cell) => cell && crossFitted(cell)) ? " † cross-fitted: the probe was trained on labels of the evaluation split." : "";
  const few = grid.flat().some((cell) => cell && isThin(cell)) ? ` Without a colour: fewer than ${percent(study.least_coverage, 0)} of the rows have one.` : "";
  const caption = `${about.name} of ${of} by dataset${to}; below each figure, the share of the n rows that have a confidence.${few}${marked}`;
  show(
    "heat-map",
    element("p", { class: "note", id: "heat-caption" }, caption),
    element(
      "table",
      { class: "heat", role: "grid", "aria-labelledby": "heat-caption", onkeydown: moveInGrid },
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, bySlm ? "SLM" : "method"), ...study.datasets.map((name) => element("th", { scope: "col" }, name)))),
      element(
        "tbody",
        {},
        ...names.map((name, i) =>
          element("tr", {}, element("th", { scope: "row" }, name), ...study.datasets.map((dataset, j) => heatCell(grid[i][j], measure, scale, bySlm, name, dataset))),
        ),
      ),
    ),
    scaleLegend(scale, about.range),
  );
  const first = host("heat-map").querySelector("[aria-current]") ?? host("heat-map").querySelector("button");
  if (first) first.tabIndex = 0;
}

/** "†" where the probe learned from the rows that it is judged on, though never from the row itself. */
function crossFitted(cell) {
  return cell.fitted_on?.startsWith("cross-fitted") ? "†" : "";
}

/** Whether a figure is over too few of the rows to be compared with others; accuracy is over all of them. */
function thin(cell, measure) {
  const isOverAll = measure === "accuracy" || (MEASURES[measure].table === "routing" && study.unparsed === "route");
  return !isOverAll && !isCovered(cell.coverage);
}

function heatCell(cell, measure, scale, bySlm, name, dataset) {
  if (!cell) return element("td", { class: "absent" }, "not run");
  const value = cell[measure];
  const covered = coverage(cell.coverage, cell.n);
  const isChosen = dataset === chosen.dataset && name === (bySlm ? chosen.slm : chosen.method);
  const button = element(
    "button",
    {
      type: "button",
      tabindex: "-1",
      class: isDefined(value) ? (thin(cell, measure) ? "thin" : null) : "undefined",
      "aria-current": isChosen ? "true" : null,
      "aria-label": `${name}, ${dataset}: ${figure(value)}${crossFitted(cell) && ", cross-fitted"}, coverage ${covered}. Open its curve.`,
      onclick: () => {
        choose(bySlm ? { slm: name, dataset } : { method: name, dataset });
        host("curve-heading").scrollIntoView();
        host("curve-heading").focus({ preventScroll: true });
      },
    },
    element("span", {}, figure(value) + crossFitted(cell)),
    element("small", {}, covered),
  );
  if (isDefined(value) && !thin(cell, measure)) paint(button, (value - scale[0]) / (scale[1] - scale[0] || 1));
  return element("td", { role: "gridcell" }, button);
}

function paint(node, share) {
  const at = Math.max(0, Math.min(1, share)) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(at), CIVIDIS.length - 2);
  const channels = [1, 3, 5].map((from) => {
    const [a, b] = [CIVIDIS[low], CIVIDIS[low + 1]].map((colour) => parseInt(colour.slice(from, from + 2), 16));
    return Math.round(a + (at - low) * (b - a));
  });
  const linear = channels.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  const luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  node.style.backgroundColor = `rgb(${channels.join(" ")})`;
  // Whichever of the two has the larger contrast.
  node.style.color = luminance > 0.179 ? "#000" : "#fff";
}

function scaleLegend(scale, isFixed) {
  const steps = CIVIDIS.map((_, i) => {
    const step = element("span", {});
    paint(step, i / (CIVIDIS.length - 1));
    return step;
  });
  const low = isFixed ? `≤ ${figure(scale[0], 2)}` : figure(scale[0], 2);
  return element("p", { class: "scale" }, low, element("span", { class: "steps", "aria-hidden": "true" }, ...steps), figure(scale[1], 2));
}

/** Arrow keys, Home and End go from cell to cell. */
function moveInGrid(event) {
  const td = event.target.closest("td");
  if (!td) return;
  const [column, row] = [td.cellIndex, td.parentElement.rowIndex];
  const body = td.closest("table").rows;
  const last = td.parentElement.cells.length - 1;
  const to = {
    ArrowRight: [row, column + 1],
    ArrowLeft: [row, column - 1],
    ArrowDown: [row + 1, column],
    ArrowUp: [row - 1, column],
    Home: [row, 1],
    End: [row, last],
  }[event.key];
  const next = to && body[to[0]]?.cells[to[1]]?.querySelector("button");
  if (!next) return;
  event.preventDefault();
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
