// The chosen setting: its figures, its curve, the threshold, and what becomes of it elsewhere.

const NAMED_BY = ["slm", "dataset", "method"];
const CURVE_COLUMNS = ["ratio", "threshold", "accuracy", "random", "oracle", "cost_usd", "total_cost_usd"];
const NO_PRICES = "Total costs need the prices of both models: slmroute report --prices FILE.";
const NO_LLM = "No LLM answered these questions, so there is nothing to route to: run lm_eval once for an LLM on the same task.";
const bands = new Map();
let shown = null;

/** All that the page knows of the chosen setting; `missing` says what is not there. */
async function chosenData() {
  const setting = chosenSetting();
  if (!setting) return { missing: `${chosen.slm} was not run on ${chosen.dataset}.` };
  const [rows, alignment, routing, curves] = await Promise.all([
    columnsOf(setting.rows),
    table("alignment", NAMED_BY),
    table("routing", [...NAMED_BY, "llm"]),
    setting.curves === null ? null : columnsOf(setting.curves),
  ]);
  const names = [chosen.slm, chosen.dataset, chosen.method];
  const llm = Object.hasOwn(setting.llms, chosen.llm) ? setting.llms[chosen.llm] : null;
  const confidence = rows.get(`confidence/${chosen.method}`) ?? null;
  return {
    setting,
    rows,
    curves,
    llm: llm && { ...llm, columns: await columnsOf(llm.rows) },
    confidence,
    surest: confidence && confidence.reduce((top, one) => (one > top ? one : top), 0),
    correct: rows.get(`correct/${chosen.method}`) ?? rows.get("correct"),
    alignment: record(alignment.columns, alignment.rows(...names)[0]),
    routing: record(routing.columns, routing.rows(...names, chosen.llm)[0]),
    curve: curves && curveOf(curves, chosen.method, chosen.llm),
    covered: (method, llm) => lineCoverage(routing, method, llm),
  };
}

/** The share of the questions that a curve is over: all of them, if those without a confidence are routed. */
function lineCoverage(routing, method, llm) {
  const found = record(routing.columns, routing.rows(chosen.slm, chosen.dataset, method, llm)[0]);
  return study.unparsed === "route" ? 1 : found?.coverage;
}

function curveOf(curves, method, llm) {
  const rows = rowsWhere(curves, { method, llm });
  if (!rows.length) return null;
  return Object.fromEntries(CURVE_COLUMNS.map((name) => [name, picked(curves, name, rows)]));
}

async function drawRouting(isCurrent) {
  const data = await chosenData();
  if (!isCurrent()) return;
  shown = data;
  host("setting-name").textContent = `${chosen.slm} on ${chosen.dataset}, ${chosen.method}`;
  const named = key(chosen.slm, chosen.dataset, chosen.method, chosen.llm);
  data.band = bands.get(named) ?? null;
  drawFigures(data);
  drawCurve(data);
  drawShare();
  await Promise.all([drawRelative(data, isCurrent), drawElsewhere(data, isCurrent), drawRanks(isCurrent)]);
  if (data.curve && data.confidence && !data.band) {
    // After a painted frame: the curve is there before its band is.
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (!isCurrent()) return;
    data.band = curveBand(data.confidence, data.correct, data.llm.columns.get("correct"));
    bands.set(named, data.band);
    drawCurve(data);
  }
}

function drawFigures(data) {
  if (data.missing) return show("figures", message(data.missing));
  if (!data.alignment) return show("figures", message(`${chosen.method} was not measured here.`));
  const a = data.alignment;
  const covered = coverage(a.coverage, a.n);
  const pairs = [
    ["AUROC", figure(a.auroc), interval(a.auroc_low, a.auroc_high)],
    ["AUPRC", figure(a.auprc)],
    ["PRR", figure(a.prr)],
    ["ECE", figure(a.ece)],
    ["Brier", figure(a.brier)],
    ["accuracy", percent(a.accuracy)],
    ["coverage", covered],
  ];
  if (a.fitted_on) pairs.push(["fitted on", a.fitted_on]);
  const children = [element("h3", {}, "Alignment of confidence and correctness"), figureList(pairs)];
  if (data.routing) children.push(element("h3", {}, `Routing to ${chosen.llm}`), figureList(routingFigures(data.routing)));
  show("figures", ...children);
}

function routingFigures(r) {
  return [
    ["SLM accuracy", percent(r.accuracy_slm)],
    ["LLM accuracy", percent(r.accuracy_llm)],
    ["oracle", percent(r.accuracy_oracle)],
    ["area", figure(r.area), interval(r.area_low, r.area_high)],
    ["APGR", figure(r.apgr), interval(r.apgr_low, r.apgr_high)],
    ["gain over random", figure(r.gain_over_random)],
    ["CPT 50 / 80 / 95%", [r.cpt_50, r.cpt_80, r.cpt_95].map((one) => percent(one, 0)).join(" / ")],
    ["AIQ", figure(r.aiq)],
    ["LPM / MPM / HCR", [r.lpm, r.mpm, r.hcr].map((one) => figure(one)).join(" / ")],
    ["all to the LLM", dollars(r.cost_llm_usd)],
    ["all answers of the SLM", dollars(r.cost_slm_usd)],
    ["the method on top", dollars(r.cost_method_usd)],
    ["break-even share", percent(r.break_even)],
    ["area over total cost", figure(r.area_cost)],
    ["coverage", coverage(r.coverage, r.n)],
  ];
}

/**
 * Lines beside the chosen line, as the select "lines" asks for, and names of those that are not drawn:
 * unless they are of one method, both lines have to be over enough of the questions to be compared.
 */
function otherLines(data) {
  const which = host("lines").value;
  const others =
    which === "methods"
      ? study.methods.map((name) => [name, name, chosen.llm])
      : which === "llms"
        ? study.llms.map((name) => [name, chosen.method, name])
        : [];
  const own = data.covered(chosen.method, chosen.llm);
  const found = others
    .map(([name, method, llm], at) => ({ name, method, llm, at, covered: data.covered(method, llm), curve: curveOf(data.curves, method, llm) }))
    .filter((one) => one.curve && !(one.method === chosen.method && one.llm === chosen.llm));
  const isComparable = (one) => one.method === chosen.method || (isCovered(own) && isCovered(one.covered));
  const named = (one) => one.name + covering(one.covered);
  return {
    drawn: found
      .filter(isComparable)
      .map((one) => ({ name: named(one), style: `c${1 + (one.at % (STYLES - 1))}`, thin: true, curve: one.curve, points: zipped(one.curve.ratio, one.curve.accuracy) })),
    absent: found.filter((one) => !isComparable(one)).map(named),
  };
}

const zipped = (xs, ys) => xs.map((x, i) => [x, ys[i]]);

/** Which column of a curve its lines are drawn over. */
const overCosts = () => host("costs").value === "all";

/** The chart of accuracy over the total cost of SLM, method and LLM, with both models alone as points. */
function drawCosts(into, data) {
  const { curve, routing } = data;
  const known = (line) => Number.isFinite(line.total_cost_usd[0]);
  if (!known(curve)) return into.replaceChildren(message(NO_PRICES));
  const others = otherLines(data);
  const alone = [
    [routing.cost_slm_usd, routing.accuracy_slm],
    [routing.cost_llm_usd, routing.accuracy_llm],
  ];
  const lines = [
    { name: "the SLM alone, the LLM alone, and random mixtures", style: "random", dots: true, points: alone },
    ...others.drawn.filter((line) => known(line.curve)).map((line) => ({ ...line, points: zipped(line.curve.total_cost_usd, line.curve.accuracy) })),
    { name: `${chosen.method} to ${chosen.llm}${covering(data.covered(chosen.method, chosen.llm))}`, style: "c0", points: zipped(curve.total_cost_usd, curve.accuracy) },
  ];
  const points = lines.flatMap((line) => line.points);
  const at = shareRow(curve);
  chart(into, {
    title: `Accuracy over total cost: ${percent(curve.accuracy[0])} for ${dollars(curve.total_cost_usd[0])} with nothing routed, ${percent(curve.accuracy.at(-1))} for ${dollars(curve.total_cost_usd.at(-1))} with everything routed. The figures are in the table below.`,
    x: { label: "dollars for all questions: SLM, method and LLM", range: [0, 1.05 * Math.max(...sensible(points.map(([x]) => x)))], format: dollars },
    y: { label: "overall accuracy", range: range(points.map(([, y]) => y), 0, 1), format: percentTick },
    lines,
    absent: others.absent,
    marker: at >= 0 ? { x: curve.total_cost_usd[at], y: curve.accuracy[at] } : null,
  });
}

function drawCurve(data) {
  const into = host("curve-chart");
  host("slider").disabled = host("threshold").disabled = !data.curve;
  if (!data.curve) {
    show("curve-table");
    const why = data.missing ?? (!data.llm ? NO_LLM : `${chosen.method} has no curve here: it gave no confidence.`);
    return into.replaceChildren(message(why));
  }
  show("curve-table", asTable("The curve's figures as a table", () => curveTable(data.curve, data)));
  if (overCosts()) return drawCosts(into, data);
  const { curve, band } = data;
  const others = otherLines(data);
  const lines = [
    { name: "oracle", style: "oracle", points: zipped(curve.ratio, curve.oracle) },
    { name: "random routing", style: "random", points: zipped(curve.ratio, curve.random) },
    ...others.drawn,
    { name: `${chosen.method} to ${chosen.llm}${covering(data.covered(chosen.method, chosen.llm))}`, style: "c0", points: zipped(curve.ratio, curve.accuracy) },
  ];
  const heights = lines.flatMap((line) => line.points.map(([, y]) => y)).concat(band?.flat() ?? []);
  const at = curve.ratio.findIndex((ratio) => Math.round(100 * ratio) === chosen.share);
  chart(into, {
    title: `Routing curve: overall accuracy from ${percent(curve.accuracy[0])} with nothing routed to ${percent(curve.accuracy.at(-1))} with everything routed. The figures are in the table below.`,
    x: { label: "share of questions sent to the LLM", range: [0, 1], format: percentTick },
    y: { label: "overall accuracy", range: range(heights, 0, 1), format: percentTick },
    lines,
    absent: others.absent,
    band: band && curve.ratio.map((ratio, i) => [ratio, ...band[i]]),
    bandName: "95% band",
    marker: at >= 0 ? { x: curve.ratio[at], y: curve.accuracy[at] } : null,
  });
}

const curveTable = (curve, data) =>
  figureTable(
    "Routing curve",
    ["share routed", "threshold", "accuracy", "95% band", "random", "oracle", "cost", "total cost"],
    curve.ratio.map((ratio, i) => [
      percent(ratio, 0),
      thresholdInWords(curve.threshold[i], data),
      percent(curve.accuracy[i]),
      data.band ? `${percent(data.band[i][0])} – ${percent(data.band[i][1])}` : UNDEFINED,
      percent(curve.random[i]),
      percent(curve.oracle[i]),
      dollars(curve.cost_usd[i]),
      dollars(curve.total_cost_usd[i]),
    ]),
  );

/** A threshold that no confidence reaches routes everything. */
const thresholdInWords = (threshold, data) => (threshold > data.surest ? "above all" : figure(threshold, 4));

const shareRow = (curve) => curve.ratio.findIndex((ratio) => Math.round(100 * ratio) === chosen.share);

/** The read-out of the slider. */
function drawShare() {
  const slider = host("slider");
  slider.value = String(chosen.share);
  const data = shown;
  if (!data?.curve) return show("read-out", message("There is no curve here to set a threshold on."));
  const { curve } = data;
  const at = shareRow(curve);
  const threshold = curve.threshold[at];
  const words = thresholdInWords(threshold, data);
  slider.setAttribute("aria-valuetext", `${chosen.share}% routed, threshold ${words}, accuracy ${percent(curve.accuracy[at])}`);
  if (document.activeElement !== host("threshold")) {
    host("threshold").value = Number.isFinite(threshold) ? threshold.toFixed(4) : "";
  }
  const entry = (id, name, value) => element("div", {}, element("dt", {}, name), element("dd", { id }, value));
  show(
    "read-out",
    element(
      "dl",
      { class: "figures large" },
      entry("at-threshold", "threshold", words),
      entry("at-share", "sent to the LLM", percent(curve.ratio[at], 0)),
      entry("at-accuracy", "accuracy", percent(curve.accuracy[at])),
      entry("at-random", "random routing", percent(curve.random[at])),
      entry("at-cost", "cost", dollars(curve.cost_usd[at])),
      entry("at-total", "total cost", dollars(curve.total_cost_usd[at])),
      entry("at-coverage", "coverage", coverage(data.routing?.coverage, data.routing?.n)),
    ),
    ...ruleInWords(data, threshold),
  );
}

function ruleInWords(data, threshold) {
  if (!data.confidence || !data.llm) return [];
  const rule = ruleOnRows(data.confidence, data.correct, data.llm.columns.get("correct"), threshold, chosen.share);
  const text = `The rule “confidence below ${thresholdInWords(threshold, data)}” sends ${count(rule.sent)} of the ${count(rule.n)} answers that count (${percent(rule.sent / rule.n)}) and is right on ${percent(rule.accuracy)}. `;
  const tied = rule.sent / rule.n - chosen.share / 100 > 1.5 / rule.n + 0.001;
  const why = tied ? "Answers with the same confidence go together, so it sends more than the curve’s share." : "";
  return [element("p", { id: "rule", class: "note" }, text, why)];
}

/** To the largest share whose threshold is not above what was typed. */
function shareOfThreshold(typed) {
  const { threshold } = shown.curve;
  let share = 0;
  threshold.forEach((one, i) => {
    if (one <= typed || typed > shown.surest) share = Math.round(100 * shown.curve.ratio[i]);
  });
  return share;
}

function chooseShare(share) {
  chosen.share = share;
  drawShare();
  if (shown?.curve) drawCurve(shown);
  drawRouted();
  clearTimeout(chooseShare.later);
  // Browsers forbid many changes of the address in a short time.
  chooseShare.later = setTimeout(writeAddress, 250);
}

async function drawRelative(data, isCurrent) {
  const into = host("relative-chart");
  const columns = data.setting?.relative_accuracy == null ? null : await columnsOf(data.setting.relative_accuracy);
  if (!isCurrent()) return;
  const rows = columns ? rowsWhere(columns, { method: chosen.method, llm: chosen.llm }) : [];
  show("relative-table");
  if (!rows.length) return into.replaceChildren(message(data.missing ?? NO_LLM));
  const [top, n, slm, llm, ratio] = ["top_percent", "n", "accuracy_slm", "accuracy_llm", "ratio"].map((name) => picked(columns, name, rows));
  chart(into, {
    title: "Accuracy of the SLM and of the LLM on the SLM's most confident answers",
    x: { label: "most confident share of the answers", range: [0, 100], format: (tick) => `${tick}%` },
    y: { label: "accuracy there", range: range([...slm, ...llm], 0, 1), format: percentTick },
    lines: [
      { name: chosen.llm, style: "c1", points: zipped(top, llm) },
      { name: chosen.slm, style: "c0", points: zipped(top, slm) },
    ],
  });
  show(
    "relative-table",
    asTable("These figures as a table", () =>
      figureTable("Relative accuracy", ["most confident", "n", "SLM", "LLM", "SLM / LLM"], top.map((one, i) => [`${one}%`, count(n[i]), percent(slm[i]), percent(llm[i]), figure(ratio[i])])),
    ),
  );
}

async function drawElsewhere(data, isCurrent) {
  const columns = data.setting?.generalisation == null ? null : await columnsOf(data.setting.generalisation);
  if (!isCurrent()) return;
  const rows = columns ? rowsWhere(columns, { method: chosen.method, llm: chosen.llm }) : [];
  if (!rows.length) return show("elsewhere", message("This table needs an LLM and at least two datasets."));
  const cells = rows.map((row) => {
    const r = record(columns, row);
    return [percent(r.target_ratio, 0), figure(r.threshold, 4), percent(r.realised_ratio), percent(r.accuracy), percent(r.own_accuracy), percent(r.random_accuracy)];
  });
  show(
    "elsewhere",
    figureTable(`Threshold from all datasets but ${chosen.dataset}`, ["promised share", "threshold", "realised share", "accuracy", "with its own threshold", "random routing"], cells),
  );
}

async function drawRanks(isCurrent) {
  const [ranks, comparison] = await Promise.all([table("ranks", ["slm", "llm"]), table("comparison", ["slm", "llm"])]);
  if (!isCurrent()) return;
  const of = (one) => one.rows(chosen.slm, chosen.llm).map((row) => record(one.columns, row));
  const ranked = of(ranks).sort((a, b) => a.mean_rank - b.mean_rank);
  if (!ranked.length) return show("ranks", message("This table needs an LLM and at least two methods."));
  const difference = ranked[0].critical_difference;
  const pairs = of(comparison);
  show(
    "ranks",
    figureTable(
      `Methods by mean rank of the area under the curve (critical difference: ${figure(difference, 2)})`,
      ["method", "mean rank", "datasets"],
      ranked.map((r) => [r.method, figure(r.mean_rank, 2), count(r.datasets)]),
    ),
    asTable("Every pair of methods", () =>
      figureTable(
        "Difference of mean area between two methods",
        ["methods", "difference", "95% interval", "p", "p (Holm)", "datasets", "n"],
        pairs.map((r) => [`${r.method_a} − ${r.method_b}`, figure(r.difference, 4), interval(r.low, r.high, 4) || UNDEFINED, figure(r.p_value), figure(r.p_holm), count(r.datasets), count(r.n)]),
      ),
    ),
  );
}
