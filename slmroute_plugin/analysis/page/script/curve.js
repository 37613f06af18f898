// What the rows themselves say of one setting: which go to the LLM, and how far the curve is sure.

const RESAMPLES = 200;
const POINTS = 101;

/** Seeded, so that the band is the same each time (mulberry32). */
function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Whether a row counts: one without a confidence is left out, or goes first to the LLM. */
const counts = (confidence) => study.unparsed === "route" || !Number.isNaN(confidence);

/** An answer without a confidence is the least sure. */
const sureness = (confidence) => (Number.isNaN(confidence) ? -1 : confidence);

/** Rows of a method that count, the least sure first. */
function byConfidence(confidence) {
  const rows = Array.from(confidence.keys()).filter((row) => counts(confidence[row]));
  return Uint32Array.from(rows).sort((a, b) => sureness(confidence[a]) - sureness(confidence[b]));
}

/**
 * Pointwise 95% band of the routing curve, by bootstrap over questions: percentiles of the
 * accuracy at each routed share. Within a tie the accuracy is its expectation over orders.
 */
function curveBand(confidence, slm, llm) {
  const order = byConfidence(confidence);
  const n = order.length;
  if (n < 2) return null;
  const gain = Int8Array.from(order, (row) => llm[row] - slm[row]);
  const right = Uint8Array.from(order, (row) => slm[row]);
  const endsTie = Uint8Array.from(order, (row, at) => at === n - 1 || sureness(confidence[row]) !== sureness(confidence[order[at + 1]]));
  const random = seeded(n);
  const times = new Uint16Array(n);
  const at = Array.from({ length: POINTS }, () => new Float64Array(RESAMPLES));
  for (let resample = 0; resample < RESAMPLES; resample++) {
    times.fill(0);
    for (let draw = 0; draw < n; draw++) times[(random() * n) | 0]++;
    resampledCurve(times, gain, right, endsTie, (point, accuracy) => (at[point][resample] = accuracy));
  }
  return at.map((accuracies) => {
    accuracies.sort();
    return [quantile(accuracies, 0.025), quantile(accuracies, 0.975)];
  });
}

function resampledCurve(times, gain, right, endsTie, put) {
  const n = times.length;
  let base = 0;
  for (let i = 0; i < n; i++) base += times[i] * right[i];
  let point = 0;
  let [sent, gained, sentBefore, gainedBefore] = [0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    sent += times[i];
    gained += times[i] * gain[i];
    if (!endsTie[i]) continue;
    for (; point < POINTS && (point * n) / (POINTS - 1) <= sent; point++) {
      const within = sent === sentBefore ? 0 : ((point * n) / (POINTS - 1) - sentBefore) / (sent - sentBefore);
      put(point, (base + gainedBefore + within * (gained - gainedBefore)) / n);
    }
    [sentBefore, gainedBefore] = [sent, gained];
  }
}

function quantile(sorted, q) {
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
}

/** Whether an answer goes to the LLM under the rule "confidence below the threshold". */
function goesToLlm(confidence, threshold, share) {
  if (Number.isNaN(confidence)) return true;
  if (share === 0) return false;
  return share === 100 || confidence < threshold;
}

/** What the rule does on the rows that count. */
function ruleOnRows(confidence, slm, llm, threshold, share) {
  let [n, sent, right] = [0, 0, 0];
  for (let row = 0; row < confidence.length; row++) {
    if (!counts(confidence[row])) continue;
    const goes = goesToLlm(confidence[row], threshold, share);
    n++;
    sent += goes;
    right += goes ? llm[row] : slm[row];
  }
  return { n, sent, accuracy: right / n };
}
