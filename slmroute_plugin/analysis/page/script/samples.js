// The sample browser: rows are decoded when it is opened, and only those in sight are drawn.

const SPARE_ROWS = 6;
const narrow = matchMedia("(max-width: 760px)");
const rowHeight = () => (narrow.matches ? 132 : 60);
const browser = { data: null, texts: null, order: new Uint32Array(0), active: 0, drawn: null };

const isOpen = () => host("samples").open;

async function drawSamples(isCurrent) {
  if (!isOpen()) return;
  const data = await chosenData();
  if (!isCurrent()) return;
  browser.data = data;
  browser.texts = null;
  if (data.missing || !data.confidence) {
    host("sample-grid").hidden = true;
    host("sample-count").textContent = data.missing ?? `${chosen.method} was not measured here.`;
    return;
  }
  const { setting, llm } = data;
  const [questions, targets, answers, llmAnswers] = await Promise.all(
    [setting.questions, setting.targets, setting.answers, llm ? llm.answers : null].map(textsOf),
  );
  if (!isCurrent()) return;
  browser.texts = { questions, targets, answers, llmAnswers };
  host("sample-grid").hidden = false;
  orderSamples();
}

/** What becomes of a row at the chosen threshold. */
function fate(row) {
  const { data } = browser;
  const threshold = data.curve ? data.curve.threshold[shareRow(data.curve)] : NaN;
  const goes = Boolean(data.curve) && goesToLlm(data.confidence[row], threshold, chosen.share);
  const slm = data.correct[row];
  const llm = data.llm ? data.llm.columns.get("correct")[row] : null;
  return { goes, slm, llm, final: goes ? llm : slm };
}

const FILTERS = {
  all: () => true,
  right: (one) => one.slm === 1,
  wrong: (one) => one.slm === 0,
  routed: (one) => one.goes,
  kept: (one) => !one.goes,
  mended: (one) => one.goes && one.slm === 0 && one.llm === 1,
  spoilt: (one) => one.goes && one.slm === 1 && one.llm === 0,
  missed: (one) => !one.goes && one.slm === 0,
};

function orderSamples() {
  if (!browser.texts) return;
  const { data, texts } = browser;
  const keep = FILTERS[host("sample-filter").value];
  const words = host("sample-search").value.trim().toLowerCase();
  const found = [];
  for (let row = 0; row < data.confidence.length; row++) {
    if (keep(fate(row)) && (!words || mentions(texts, row, words))) found.push(row);
  }
  const sure = (row) => sureness(data.confidence[row]);
  const by = { doc: (a, b) => a - b, least: (a, b) => sure(a) - sure(b), most: (a, b) => sure(b) - sure(a) }[host("sample-order").value];
  browser.order = Uint32Array.from(found.sort(by));
  browser.active = 0;
  host("sample-count").textContent = `${count(found.length)} of ${count(data.confidence.length)} rows`;
  host("sample-table").setAttribute("aria-rowcount", String(found.length + 1));
  host("sample-scroll").scrollTop = 0;
  drawRows();
  drawDetail();
}

const mentions = (texts, row, words) =>
  [texts.questions, texts.answers, texts.llmAnswers, texts.targets].some((column) => column?.[row]?.toLowerCase().includes(words));

/** Only the threshold moved: filters that depend on it are applied anew. */
function drawRouted() {
  if (!isOpen() || !browser.texts) return;
  if (["routed", "kept", "mended", "spoilt", "missed"].includes(host("sample-filter").value)) orderSamples();
  else {
    drawRows();
    drawDetail();
  }
}

/** The places [first, last) to draw, some of them to spare, and how high each is. */
function inSight() {
  const scroll = host("sample-scroll");
  const height = rowHeight();
  const first = Math.max(0, Math.floor(scroll.scrollTop / height) - SPARE_ROWS);
  const last = Math.min(browser.order.length, Math.ceil((scroll.scrollTop + scroll.clientHeight) / height) + SPARE_ROWS);
  return { first, last, height };
}

/** Scrolling leaves rows that are drawn as they are: one of them may have the focus and be read aloud. */
function drawScrolled() {
  const { first, last, height } = inSight();
  const { drawn } = browser;
  if (drawn?.first !== first || drawn.last !== last || drawn.height !== height) drawRows();
}

function drawRows() {
  browser.drawn = inSight();
  const { first, last, height } = browser.drawn;
  const body = host("sample-rows");
  host("sample-space").style.height = `${browser.order.length * height}px`;
  const hadFocus = body.contains(document.activeElement);
  const rows = [];
  for (let at = first; at < last; at++) rows.push(sampleRow(at, height));
  body.replaceChildren(...rows);
  if (hadFocus) body.querySelector("[tabindex='0']")?.focus({ preventScroll: true });
}

const verdict = (right) => (right === null ? "no LLM" : right ? "✓ right" : "✗ wrong");
const verdictClass = (right) => (right === null ? "" : right ? "right" : "wrong");

function sampleRow(at, height) {
  const row = browser.order[at];
  const { data, texts } = browser;
  const one = fate(row);
  const cell = (name, ...children) => element("div", { role: "gridcell", class: `cell ${name}` }, ...children);
  const node = element(
    "div",
    {
      role: "row",
      class: "sample",
      "aria-rowindex": String(at + 2),
      "aria-selected": at === browser.active ? "true" : "false",
      tabindex: at === browser.active ? "0" : "-1",
      onclick: () => activate(at),
    },
    cell("doc", String(data.rows.get("doc_id")[row])),
    cell("question", textOf(texts.questions, row)),
    cell("answer", textOf(texts.answers, row)),
    cell(`verdict ${verdictClass(one.slm)}`, verdict(one.slm)),
    cell("confidence", confidenceInWords(data.confidence[row])),
    cell("fate", data.curve ? (one.goes ? "→ LLM" : "kept") : "–"),
    cell("answer routed", one.goes ? textOf(texts.llmAnswers, row) : "the SLM’s"),
    cell(`verdict final ${verdictClass(one.final)}`, verdict(one.final)),
  );
  node.style.transform = `translateY(${at * height}px)`;
  return node;
}

const confidenceInWords = (confidence) => (Number.isNaN(confidence) ? "none" : confidence.toFixed(4));
const textOf = (column, row) => (column ? column[row] || element("em", {}, "no text") : element("em", {}, "text not kept"));

function drawDetail() {
  const row = browser.order[browser.active];
  if (row === undefined) return show("sample-detail", message("No row matches the filter and the words."));
  const { data, texts } = browser;
  const one = fate(row);
  const part = (name, column) => [element("dt", {}, name), element("dd", {}, textOf(column, row))];
  const llm = data.llm ? part(`${chosen.llm} answered (${verdict(one.llm)})`, texts.llmAnswers) : [];
  show(
    "sample-detail",
    element("h3", {}, `Row ${data.rows.get("doc_id")[row]}`),
    element(
      "dl",
      { class: "texts" },
      ...part("question", texts.questions),
      ...part("right answer", texts.targets),
      ...part(`${chosen.slm} answered (${verdict(one.slm)})`, texts.answers),
      ...llm,
      element("dt", {}, "confidence by method"),
      element("dd", {}, confidencesOf(data, row)),
    ),
  );
}

const confidencesOf = (data, row) =>
  [...data.rows.keys()]
    .filter((name) => name.startsWith("confidence/"))
    .map((name) => `${name.slice("confidence/".length)} ${confidenceInWords(data.rows.get(name)[row])}`)
    .join(" · ");

function activate(at) {
  browser.active = Math.max(0, Math.min(browser.order.length - 1, at));
  const scroll = host("sample-scroll");
  const top = browser.active * rowHeight();
  if (top < scroll.scrollTop) scroll.scrollTop = top;
  else if (top + rowHeight() > scroll.scrollTop + scroll.clientHeight) scroll.scrollTop = top + rowHeight() - scroll.clientHeight;
  drawRows();
  host("sample-rows").querySelector("[tabindex='0']")?.focus({ preventScroll: true });
  drawDetail();
}

function moveInSamples(event) {
  const page = Math.max(1, Math.floor(host("sample-scroll").clientHeight / rowHeight()) - 1);
  const to = {
    ArrowDown: browser.active + 1,
    ArrowUp: browser.active - 1,
    PageDown: browser.active + page,
    PageUp: browser.active - page,
    Home: 0,
    End: browser.order.length - 1,
  }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  activate(to);
}
