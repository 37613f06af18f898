// Figures in words, and elements to put them in. Text only ever enters as text.

const UNDEFINED = "undefined";
const isDefined = (value) => typeof value === "number" && !Number.isNaN(value);
const figure = (value, digits = 3) => (isDefined(value) ? value.toFixed(digits) : UNDEFINED);
const percent = (value, digits = 2) => (isDefined(value) ? `${(100 * value).toFixed(digits)}%` : UNDEFINED);
const percentTick = (value) => percent(value, Math.abs(100 * value - Math.round(100 * value)) < 1e-6 ? 0 : 1);
const count = (value) => (isDefined(value) ? Math.round(value).toLocaleString("en") : UNDEFINED);
const interval = (low, high, digits = 3) =>
  isDefined(low) && isDefined(high) ? `[${figure(low, digits)}, ${figure(high, digits)}]` : "";

function dollars(value) {
  if (!isDefined(value)) return "price not known";
  const size = Math.abs(value);
  if (size > 0 && size < 0.01) return `$${value.toPrecision(3)}`;
  return `$${value.toFixed(size > 0 && size < 1 ? 4 : 2)}`;
}

function coverage(share, n) {
  const whole = share === 1 ? "100" : Math.min(99.9, 100 * share).toFixed(share < 0.9995 ? 0 : 1);
  return isDefined(share) ? `${whole}% of ${count(n)}` : UNDEFINED;
}

/** Whether a line over that share of the questions can stand beside lines over all of them. */
const isCovered = (share) => share >= study.least_coverage;

/** What a legend adds to a name: the share of the questions with a confidence, if it is not all. */
function covering(share) {
  if (!isDefined(share) || share >= 1) return "";
  if (share > 0 && share < 0.01) return " (on <1%)";
  return ` (on ${Math.min(99, Math.round(100 * share))}%)`;
}

const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

const element = (tag, attributes = {}, ...children) =>
  filled(document.createElement(tag), attributes, children);
const shape = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS(SVG, tag), attributes, children);
const host = (id) => document.getElementById(id);
const show = (id, ...children) => host(id).replaceChildren(...children);
const message = (text) => element("p", { class: "empty" }, text);

/** A list of figures with their names. */
function figureList(pairs) {
  return element(
    "dl",
    { class: "figures" },
    ...pairs.map(([name, value, note]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value, note ? element("small", {}, ` ${note}`) : null)),
    ),
  );
}

/** A table of figures: `names` of the columns, and rows of texts, of which the first is a heading. */
function figureTable(caption, names, rows) {
  return element(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    element(
      "table",
      { class: "plain" },
      element("caption", {}, caption),
      element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name)))),
      element(
        "tbody",
        {},
        ...rows.map(([first, ...rest]) =>
          element("tr", {}, element("th", { scope: "row" }, first), ...rest.map((cell) => element("td", {}, cell))),
        ),
      ),
    ),
  );
}

/** The figures behind a chart, which are made when they are asked for. */
function asTable(summary, make) {
  const details = element("details", { class: "as-table" }, element("summary", {}, summary));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(make());
  });
  return details;
}
