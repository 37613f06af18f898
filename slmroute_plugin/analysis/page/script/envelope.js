// The best of all models, methods and thresholds for each budget, and what it saves.

const OVER_ALL = "(all)";
const A_THOUSAND = 1000;
const NO_ENVELOPE = "No envelope here: it needs the prices of at least an SLM and an LLM (slmroute report --prices FILE), and 40 questions.";

async function drawEnvelope(isCurrent) {
  const [best, savings] = await Promise.all([table("envelope", ["dataset"]), table("savings", ["dataset"])]);
  if (!isCurrent()) return;
  const dataset = host("envelope-over").value === "all" ? OVER_ALL : chosen.dataset;
  const rowsOf = (of) => of.rows(dataset).map((row) => record(of.columns, row));
  const [budgets, saved] = [rowsOf(best), rowsOf(savings)];
  host("envelope-chart").replaceChildren();
  show("envelope-table");
  show("savings-table");
  if (!budgets.length) return show("envelope-chart", message(NO_ENVELOPE));
  drawBudgets(budgets, saved);
  drawSavings(saved);
}

/** Budgets on the axis: their logarithms, or themselves if a model is free. */
function budgetAxis(budgets, dearest) {
  const isLog = budgets[0].budget_usd > 0;
  const at = (usd) => (isLog ? Math.log10(usd / dearest) : usd / dearest);
  const share = (tick) => (isLog ? 10 ** tick : tick);
  return { at, format: (tick) => `${Number((100 * share(tick)).toPrecision(2))}%` };
}

function drawBudgets(budgets, saved) {
  // Where all models are free, all lies at 0.
  const dearest = Math.max(...saved.map((one) => one.cost_model_usd)) || 1;
  const axis = budgetAxis(budgets, dearest);
  const points = (value) => budgets.map((one) => [axis.at(one.budget_usd), value(one)]);
  const mixed = budgets.map((one) => [axis.at(one.cost_usd), one.accuracy - one.gain_mixed]).sort((a, b) => a[0] - b[0]);
  const alone = saved.map((one) => [axis.at(one.cost_model_usd), one.accuracy_model]).sort((a, b) => a[0] - b[0]);
  const heights = budgets.flatMap((one) => [one.accuracy_low, one.accuracy_high, one.accuracy, one.accuracy_single]);
  chart(host("envelope-chart"), {
    title: "Accuracy of the best system within each budget. The figures are in the table below.",
    x: { label: "cost of a question, of the dearest model alone", range: range(alone.map(([x]) => x), -Infinity, Infinity), format: axis.format },
    y: { label: "accuracy over all questions", range: range([...heights, ...alone.map(([, y]) => y)], 0, 1), format: percentTick },
    lines: [
      { name: "the best of all", style: "c0", dots: true, points: points((one) => one.accuracy) },
      { name: "the best model alone", style: "c1", thin: true, points: points((one) => one.accuracy_single) },
      { name: "random mixtures of two models", style: "random", thin: true, points: mixed },
    ],
    band: isDefined(budgets[0].accuracy_low) ? points((one) => one).map(([x, one]) => [x, one.accuracy_low, one.accuracy_high]) : null,
    bandName: "95% interval",
  });
  show("envelope-table", asTable("Which models for which budget, as a table", () => budgetTable(budgets)));
}

/** A system in words. */
const systemInWords = (one) =>
  one.method ? `${one.slm}, ${percent(one.share, 0)} to ${one.llm} by ${one.method}` : one.slm || one.llm;

function budgetTable(budgets) {
  return figureTable(
    `${count(budgets[0].n)} questions; dollars for ${count(A_THOUSAND)} of them`,
    ["budget", "the best on all questions", "halves agree", "accuracy", "gain over the best model alone", "gain over random mixtures for its cost"],
    budgets.map((one) => [
      dollars(A_THOUSAND * one.budget_usd),
      systemInWords(one),
      one.agreed ? "yes" : "no",
      withBelow(percent(one.accuracy, 1), interval(one.accuracy_low, one.accuracy_high)),
      withBelow(figure(one.gain), interval(one.gain_low, one.gain_high)),
      withBelow(figure(one.gain_mixed), interval(one.gain_mixed_low, one.gain_mixed_high)),
    ]),
  );
}

function drawSavings(saved) {
  show(
    "savings-table",
    figureTable(
      `The cheapest that is as accurate as each model alone; dollars for ${count(A_THOUSAND)} questions`,
      ["model alone", "accuracy", "costs", "as accurate for less", "saves", "more accurate by"],
      saved.map((one) => [
        one.is_best ? `${one.model} (the best)` : one.model,
        percent(one.accuracy_model, 1),
        dollars(A_THOUSAND * one.cost_model_usd),
        systemInWords(one) === one.model ? "nothing" : systemInWords(one),
        withBelow(percent(one.saving, 1), interval(one.saving_low, one.saving_high)),
        withBelow(figure(one.difference), interval(one.difference_low, one.difference_high)),
      ]),
    ),
  );
}
