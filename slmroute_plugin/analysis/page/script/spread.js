// How confidences are distributed: over datasets, and for right and wrong answers.

const BINS = 20;

async function drawSpread(isCurrent) {
  const [histograms, alignment, insight] = await Promise.all([table("histograms", NAMED_BY), table("alignment", NAMED_BY), table("insight", ["measure", "between"])]);
  const data = await chosenData();
  if (!isCurrent()) return;
  drawDatasets(histograms, alignment);
  drawRightAndWrong(data);
  drawInsight(insight);
}

function drawDatasets(histograms, alignment) {
  const into = host("datasets-chart");
  show("datasets-table");
  const found = study.datasets
    .map((dataset) => {
      const rows = histograms.rows(chosen.slm, dataset, chosen.method);
      const a = record(alignment.columns, alignment.rows(chosen.slm, dataset, chosen.method)[0]);
      const [low, high, share] = ["low", "high", "share"].map((name) => picked(histograms.columns, name, rows));
      return { dataset, low, high, share, rows: a ? a.n * a.coverage : 0, coverage: a?.coverage, covered: a ? coverage(a.coverage, a.n) : UNDEFINED };
    })
    .filter((one) => sensible(one.share).length);
  if (!found.length) return into.replaceChildren(message(`${chosen.method} gave no confidence for ${chosen.slm}.`));
  const total = found.reduce((sum, one) => sum + one.rows, 0);
  const { low, high } = found[0];
  const overall = low.map((_, bin) => found.reduce((sum, one) => sum + (one.share[bin] * one.rows) / total, 0));
  const isChosen = (one) => one.dataset === chosen.dataset;
  const withLine = found.filter((one) => isCovered(one.coverage));
  const lines = [...withLine.filter((one) => !isChosen(one)), ...withLine.filter(isChosen)].map((one) => ({
    name: one.dataset + covering(one.coverage),
    style: isChosen(one) ? "c0" : "other",
    thin: !isChosen(one),
    inLegend: isChosen(one),
    points: one.share.map((share, bin) => [(low[bin] + high[bin]) / 2, share]),
  }));
  const other = lines.find((line) => line.style === "other");
  if (other) Object.assign(other, { inLegend: true, label: other.name, name: "each other dataset" });
  chart(into, {
    title: `Distribution of the confidence of ${chosen.method} over ${found.length} datasets. The figures are in the table below.`,
    x: { label: "confidence", range: [0, 1], format: (tick) => figure(tick, 1) },
    y: { label: "share of the answers", range: [0, Math.max(...lines.flatMap((line) => line.points.map(([, y]) => y)), ...overall) * 1.05], format: percentTick },
    lines,
    absent: found.filter((one) => !isCovered(one.coverage)).map((one) => one.dataset + covering(one.coverage)),
    bars: low.map((from, bin) => [from, high[bin], overall[bin]]),
    barName: "all datasets together",
  });
  show(
    "datasets-table",
    asTable("These figures as a table", () =>
      figureTable("Share of the answers by confidence", ["dataset", "coverage", ...low.map((from, bin) => `${figure(from, 2)}–${figure(high[bin], 2)}`)], found.map((one) => [one.dataset, one.covered, ...one.share.map((share) => percent(share, 1))])),
    ),
  );
}

function drawRightAndWrong(data) {
  const into = host("outcome-chart");
  show("outcome-table");
  if (!data.confidence) return into.replaceChildren(message(data.missing ?? `${chosen.method} was not measured here.`));
  const counts = [new Array(BINS).fill(0), new Array(BINS).fill(0)];
  let n = 0;
  data.confidence.forEach((confidence, row) => {
    if (Number.isNaN(confidence)) return;
    counts[data.correct[row]][Math.min(BINS - 1, Math.floor(confidence * BINS))]++;
    n++;
  });
  if (!n) return into.replaceChildren(message(`${chosen.method} gave no confidence here.`));
  const points = (of) => counts[of].map((one, bin) => [(bin + 0.5) / BINS, one / n]);
  chart(into, {
    title: "Confidence of right and of wrong answers. The figures are in the table below.",
    x: { label: "confidence", range: [0, 1], format: (tick) => figure(tick, 1) },
    y: { label: "share of the answers", range: [0, (Math.max(...counts.flat()) / n) * 1.05], format: percentTick },
    lines: [
      { name: "right answers", style: "c0", points: points(1) },
      { name: "wrong answers", style: "c1", points: points(0) },
    ],
  });
  show(
    "outcome-table",
    asTable("These figures as a table", () =>
      figureTable(`Answers by confidence, of ${count(n)} with one`, ["confidence", "right", "wrong"], counts[0].map((wrong, bin) => [`${figure(bin / BINS, 2)}–${figure((bin + 1) / BINS, 2)}`, count(counts[1][bin]), count(wrong)])),
    ),
  );
}

function drawInsight(insight) {
  const n = insight.columns.get("measure")?.length ?? 0;
  if (!n) return show("insight", message("A comparison needs two datasets, SLMs or methods."));
  const rows = Array.from({ length: n }, (_, row) => record(insight.columns, row));
  show(
    "insight",
    figureTable(
      "Distance between distributions of confidence that differ in one thing alone",
      ["measure", "between", "pairs", "mean distance", "less that between datasets", "p"],
      rows.map((r) => [r.measure, r.between, count(r.pairs), figure(r.mean_distance, 4), figure(r.difference, 4), figure(r.p_value, 4)]),
    ),
  );
}
