// The annealing curve, and playing along it.

const PLAYED = 7000;

/** A player that calls `show(share)` with shares from where it stands to 1; one at a time, stopped by `stop`. */
function playerOf(button, show, where) {
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  let began = null;

  function stop() {
    began = null;
    label();
  }

  function label() {
    button.textContent = calm.matches ? "Next tenth" : began === null ? "Play" : "Pause";
  }

  function advance(now) {
    if (began === null) return;
    const share = Math.min(1, (now - began) / PLAYED);
    show(share);
    if (share < 1) requestAnimationFrame(advance);
    else stop();
  }

  button.addEventListener("click", () => {
    const from = where() >= 1 ? 0 : where();
    if (calm.matches) show(Math.min(1, from + 0.1));
    else if (began !== null) stop();
    else {
      began = performance.now() - from * PLAYED;
      requestAnimationFrame(advance);
    }
    label();
  });
  calm.addEventListener("change", stop);
  label();
  return { stop };
}

/** Steps until the floor is reached, and a fifth more; three times what a factor e takes, without a fall. */
function horizonOf({ start, floor, rate }) {
  const fall = start > floor ? Math.log(start / floor) / rate : 3 / rate;
  return Math.max(10, Math.ceil(fall * 1.2));
}

/** The fields of the schedule; `changed(tau)` is told where they lead. */
function annealing(changed) {
  const fields = ["start", "floor", "rate", "step"].map((name) => byId(name));
  const [start, floor, rate, step] = fields;

  function read() {
    const ends = { start: 10 ** start.value, floor: 10 ** floor.value, rate: 10 ** rate.value };
    return { ...ends, step: Number(step.value), horizon: horizonOf(ends) };
  }

  function say({ start: high, floor: low, rate: fall, step: now }, tau) {
    byId("start-value").textContent = digits(high);
    byId("floor-value").textContent = digits(low);
    byId("rate-value").textContent = fall.toPrecision(2);
    byId("step-value").textContent = now.toLocaleString("en");
    start.setAttribute("aria-valuetext", digits(high));
    floor.setAttribute("aria-valuetext", digits(low));
    rate.setAttribute("aria-valuetext", fall.toPrecision(2));
    step.setAttribute("aria-valuetext", `step ${now}, temperature ${digits(tau)}`);
  }

  function draw() {
    const ends = read(), { horizon } = ends;
    const points = Array.from({ length: 101 }, (_, i) => {
      const at = (horizon * i) / 100;
      return [at, annealed(ends.start, ends.floor, ends.rate, at)];
    });
    const tau = annealed(ends.start, ends.floor, ends.rate, ends.step);
    const xAxis = { low: 0, high: horizon, logarithmic: false, label: "step" };
    const yAxis = { low: 0, high: ends.start * 1.08, logarithmic: false };
    const scales = drawChart(byId("anneal"), [{ name: "schedule", points }], xAxis, yAxis, ends.step);
    shape("circle", { cx: scales.x(ends.step), cy: scales.y(tau), r: 5, class: "marker" }, byId("anneal"));
    say(ends, tau);
    return tau;
  }

  function move(share) {
    step.value = Math.round(share * read().horizon);
    changed(draw());
  }

  const player = playerOf(byId("anneal-play"), move, () => Number(step.value) / read().horizon);
  for (const field of fields) {
    field.addEventListener("input", () => {
      player.stop();
      // the floor is never above the start: the other one gives way
      if (field === start && Number(floor.value) > Number(start.value)) floor.value = start.value;
      if (field === floor && Number(start.value) < Number(floor.value)) start.value = floor.value;
      step.max = read().horizon;
      changed(draw());
    });
  }
  step.max = read().horizon;
  draw();
  return player;
}
