// Confidence as a probability: reliability diagrams, errors before and after a map, and combined methods.

const AS_IS = "none";
const ELSEWHERE = "other data sets";

async function drawReliability(isCurrent) {
  const setting = chosenSetting();
  const [diagrams, errors, combined] = await Promise.all([
    setting?.reliability == null ? null : columnsOf(setting.reliability),
    table("calibration", NAMED_BY),
    table("combined", ["slm"]),
  ]);
  if (!isCurrent()) return;
  drawDiagram(diagrams);
  drawErrors(errors);
  drawCombined(combined);
}

/** What a line of the diagram, or a row of the table, is called. */
const mapInWords = (from) =>
  from === AS_IS ? "confidence as it is" : from === ELSEWHERE ? "mapped by the other datasets alone" : `mapped, ${from}`;

function drawDiagram(diagrams) {
  const into = host("reliability-chart");
  show("reliability-table");
  const rows = diagrams ? rowsWhere(diagrams, { method: chosen.method }) : [];
  if (!rows.length) return into.replaceChildren(message(`${chosen.method} gave no confidence here.`));
  const points = rows.map((row) => record(diagrams, row));
  const kinds = [...new Set(points.map((one) => one.map_from))];
  const asIs = points.filter((one) => one.map_from === AS_IS);
  chart(into, {
    title: `Reliability diagram of ${chosen.method}: share of right answers by confidence, before and after a map. The figures are in the table below.`,
    x: { label: "confidence, or probability that it is mapped to", range: [0, 1], format: (tick) => figure(tick, 1) },
    y: { label: "share of right answers", range: [0, 1], format: percentTick },
    lines: [
      { name: "as probable as stated", style: "random", thin: true, points: [[0, 0], [1, 1]] },
      ...kinds.map((kind) => ({
        name: mapInWords(kind),
        style: kind === AS_IS ? "c0" : kind === ELSEWHERE ? "c2" : "c1",
        dots: true,
        points: points.filter((one) => one.map_from === kind).map((one) => [one.confidence, one.accuracy]),
      })),
    ],
    band: asIs.map((one) => [one.confidence, one.accuracy_low, one.accuracy_high]),
    bandName: "95% interval, as it is",
  });
  show(
    "reliability-table",
    asTable("These figures as a table", () =>
      figureTable(
        "Share of right answers by confidence",
        ["confidence", "from", "to", "n", "mean confidence", "right", "95% interval"],
        points.map((one) => [mapInWords(one.map_from), figure(one.bin / 15, 2), figure((one.bin + 1) / 15, 2), count(one.n), figure(one.confidence), percent(one.accuracy, 1), interval(one.accuracy_low, one.accuracy_high, 2)]),
      ),
    ),
  );
}

/** A cell with a smaller line below its figure. */
const withBelow = (text, below) => element("span", {}, text, below ? element("small", {}, below) : null);

function drawErrors(errors) {
  const rows = errors.rows(chosen.slm, chosen.dataset, chosen.method).map((row) => record(errors.columns, row));
  if (!rows.length) return show("calibration-table", message(`${chosen.method} gave no confidence here.`));
  const cells = (one, after) =>
    ["ece", "brier", "log_loss"].map((name) => {
      const id = name + after;
      return withBelow(figure(one[id]), interval(one[`${id}_low`], one[`${id}_high`]));
    });
  const mapped = rows.map((one) => [
    mapInWords(one.map_from),
    ...(one.map ? cells(one, "_after") : [UNDEFINED, UNDEFINED, UNDEFINED]),
    one.map ? withBelow(one.map, `${count(one.rows_fitted)} rows`) : "too few right or wrong answers",
  ]);
  show(
    "calibration-table",
    figureTable(`${count(rows[0].n)} answers with a confidence`, ["", "ECE", "Brier", "log-loss", "map"], [[mapInWords(AS_IS), ...cells(rows[0], ""), ""], ...mapped]),
  );
}

function drawCombined(combined) {
  const rows = combined.rows(chosen.slm).map((row) => record(combined.columns, row));
  if (!rows.length) return show("combined-table", message(`No method of ${chosen.slm} combines others: run and fit combined.`));
  show(
    "combined-table",
    figureTable(
      "Difference to the best method that does not combine others; mean over datasets",
      ["method", "by", "best single method", "difference", "p (Holm)", "verdict"],
      rows.map((r) => [
        r.method,
        r.measure === "auroc" ? "AUROC" : withBelow("area", r.llm),
        r.best_single,
        withBelow(figure(r.difference, 4), interval(r.low, r.high, 4)),
        figure(r.p_holm),
        r.verdict,
      ]),
    ),
  );
}
