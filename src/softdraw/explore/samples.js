// Samples on the triangle, one draw number by number, and argmax frequencies against softmax.

const SHOWN = 400;

let noiseHeld = { name: "", rows: 0, noise: null };

/** Noise of the seed, made anew only for another seed, another number of classes or more rows. */
function heldNoise(state, rows) {
  const name = `${state.seed}/${state.classes}`;
  if (noiseHeld.name !== name || noiseHeld.rows < rows) {
    noiseHeld = { name, rows, noise: noiseOf(makeKey(state.seed), rows, state.classes) };
  }
  return noiseHeld.noise;
}

function showSamples(state) {
  const { logits, tau, classes } = state, noise = heldNoise(state, SHOWN);
  drawSamples(byId("triangle"), { logits, tau, noise, count: SHOWN, shown: state.shown, row: state.row });
  byId("shadow").textContent =
    classes > 3 ? `With ${classes} classes the figure is a shadow: different mixtures may fall on one point.` : "";
  showDraw(state, noise);
  byId("python").textContent = pythonOf(state);
}

function showDraw({ logits, tau, row, classes }, noise) {
  const scores = perturbed(logits, noise, row), soft = softmax(scores, tau), winner = argmax(scores);
  const top = Math.max(...logits);
  byId("row-value").textContent = `${row}`;
  byId("row").setAttribute("aria-valuetext", `draw ${row}, class ${LETTERS[winner]} wins`);
  fillTable(byId("draw").tBodies[0], scores.map((score, i) => {
    const cells = [
      { text: LETTERS[i], name: `class-${i} name` }, signed(logits[i], 2), signed(noise[row * classes + i], 3),
      signed(score + top, 3), i === winner ? "1" : "0", signed(soft[i], 3),
    ];
    return i === winner ? Object.assign(cells, { name: "winner" }) : cells;
  }));
}

/** A program that draws what the page shows. */
function pythonOf({ logits, tau, seed, classes }) {
  return [
    "import softdraw as sd, torch",
    `logits = torch.tensor([${logits.join(", ")}], dtype=torch.float64)`,
    `key = sd.Key(${seed})`,
    `soft = sd.gumbel_softmax(logits.expand(${SHOWN}, ${classes}), tau=${tau}, key=key)`,
    `index = sd.gumbel_max(logits.expand(${SHOWN}, ${classes}), key=key)`,
  ].join("\n");
}

/** Counts, law and chi-square of the first draws. */
function frequenciesOf(state) {
  const counts = winners(state.logits, heldNoise(state, state.draws), state.draws);
  const law = softmax(state.logits);
  return { counts, law, test: chiSquare(counts, law) };
}

function showFrequencies(state) {
  const { counts, law, test } = frequenciesOf(state);
  const largest = Math.max(...law, ...counts.map((count) => count / state.draws));
  const body = byId("frequencies").tBodies[0];
  fillTable(body, counts.map((count, i) => [
    { text: LETTERS[i], name: `class-${i} name` }, signed(law[i], 4), signed(count / state.draws, 4),
    count.toLocaleString("en"), { text: "", name: "meter" },
  ]));
  [...body.rows].forEach((line, i) => {
    const track = element("div", { class: `share class-${i}`, "aria-hidden": "true" }, line.cells[4]);
    element("span", { class: "drawn" }, track).style.width = `${(100 * counts[i]) / state.draws / largest}%`;
    element("span", { class: "expected" }, track).style.left = `${(100 * law[i]) / largest}%`;
  });
  byId("chi-square").textContent = chiSquareText(test);
}

function chiSquareText(test) {
  if (!test) return "Too few draws are expected outside one class for a chi-square.";
  const { statistic, freedom, p } = test;
  const degrees = freedom === 1 ? "1 degree" : `${freedom} degrees`;
  return `Chi-square ${digits(statistic)} with ${degrees} of freedom, p-value ${digits(p)}: ` +
    (p < 0.01
      ? "a larger one comes by chance in fewer than 1 of 100 tries; try other seeds."
      : "nothing speaks against softmax.");
}
