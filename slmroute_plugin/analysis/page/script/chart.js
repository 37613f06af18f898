// Line and bar charts as SVG, drawn at the width that there is, so that text keeps its size.

const MARGIN = { top: 12, right: 24, bottom: 44, left: 56 };
const STYLES = 9;

function niceTicks(low, high, wanted) {
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((times) => times * power >= rough);
  const ticks = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step) ticks.push(tick);
  return ticks;
}

const sensible = (values) => values.filter((value) => Number.isFinite(value));

function range(values, floor, ceiling) {
  const good = sensible(values);
  let [low, high] = [Math.min(...good), Math.max(...good)];
  const pad = Math.max(0.01, 0.06 * (high - low));
  low = Math.max(floor, low - pad);
  high = Math.min(ceiling, high + pad);
  return high > low ? [low, high] : [low - 0.01, high + 0.01];
}

function path(points) {
  let drawing = false;
  return points
    .map(([x, y]) => {
      if (!Number.isFinite(x) || !Number.isFinite(y)) {
        drawing = false;
        return "";
      }
      const step = `${drawing ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`;
      drawing = true;
      return step;
    })
    .join("");
}

/**
 * A chart of lines over x, with its legend.
 *
 * @param into where it is to stand; its width is the chart's
 * @param about title, x and y: {label, range, format}; lines: {name, style, points, thin, dots};
 *   band: [x, low, high] points; bars: [low, high, height]; marker: {x, y}; absent: names of lines
 *   that are not drawn, for the legend alone
 */
function chart(into, about) {
  const width = Math.max(280, Math.min(760, Math.floor(into.clientWidth)));
  const height = Math.round(Math.max(240, Math.min(400, width * 0.58)));
  const right = width - MARGIN.right;
  const bottom = height - MARGIN.bottom;
  const x = (value) =>
    MARGIN.left + ((value - about.x.range[0]) / (about.x.range[1] - about.x.range[0])) * (right - MARGIN.left);
  const y = (value) =>
    bottom - ((value - about.y.range[0]) / (about.y.range[1] - about.y.range[0])) * (bottom - MARGIN.top);
  const svg = shape("svg", {
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    role: "img",
    "aria-label": about.title,
  });
  svg.append(...axes(about, x, y, { width, height, right, bottom }));
  for (const [low, high, top] of about.bars ?? []) {
    svg.append(shape("rect", { class: "bar", x: x(low) + 0.5, width: Math.max(0, x(high) - x(low) - 1), y: y(top), height: Math.max(0, bottom - y(top)) }));
  }
  if (about.band) {
    const upper = about.band.map(([at, , high]) => [x(at), y(high)]);
    const lower = about.band.map(([at, low]) => [x(at), y(low)]).reverse();
    svg.append(shape("path", { class: "band", d: `${path([...upper, ...lower])}Z` }));
  }
  for (const line of about.lines) {
    const d = path(line.points.map(([at, value]) => [x(at), y(value)]));
    svg.append(shape("path", { class: `line ${line.style}${line.thin ? " thin" : ""}`, d, "data-line": line.name }));
    if (line.dots) svg.append(...line.points.map(([at, value]) => shape("circle", { class: `dot ${line.style}`, cx: x(at), cy: y(value), r: 3.5 })));
  }
  if (about.marker && Number.isFinite(about.marker.y)) {
    svg.append(
      shape("line", { class: "marker", x1: x(about.marker.x), x2: x(about.marker.x), y1: MARGIN.top, y2: bottom }),
      shape("circle", { class: "marker", cx: x(about.marker.x), cy: y(about.marker.y), r: 5 }),
    );
  }
  into.replaceChildren(svg, legend(about));
}

function axes(about, x, y, size) {
  const parts = [];
  for (const tick of niceTicks(...about.y.range, 5)) {
    parts.push(
      shape("line", { class: "grid", x1: MARGIN.left, x2: size.right, y1: y(tick), y2: y(tick) }),
      shape("text", { class: "tick", x: MARGIN.left - 7, y: y(tick) + 4, "text-anchor": "end" }, about.y.format(tick)),
    );
  }
  for (const tick of niceTicks(...about.x.range, 5)) {
    parts.push(
      shape("line", { class: "grid", x1: x(tick), x2: x(tick), y1: MARGIN.top, y2: size.bottom }),
      shape("text", { class: "tick", x: x(tick), y: size.bottom + 17, "text-anchor": "middle" }, about.x.format(tick)),
    );
  }
  const middle = (MARGIN.top + size.bottom) / 2;
  parts.push(
    shape("text", { class: "axis", x: (MARGIN.left + size.right) / 2, y: size.height - 6, "text-anchor": "middle" }, about.x.label),
    shape("text", { class: "axis", x: 0, y: 0, "text-anchor": "middle", transform: `translate(13 ${middle}) rotate(-90)` }, about.y.label),
  );
  return parts;
}

function legend(about) {
  const items = about.lines.filter((line) => line.inLegend !== false).map((line) => [line.name, shape("path", { class: `line ${line.style}${line.thin ? " thin" : ""}`, d: "M1,7L35,7" })]);
  if (about.band) items.push([about.bandName, shape("rect", { class: "band", x: 1, y: 1, width: 34, height: 12 })]);
  if (about.bars) items.push([about.barName, shape("rect", { class: "bar", x: 1, y: 1, width: 34, height: 12 })]);
  return element(
    "ul",
    { class: "legend" },
    ...items.map(([name, mark]) =>
      element("li", {}, shape("svg", { width: 36, height: 14, "aria-hidden": "true" }, mark), name),
    ),
    ...(about.absent ?? []).map((name) => element("li", { class: "absent" }, `${name}: not drawn`)),
  );
}
