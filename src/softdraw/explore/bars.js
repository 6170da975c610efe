// Bars that are dragged, or moved by keys: each is a slider to whoever cannot see it.

/**
 * A row of vertical bars in `place`.
 *
 * `options` has `least`, `most`, `label(i)` for a screen reader, and `changed(i, value)`. What is returned shows
 * a list of values, as many bars as there are values.
 */
function barRow(place, options) {
  const { least, most } = options;
  let bars = [];

  function set(i, value) {
    const rounded = Math.round(Math.min(most, Math.max(least, value)) * 20) / 20;
    // at once, not at the next frame: the next key may come before that, and goes on from here
    bars[i].track.setAttribute("aria-valuenow", rounded);
    options.changed(i, rounded);
  }

  function add(i) {
    const column = element("div", { class: `bar class-${i}` }, place);
    const value = element("span", { class: "bar-value", "aria-hidden": "true" }, column);
    const track = element("div", {
      class: "track", role: "slider", tabindex: "0", "aria-orientation": "vertical",
      "aria-valuemin": least, "aria-valuemax": most, "aria-label": options.label(i),
    }, column);
    element("span", { class: "zero", "aria-hidden": "true" }, track);
    const fill = element("span", { class: "fill", "aria-hidden": "true" }, track);
    element("span", { class: "bar-name", "aria-hidden": "true" }, column, LETTERS[i]);
    const follow = (event) => {
      const box = track.getBoundingClientRect();
      set(i, most - ((event.clientY - box.top) / box.height) * (most - least));
    };
    track.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      track.focus();
      track.setPointerCapture(event.pointerId);
      follow(event);
    });
    track.addEventListener("pointermove", (event) => {
      if (track.hasPointerCapture(event.pointerId)) follow(event);
    });
    track.addEventListener("keydown", (event) => {
      const moved = moveOf(event.key, Number(track.getAttribute("aria-valuenow")), least, most);
      if (moved === null) return;
      event.preventDefault();
      set(i, moved);
    });
    return { column, value, track, fill };
  }

  return function show(values) {
    while (bars.length > values.length) bars.pop().column.remove();
    while (bars.length < values.length) bars.push(add(bars.length));
    const zero = (most / (most - least)) * 100;
    values.forEach((value, i) => {
      const { track, fill, value: text } = bars[i], length = (Math.abs(value) / (most - least)) * 100;
      track.setAttribute("aria-valuenow", value);
      track.setAttribute("aria-valuetext", value.toFixed(2));
      text.textContent = signed(value, 2);
      track.style.setProperty("--zero", `${zero}%`);
      fill.style.top = `${value > 0 ? zero - length : zero}%`;
      fill.style.height = `${length}%`;
      track.style.setProperty("--grip", `${zero - (value / (most - least)) * 100}%`);
    });
  };
}

/** Where a key moves a slider; null for a key that moves none. */
function moveOf(key, value, least, most) {
  const steps = { ArrowUp: 0.1, ArrowRight: 0.1, ArrowDown: -0.1, ArrowLeft: -0.1, PageUp: 1, PageDown: -1 };
  if (key in steps) return value + steps[key];
  return key === "Home" ? least : key === "End" ? most : null;
}
