// From words to noise, and from noise to samples: the layout of softdraw.kernels.layout, in float64.

/**
 * Noise of `rows` rows of `classes` classes, row by row: "uniform", "exponential" or "gumbel".
 *
 * The uniform has 64 bits. In its upper half both words are complemented, so that p is the distance to the
 * nearer end, and small numbers keep their digits on either side.
 */
function noiseOf(key, rows, classes, law = "gumbel") {
  const found = new Float64Array(rows * classes);
  const word = (value) => Number(value & 0xffffffffn);
  const k0 = word(key.seed), k1 = word(key.seed >> 32n);
  const highs = new Uint32Array(4), lows = new Uint32Array(4);
  for (let row = 0; row < rows; row++) {
    const place = BigInt.asUintN(64, key.offset + BigInt(row));
    const r0 = word(place), r1 = word(place >> 32n);
    for (let block = 0; block * 4 < classes; block++) {
      philox(block, r0, r1, 0, k0, k1, highs);
      philox((block | 0x80000000) >>> 0, r0, r1, 0, k0, k1, lows);
      for (let c = 0; c < 4 && block * 4 + c < classes; c++) {
        found[row * classes + block * 4 + c] = fromWords(highs[c], lows[c], law);
      }
    }
  }
  return found;
}

function fromWords(high, low, law) {
  const upper = high >= 0x80000000;
  const m = upper ? ~high >>> 0 : high, n = upper ? ~low >>> 0 : low;
  const p = m * 2 ** -32 + (n + 0.5) * 2 ** -64;
  if (law === "uniform") return upper ? Math.min(1 - p, 1 - 2 ** -53) : p;
  const waiting = upper ? -Math.log(p) : -Math.log1p(-p);
  return law === "exponential" ? waiting : -Math.log(waiting);
}

/** softmax(values / tau); a one-hot of the largest at tau 0. */
function softmax(values, tau = 1) {
  const best = Math.max(...values);
  if (tau === 0) return oneHot(argmax(values), values.length);
  const weights = values.map((value) => Math.exp((value - best) / tau));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** The first of the largest values; where `allowed` is given, among those it allows; -1 if there is none. */
function argmax(values, allowed = null) {
  let best = -1;
  for (let i = 0; i < values.length; i++) {
    if (allowed && !allowed[i]) continue;
    if (best < 0 || values[i] > values[best]) best = i;
  }
  return best;
}

function oneHot(index, classes) {
  return Array.from({ length: classes }, (_, i) => (i === index ? 1 : 0));
}

/** Logits with the noise of one row: what both the hard and the soft sample are made of. */
function perturbed(logits, noise, row) {
  const top = Math.max(...logits), start = row * logits.length;
  return logits.map((logit, i) => logit - top + noise[start + i]);
}

/** How often each class wins among the first `rows` rows of noise. */
function winners(logits, noise, rows) {
  const classes = logits.length, counts = new Array(classes).fill(0);
  for (let row = 0, at = 0; row < rows; row++, at += classes) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (logits[c] + noise[at + c] > logits[best] + noise[at + best]) best = c;
    counts[best]++;
  }
  return counts;
}

/** The temperature of softdraw.schedules.Exponential after `step` steps. */
function annealed(start, floor, rate, step) {
  return Math.max(floor, start * Math.exp(-rate * step));
}
