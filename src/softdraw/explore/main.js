// The state of the page, and what moves it.

const state = {
  classes: 3, logits: [1, 0, -0.8], weights: [1.2, -0.6, 0.4], tau: 0.5, seed: "0", draws: 1000, degree: 2,
  estimator: "st-gumbel-softmax", shown: "both", row: 0, molecule: 0, decision: 0,
};
const SPARE = { logits: [0.4, -0.4, 0.2], weights: [-1, 0.8, 0.2] };

let planned = false;
let spoken = 0;

/** Draw once at the next frame, however much changed until then; say it once nothing moves any more. */
function changed() {
  if (!planned) requestAnimationFrame(render);
  planned = true;
  clearTimeout(spoken);
  spoken = setTimeout(say, 600);
}

function render() {
  planned = false;
  byId("tau").value = Math.log10(state.tau);
  byId("tau").setAttribute("aria-valuetext", digits(state.tau));
  byId("tau-value").textContent = digits(state.tau);
  showLogits(state.logits);
  showWeights(state.weights);
  showSamples(state);
  showFrequencies(state);
  showGradients(state);
  showCurves(state);
}

/** The page in a few sentences, for whoever listens or cannot read the pictures. */
function say() {
  const { counts, law, test } = frequenciesOf(state);
  const { exact, found } = showGradients(state);
  const shares = law.map((share, i) => `${LETTERS[i]} ${percent(share)} (drawn ${percent(counts[i] / state.draws)})`);
  const size = Math.sqrt(dot(exact, exact));
  const biases = found.map(({ name, bias, variance }) => `${name} ${digits(bias)} and ${digits(variance)}`);
  byId("words").textContent =
    `At temperature ${digits(state.tau)}, seed ${state.seed}: softmax gives ${shares.join(", ")}. ` +
    `${test ? `Chi-square ${digits(test.statistic)}, p-value ${digits(test.p)}. ` : ""}` +
    `The exact gradient has length ${digits(size)}; bias and variance: ${biases.join("; ")}.`;
}

function setList(name, i, value) {
  state[name] = state[name].map((old, j) => (i === j ? value : old));
  changed();
}

const showLogits = barRow(byId("logits"), {
  least: -4, most: 4, label: (i) => `logit of class ${LETTERS[i]}`, changed: (i, value) => setList("logits", i, value),
});
const showWeights = barRow(byId("weights"), {
  least: -2, most: 2, label: (i) => `weight of class ${LETTERS[i]} in the cost`,
  changed: (i, value) => setList("weights", i, value),
});

/** Keep a field and the state in step. A list says that it changed, a slider also while it is moved. */
function tie(id, name, event, read = Number) {
  byId(id).addEventListener(event, () => {
    state[name] = read(byId(id).value);
    changed();
  });
}

/** As many digits as can be typed, so that Python computes with the same number. */
function setTau(tau) {
  state.tau = Number(tau.toPrecision(4));
  changed();
}

function setClasses(count) {
  state.classes = count;
  for (const name of ["logits", "weights"]) {
    state[name] = [...state[name], ...SPARE[name].slice(state[name].length - 3)].slice(0, count);
  }
  changed();
}

function setSeed(text) {
  const number = Math.min(4294967295, Math.max(0, Math.floor(Number(text))));
  if (!Number.isFinite(number)) return;
  state.seed = `${number}`;
  changed();
}

function showMolecule() {
  const molecule = RECORDED.molecules[state.molecule];
  state.decision = Math.min(state.decision, molecule.decisions.length - 1);
  byId("decision").max = molecule.decisions.length - 1;
  byId("decision").value = state.decision;
  byId("back").disabled = state.decision === 0;
  byId("forward").disabled = state.decision === molecule.decisions.length - 1;
  byId("smiles").textContent =
    `${molecule.smiles}: row ${molecule.row} of Key(${RECORDED.seed}), in Python ` +
    `MoleculeGenerator.load("druglike").sample(${molecule.row + 1}, key=sd.Key(${RECORDED.seed}))[${molecule.row}]`;
  showDecision(RECORDED, molecule, state.decision);
}

function goTo(decision) {
  const last = RECORDED.molecules[state.molecule].decisions.length - 1;
  state.decision = Math.min(last, Math.max(0, decision));
  showMolecule();
}

function begin() {
  const schedule = annealing(setTau);
  byId("tau").addEventListener("input", () => {
    schedule.stop();
    setTau(10 ** byId("tau").value);
  });
  tie("row", "row", "input");
  tie("draws", "draws", "change");
  tie("degree", "degree", "change");
  tie("estimator", "estimator", "change", String);
  byId("classes").addEventListener("change", () => setClasses(Number(byId("classes").value)));
  byId("seed").addEventListener("input", () => setSeed(byId("seed").value));
  byId("reseed").addEventListener("click", () => {
    setSeed(Number(state.seed) + 1);
    byId("seed").value = state.seed;
  });
  for (const choice of document.getElementsByName("shown")) {
    choice.addEventListener("change", () => {
      state.shown = choice.value;
      changed();
    });
  }
  RECORDED.molecules.forEach(({ places }, i) => {
    element("option", { value: i }, byId("molecule"), `${i + 1} (${places.length} atoms)`);
  });
  const last = () => RECORDED.molecules[state.molecule].decisions.length - 1;
  const player = playerOf(byId("molecule-play"), (share) => goTo(Math.round(share * last())), () => state.decision / last());
  const stepTo = (decision) => {
    player.stop();
    goTo(decision);
  };
  byId("back").addEventListener("click", () => stepTo(state.decision - 1));
  byId("forward").addEventListener("click", () => stepTo(state.decision + 1));
  byId("decision").addEventListener("input", () => stepTo(Number(byId("decision").value)));
  byId("molecule").addEventListener("change", () => {
    state.molecule = Number(byId("molecule").value);
    state.decision = 0;
    stepTo(0);
  });
  showMolecule();
  changed();
}

begin();
