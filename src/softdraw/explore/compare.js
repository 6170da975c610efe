// The gradient that estimators give, against the exact one: arrows, a table, and curves over the temperature.

const DRAWS = 4096;
const TAUS = { low: 0.1, high: 5, count: 25 };
const SINGLE = 250;

function showGradients(state) {
  const { logits, tau, classes } = state, cost = costOf(state.weights, state.degree);
  const noise = heldNoise(state, DRAWS), exact = exactGradient(logits, cost);
  const found = ESTIMATORS.map((name) => ({ name, ...momentsOf(name, logits, tau, cost, noise, DRAWS) }));
  const arrows = [{ name: "exact", gradient: exact }, ...found.map(({ name, mean }) => ({ name, gradient: mean }))];
  drawArrows(byId("arrows"), arrows, singleEstimates(state, cost, noise), classes, state.estimator);
  fillHead(classes);
  const cells = (gradient) => gradient.map((value) => signed(value, 4));
  fillTable(byId("gradients").tBodies[0], [
    [{ text: "exact", name: "estimator-exact name" }, ...cells(exact), "0", "0"],
    ...found.map(({ name, mean, bias, variance }) => [
      { text: name, name: `estimator-${name} name` }, ...cells(mean), digits(bias), digits(variance),
    ]),
  ]);
  return { exact, found };
}

function fillHead(classes) {
  const head = byId("gradients").tHead;
  head.replaceChildren();
  const line = element("tr", {}, head);
  element("th", { scope: "col" }, line, "mean gradient");
  for (let i = 0; i < classes; i++) element("th", { scope: "col", class: `number class-${i} name` }, line, LETTERS[i]);
  element("th", { scope: "col", class: "number" }, line, "bias");
  element("th", { scope: "col", class: "number" }, line, "variance");
}

/** Estimates of single draws: one a class, or one a row of noise. */
function singleEstimates({ logits, tau, classes, estimator }, cost, noise) {
  const { estimates, shares, count } = casesOf(estimator, logits, tau, cost, noise, SINGLE);
  return Array.from({ length: count }, (_, i) => ({
    gradient: Array.from(estimates.slice(i * classes, (i + 1) * classes)),
    share: shares ? shares[i] : 1 / count,
    dot: !shares,
  }));
}

/** Bias and variance of every estimator at every temperature of the curves. */
function sweptOver(state) {
  const cost = costOf(state.weights, state.degree);
  const noise = heldNoise(state, DRAWS), taus = temperatures(TAUS.low, TAUS.high, TAUS.count);
  return ESTIMATORS.map((name) => ({
    name,
    moments: taus.map((tau) => ({ tau, ...momentsOf(name, state.logits, tau, cost, noise, DRAWS) })),
  }));
}

let sweptHeld = { name: "", swept: null };

function showCurves(state) {
  const name = [state.seed, state.classes, state.degree, state.logits, state.weights].join("/");
  if (sweptHeld.name !== name) sweptHeld = { name, swept: sweptOver(state) };
  const { swept } = sweptHeld;
  const xAxis = { low: TAUS.low, high: TAUS.high, logarithmic: true, label: "temperature" };
  const lines = (measure) => swept.map((one) => ({
    name: `estimator-${one.name}`,
    points: one.moments.map((moment) => [moment.tau, moment[measure]]),
  }));
  const all = (measure) => swept.flatMap((one) => one.moments.map((moment) => moment[measure]));
  const high = Math.max(...all("bias"), 1e-6) * 1.05;
  drawChart(byId("bias"), lines("bias"), xAxis, { low: 0, high, logarithmic: false }, state.tau);
  const most = Math.max(...all("variance"), 1e-6) * 1.3;
  const least = Math.max(Math.min(...all("variance").filter((one) => one > 0), most / 10) / 1.3, most / 1e4);
  drawChart(byId("variance"), lines("variance"), xAxis, { low: least, high: most, logarithmic: true }, state.tau);
}
