// Gradients of E[f(z)] in the logits, f(z) = (w . z)^degree on one-hots z, and what estimators make of it.
// A gradient is a list, one number a class. The names are those of softdraw.estimators.

const ESTIMATORS = ["st-gumbel-softmax", "reinmax", "st", "reinforce"];

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** J(p) g with J(p) = diag(p) - p p^T, the Jacobian of the softmax that gave p. */
function throughSoftmax(p, g) {
  const mean = dot(p, g);
  return p.map((share, i) => share * (g[i] - mean));
}

/** The cost: its value at each class, and its slope there, which a straight-through estimator sees. */
function costOf(weights, degree) {
  return {
    values: weights.map((w) => w ** degree),
    slope: (z) => weights.map((w) => degree * weights[z] ** (degree - 1) * w),
  };
}

/** sum_z f(z) dp(z) / d logits. */
function exactGradient(logits, cost) {
  return throughSoftmax(softmax(logits), cost.values);
}

/** The estimate for the class z, of an estimator that is a function of z alone. */
function estimateAt(name, z, logits, tau, cost) {
  const p = softmax(logits);
  if (name === "reinforce") return p.map((share, i) => cost.values[z] * ((i === z ? 1 : 0) - share));
  const g = cost.slope(z), tempered = softmax(logits, tau);
  if (name === "st") return throughSoftmax(tempered, g).map((value) => value / tau);
  const middle = tempered.map((share, i) => (share + (i === z ? 1 : 0)) / 2);
  const first = throughSoftmax(p, g);
  return throughSoftmax(middle, g).map((value, i) => 2 * value - first[i] / 2);
}

/**
 * Estimates of straight-through Gumbel-Softmax for the first `draws` rows of noise, one after another in a list:
 * J(y) f'(z) / tau at the soft sample y, z the winner of the same noise.
 */
function estimatesWith(noise, draws, logits, tau, cost) {
  const classes = logits.length, found = new Float64Array(draws * classes), y = new Float64Array(classes);
  const slopes = logits.map((_, z) => cost.slope(z));
  for (let row = 0, at = 0; row < draws; row++, at += classes) {
    let z = 0;
    for (let c = 0; c < classes; c++) {
      y[c] = logits[c] + noise[at + c];
      if (y[c] > y[z]) z = c;
    }
    const best = y[z], g = slopes[z];
    let total = 0, mean = 0;
    for (let c = 0; c < classes; c++) {
      y[c] = Math.exp((y[c] - best) / tau);
      total += y[c];
      mean += y[c] * g[c];
    }
    mean /= total;
    for (let c = 0; c < classes; c++) found[at + c] = ((y[c] / total) * (g[c] - mean)) / tau;
  }
  return found;
}

/** Every case that an estimator can meet: its estimates one after another in a list, and how likely each is. */
function casesOf(name, logits, tau, cost, noise, draws) {
  if (name === "st-gumbel-softmax") {
    return { estimates: estimatesWith(noise, draws, logits, tau, cost), shares: null, count: draws };
  }
  const estimates = logits.flatMap((_, z) => estimateAt(name, z, logits, tau, cost));
  return { estimates, shares: softmax(logits), count: logits.length };
}

/**
 * Mean, bias (its length) and variance (the trace of the covariance) of an estimator.
 *
 * st, reinmax and reinforce are summed over all classes, exactly. st-gumbel-softmax has noise that is no class:
 * its mean is that over `draws` rows of `noise`, and what that leaves of noise is taken from the bias, as in
 * softdraw.diagnostics.measures.
 */
function momentsOf(name, logits, tau, cost, noise, draws) {
  const { estimates, shares, count } = casesOf(name, logits, tau, cost, noise, draws);
  const exact = exactGradient(logits, cost), mean = exact.map(() => 0), classes = logits.length;
  let spread = 0;
  for (let i = 0; i < count * classes; i++) {
    mean[i % classes] += estimates[i] * (shares ? shares[(i / classes) | 0] : 1 / count);
  }
  for (let i = 0; i < count * classes; i++) {
    spread += (estimates[i] - mean[i % classes]) ** 2 * (shares ? shares[(i / classes) | 0] : 1 / count);
  }
  const variance = shares ? spread : (spread * count) / (count - 1);
  const off = mean.map((value, i) => value - exact[i]);
  const bias = Math.sqrt(Math.max(0, dot(off, off) - (shares ? 0 : variance / count)));
  // what rounding leaves of an unbiased estimator is none
  const rounding = 1e-13 * (1 + Math.sqrt(variance + dot(exact, exact)));
  return { mean, bias: bias < rounding ? 0 : bias, variance };
}

/** Temperatures from `low` to `high`, evenly apart on a logarithmic scale. */
function temperatures(low, high, count) {
  return Array.from({ length: count }, (_, i) => low * (high / low) ** (i / (count - 1)));
}
