// A molecule drawn decision by decision: RECORDED (molecules.json) has logits and masks, the key the noise.

const CANDIDATES = 6;
const HYDROGENS = { C: [4], N: [3], O: [2], S: [2, 4, 6], F: [1], Cl: [1], Br: [1] };

/** One decision with its noise, scores and what is chosen by them. `step` is -1 for the type of an atom. */
function replayed(recorded, molecule, index) {
  const [atom, step, choice, mask, hundredths] = molecule.decisions[index], most = recorded.mostAtoms;
  const number = step < 0 ? atom : most * (atom * most + step + 1);
  const key = rowsFrom(foldIn(makeKey(recorded.seed), number), molecule.row);
  const noise = Array.from(noiseOf(key, 1, hundredths.length));
  const logits = hundredths.map((value) => value / 100), allowed = Array.from(mask, (one) => one === "1");
  const scores = logits.map((logit, i) => logit + noise[i]);
  return { atom, step, choice, logits, allowed, noise, scores, winner: argmax(scores, allowed) };
}

/** What a class of a decision means. */
function meaningOf(recorded, { atom, step }, index) {
  if (step < 0) return index < recorded.types.length ? recorded.types[index] : "stop";
  if (step > 0 && index === 0) return "no more";
  const place = step > 0 ? index - 1 : index;
  return `${["single", "double", "triple"][place % 3]} to ${Math.floor(place / 3) + 1}`;
}

/** Atoms and bonds after the first `count` decisions. */
function grown(recorded, molecule, count) {
  const atoms = [], bonds = [];
  for (const [atom, step, choice] of molecule.decisions.slice(0, count)) {
    if (step < 0) {
      if (choice < recorded.types.length) atoms.push(recorded.types[choice]);
    } else if (step === 0 || choice > 0) {
      const place = step > 0 ? choice - 1 : choice;
      bonds.push({ from: atom, to: Math.floor(place / 3), order: (place % 3) + 1 });
    }
  }
  return { atoms, bonds };
}

/** Hydrogens that fill an atom up to its next usual valence. */
function hydrogensOf(symbol, orders) {
  return Math.max(0, (HYDROGENS[symbol].find((valence) => valence >= orders) ?? orders) - orders);
}

/** The lines of a bond, side by side. */
function drawBond(group, [ax, ay], [bx, by], order) {
  const length = Math.hypot(bx - ax, by - ay) || 1;
  const [nx, ny] = [(-(by - ay) / length) * 9, ((bx - ax) / length) * 9];
  for (const side of [[0], [-1, 1], [-1.7, 0, 1.7]][order - 1]) {
    const [dx, dy] = [nx * side, ny * side];
    shape("path", { d: `M${ax + dx} ${ay + dy}L${bx + dx} ${by + dy}`, class: "bond" }, group);
  }
}

function drawStructure(picture, recorded, molecule, index, decision) {
  const places = molecule.places.map(([x, y]) => [x, -y]), finished = index === molecule.decisions.length - 1;
  const xs = places.map(([x]) => x), ys = places.map(([, y]) => y), edge = 70;
  const [left, top] = [Math.min(...xs) - edge, Math.min(...ys) - edge];
  const box = [left, top, Math.max(...xs) - left + edge, Math.max(...ys) - top + edge];
  picture.setAttribute("viewBox", box.join(" "));
  picture.replaceChildren();
  const { atoms, bonds } = grown(recorded, molecule, index + 1);
  if (decision.step >= 0) drawChances(picture, places, decision);
  for (const { from, to, order } of bonds) drawBond(picture, places[from], places[to], order);
  atoms.forEach((symbol, atom) => {
    const [cx, cy] = places[atom], own = bonds.filter(({ from, to }) => from === atom || to === atom);
    const orders = own.reduce((sum, { order }) => sum + order, 0);
    if (atom === decision.atom && !finished) shape("circle", { cx, cy, r: 36, class: "newest" }, picture);
    const [x, y] = besideAtom(places, atom, own);
    if (!finished) shape("text", { x, y: y + 8, class: "place" }, picture, `${atom + 1}`);
    if (symbol === "C" && own.length) return;
    shape("circle", { cx, cy, r: 25, class: "ground" }, picture);
    const text = shape("text", { x: cx, y: cy + 14, "text-anchor": "middle", class: `atom atom-${symbol}` }, picture, symbol);
    const hydrogens = finished ? hydrogensOf(symbol, orders) : 0;
    if (hydrogens) text.append("H");
    if (hydrogens > 1) shape("tspan", { dy: 8, class: "count" }, text, `${hydrogens}`);
  });
}

/** Where the number of an atom stands: away from its bonds, or between two of them where they are all around. */
function besideAtom(places, atom, bonds) {
  const [cx, cy] = places[atom];
  const angles = bonds.map(({ from, to }) => {
    const other = places[from === atom ? to : from];
    return Math.atan2(other[1] - cy, other[0] - cx);
  }).sort((a, b) => a - b);
  const gaps = angles.map((angle, i) => (angles[i + 1] ?? angles[0] + 2 * Math.PI) - angle);
  const widest = argmax(gaps), middle = widest < 0 ? -Math.PI / 4 : angles[widest] + gaps[widest] / 2;
  return [cx + 34 * Math.cos(middle), cy + 34 * Math.sin(middle)];
}

/** Rings around the atoms that a bond may go to, the more likely the stronger. */
function drawChances(picture, places, { atom, step, logits, allowed, choice }) {
  const shares = softmax(logits.map((logit, i) => (allowed[i] ? logit : -1e9)));
  for (let j = 0; j < atom; j++) {
    const first = 3 * j + (step > 0 ? 1 : 0), share = shares[first] + shares[first + 1] + shares[first + 2];
    if (share < 0.002) continue;
    const chosen = choice >= first && choice < first + 3;
    const at = { cx: places[j][0], cy: places[j][1], r: 36, class: chosen ? "chance chosen" : "chance" };
    shape("circle", { ...at, "fill-opacity": (0.06 + 0.4 * share).toFixed(2) }, picture);
  }
}

/** The best allowed classes by score, then those that the mask took although their logit is high. */
function candidatesOf({ scores, logits, allowed }) {
  const all = scores.map((_, i) => i);
  const open = all.filter((i) => allowed[i]).sort((i, j) => scores[j] - scores[i]);
  const best = open.slice(0, CANDIDATES);
  const weakest = Math.min(...open.map((i) => logits[i]));
  const barred = all.filter((i) => !allowed[i] && logits[i] > weakest).sort((i, j) => logits[j] - logits[i]).slice(0, 2);
  return { shown: [...best, ...barred], left: open.length - best.length, barred: all.length - open.length };
}

function showDecision(recorded, molecule, index) {
  const decision = replayed(recorded, molecule, index), { atom, step } = decision;
  drawStructure(byId("structure"), recorded, molecule, index, decision);
  const ordinal = ["first", "second", "third", "fourth"][step] ?? `${step + 1}th`;
  const asked = step < 0 ? `Atom ${atom + 1}: which?` : `Atom ${atom + 1}: its ${ordinal} bond?`;
  const answer = meaningOf(recorded, decision, decision.winner);
  byId("decision-title").textContent = `${asked} ${answer[0].toUpperCase()}${answer.slice(1)}.`;
  const { shown, left, barred } = candidatesOf(decision);
  fillTable(byId("candidates").tBodies[0], shown.map((i) => {
    const open = decision.allowed[i];
    const cells = [
      meaningOf(recorded, decision, i), signed(decision.logits[i], 2), open ? signed(decision.noise[i], 2) : "",
      open ? signed(decision.scores[i], 2) : "", { text: open ? "allowed" : "barred", name: "mask" },
    ];
    return Object.assign(cells, { name: !open ? "barred" : i === decision.winner ? "winner" : "" });
  }));
  byId("others").textContent = `${left ? `${left} more allowed. ` : ""}${barred} of ${decision.scores.length} classes barred by the mask.`;
  const total = molecule.decisions.length;
  byId("decision-value").textContent = `${index + 1} of ${total}`;
  byId("decision").setAttribute("aria-valuetext", `decision ${index + 1} of ${total}: ${asked} ${answer}`);
  return decision;
}
