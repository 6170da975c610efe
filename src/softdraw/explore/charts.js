// Curves over a temperature or a step, with an axis on either side.

const CHART = { width: 340, height: 210, left: 44, right: 10, top: 12, bottom: 34 };

function scaleOf(low, high, from, to, logarithmic) {
  const read = logarithmic ? Math.log : (value) => value;
  const span = read(high) - read(low) || 1;
  return (value) => from + ((read(value) - read(low)) / span) * (to - from);
}

/** Round numbers that an axis names: powers of ten and their doubles and fives, or about four even steps. */
function ticksOf(low, high, logarithmic) {
  const found = [];
  if (logarithmic) {
    const decades = Math.log10(high / low), factors = decades > 3 ? [1] : decades > 1.2 ? [1, 3] : [1, 2, 5];
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      for (const factor of factors) {
        // of the text, so that 0.3 is not 0.30000000000000004
        const value = Number(`${factor}e${power}`);
        if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
      }
    }
    const every = Math.ceil(found.length / 7);
    return found.filter((_, i) => i % every === 0);
  }
  const rough = (high - low) / 4, size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((one) => one >= rough * 0.999);
  for (let i = Math.ceil(low / step); i * step <= high * 1.0001; i++) found.push(Number((i * step).toPrecision(6)));
  return found;
}

/**
 * Lines {name, points: [[x, y]]} on axes {low, high, logarithmic, label}; `now` is marked by an upright line.
 */
function drawChart(picture, lines, xAxis, yAxis, now) {
  const { width, height, left, right, top, bottom } = CHART;
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  picture.replaceChildren();
  const x = scaleOf(xAxis.low, xAxis.high, left, width - right, xAxis.logarithmic);
  const y = scaleOf(yAxis.low, yAxis.high, height - bottom, top, yAxis.logarithmic);
  const axes = shape("g", { class: "axes" }, picture);
  for (const value of ticksOf(yAxis.low, yAxis.high, yAxis.logarithmic)) {
    shape("path", { d: `M${left} ${y(value)}H${width - right}` }, axes);
    shape("text", { x: left - 6, y: y(value) + 3.5, "text-anchor": "end" }, axes, tickText(value));
  }
  for (const value of ticksOf(xAxis.low, xAxis.high, xAxis.logarithmic)) {
    shape("path", { d: `M${x(value)} ${height - bottom}v4` }, axes);
    shape("text", { x: x(value), y: height - bottom + 15, "text-anchor": "middle" }, axes, tickText(value));
  }
  const middle = (left + width - right) / 2;
  shape("text", { x: middle, y: height - 4, "text-anchor": "middle", class: "axis-name" }, axes, xAxis.label);
  if (now >= xAxis.low * 0.999 && now <= xAxis.high * 1.001) {
    shape("path", { d: `M${x(now)} ${top}V${height - bottom}`, class: "now" }, picture);
  }
  for (const { name, points } of lines) {
    const inside = (value) => Math.min(yAxis.high, Math.max(yAxis.low, value));
    const d = points.map(([a, b]) => `${x(a).toFixed(1)} ${y(inside(b)).toFixed(1)}`).join("L");
    shape("path", { d: `M${d}`, class: `line ${name}` }, picture);
  }
  return { x, y };
}

function tickText(value) {
  if (value !== 0 && (value >= 1e5 || value < 1e-3)) return value.toExponential(0).replace("e+", "e").replace("-", "−");
  return value.toLocaleString("en", { maximumFractionDigits: 4 });
}
