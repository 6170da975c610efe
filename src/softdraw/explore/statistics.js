// Pearson's chi-square and its p-value.

/** ln Gamma(x) for x > 0, by Stirling's series once x is large (Abramowitz, Stegun, 6.1.41). */
function logGamma(x) {
  let shift = 0;
  while (x < 12) shift -= Math.log(x++);
  const inverse = 1 / (x * x);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse * (1 / 1680 - inverse / 1188)))) / x;
  return shift + (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
}

/** The upper tail Gamma(a, x) / Gamma(a): a series below the bulk, a continued fraction (Lentz) above it. */
function upperGamma(a, x) {
  if (x <= 0) return 1;
  const scale = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a, sum = term;
    for (let n = a + 1; term > sum * 1e-17; n++) sum += term *= x / n;
    return 1 - scale * sum;
  }
  let b = x + 1 - a, c = 1e300, d = 1 / b, fraction = d;
  for (let n = 1; n < 500; n++) {
    const factor = n * (a - n);
    b += 2;
    d = 1 / (factor * d + b);
    c = b + factor / c;
    fraction *= c * d;
    if (Math.abs(c * d - 1) < 1e-15) break;
  }
  return scale * fraction;
}

/**
 * Counts against probabilities: {statistic, freedom, p}, or null where nothing is left to compare.
 *
 * Classes that expect fewer than 5 are taken together, rarest first, since chi-square is the law of large counts.
 */
function chiSquare(counts, probabilities) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const cells = counts.map((count, i) => [count, total * probabilities[i]]).sort((x, y) => x[1] - y[1]);
  while (cells.length > 1 && cells[0][1] < 5) {
    const [few, next] = cells;
    cells.splice(0, 2, [few[0] + next[0], few[1] + next[1]]);
    cells.sort((x, y) => x[1] - y[1]);
  }
  if (cells.length < 2) return null;
  const statistic = cells.reduce((sum, [count, expected]) => sum + (count - expected) ** 2 / expected, 0);
  const freedom = cells.length - 1;
  return { statistic, freedom, p: upperGamma(freedom / 2, statistic / 2) };
}
