// The simplex on paper: for three classes a triangle, for more the shadow of the simplex on a regular polygon.

const RADIUS = 100;

/** The corner of class `i`. */
function cornerOf(i, classes) {
  const angle = (2 * Math.PI * i) / classes - Math.PI / 2;
  return [RADIUS * Math.cos(angle), RADIUS * Math.sin(angle)];
}

/** Where a row of numbers lies: the sum of the corners, each times its number. */
function placeOf(values) {
  let x = 0, y = 0;
  values.forEach((value, i) => {
    const corner = cornerOf(i, values.length);
    x += value * corner[0];
    y += value * corner[1];
  });
  return [x, y];
}

/** An empty polygon with its letters; the group for what lies in it, and that for what is drawn last. */
function polygon(picture, classes, notes) {
  picture.replaceChildren();
  const corners = Array.from({ length: classes }, (_, i) => cornerOf(i, classes));
  const lowest = Math.max(...corners.map((corner) => corner[1]));
  picture.setAttribute("viewBox", `-175 -158 350 ${lowest + 158 + 58}`);
  shape("polygon", { points: corners.map((corner) => corner.join(",")).join(" "), class: "simplex" }, picture);
  const inside = shape("g", {}, picture), above = shape("g", {}, picture);
  corners.forEach((corner, i) => {
    // beyond the largest disc of hard samples
    const [x, y] = corner.map((value) => value * (notes ? 1.42 : 1.16));
    const text = shape("text", { x, y: y + (notes ? 0 : 5), class: `corner class-${i}` }, above, LETTERS[i]);
    if (notes) shape("tspan", { x, dy: 14, class: "corner-note" }, text, notes[i]);
  });
  return { inside, above };
}

/** Soft samples as dots in the colour of their winner, hard ones as discs at the corners. */
function drawSamples(picture, { logits, tau, noise, count, shown, row }) {
  const classes = logits.length, counts = winners(logits, noise, count);
  const notes = shown === "soft" ? null : counts.map((one) => percent(one / count));
  const { inside, above } = polygon(picture, classes, notes);
  if (shown !== "soft") {
    counts.forEach((one, i) => {
      const [cx, cy] = cornerOf(i, classes);
      const r = 26 * Math.sqrt(one / count);
      shape("circle", { cx, cy, r, class: `hard class-${i}`, "data-count": one }, inside);
    });
  }
  if (shown !== "hard") {
    for (let draw = 0; draw < count; draw++) {
      const scores = perturbed(logits, noise, draw), [cx, cy] = placeOf(softmax(scores, tau));
      const name = `soft class-${argmax(scores)}`;
      shape("circle", { cx: cx.toFixed(2), cy: cy.toFixed(2), r: 1.7, class: name }, inside);
    }
  }
  const [px, py] = placeOf(softmax(logits));
  shape("path", { d: `M${px - 5} ${py}h10M${px} ${py - 5}v10`, class: "law" }, above);
  const one = perturbed(logits, noise, row), [x, y] = placeOf(softmax(one, tau));
  shape("circle", { cx: x, cy: y, r: 4.5, class: `picked class-${argmax(one)}` }, above);
}

/**
 * Gradients as arrows from the middle, downhill: towards a corner is a step that raises its logit.
 *
 * `arrows` are {name, gradient}, the exact one first; `single` are estimates of one draw each, with a share.
 */
function drawArrows(picture, arrows, single, classes, name) {
  const { inside, above } = polygon(picture, classes, null);
  const places = arrows.map((arrow) => placeOf(arrow.gradient.map((value) => -value)));
  const typical = Math.sqrt(single.reduce((sum, one) => sum + one.share * squared(placeOf(one.gradient)), 0));
  const longest = Math.max(0.25 * typical, ...places.map(([x, y]) => Math.hypot(x, y)));
  const scale = longest > 0 ? 78 / longest : 0;
  for (const { gradient, share, dot } of single) {
    const [x, y] = placeOf(gradient);
    const r = dot ? 1.5 : 2 + 9 * Math.sqrt(share);
    const at = { cx: (-x * scale).toFixed(2), cy: (-y * scale).toFixed(2), r };
    shape("circle", { ...at, class: `single estimator-${name}` }, inside);
  }
  arrows.forEach((arrow, i) => {
    const [x, y] = places[i].map((value) => value * scale);
    const length = Math.hypot(x, y), kind = `arrow estimator-${arrow.name}`;
    const line = shape("g", { class: kind, "data-x": x.toFixed(2), "data-y": y.toFixed(2) }, above);
    if (length < 0.5) {
      shape("circle", { cx: 0, cy: 0, r: 3 }, line);
      return;
    }
    const [ux, uy] = [x / length, y / length], head = Math.min(i ? 8 : 15, length), half = i ? 3.6 : 8;
    const [bx, by] = [x - ux * head, y - uy * head];
    shape("path", { d: `M0 0L${bx} ${by}`, class: "shaft" }, line);
    const left = `${bx - uy * half} ${by + ux * half}`, right = `${bx + uy * half} ${by - ux * half}`;
    shape("path", { d: `M${x} ${y}L${left}L${right}Z`, class: "head" }, line);
  });
}

function squared([x, y]) {
  return x * x + y * y;
}
