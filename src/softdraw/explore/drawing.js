// What every picture needs: elements, text of numbers, and a place in the page.

const LETTERS = ["A", "B", "C", "D", "E", "F"];

function byId(id) {
  return document.getElementById(id);
}

/** An element with attributes and text, put into `parent`. */
function element(tag, attributes = {}, parent = null, text = null) {
  return filled(document.createElement(tag), attributes, parent, text);
}

/** The same of SVG. */
function shape(tag, attributes = {}, parent = null, text = null) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, parent, text);
}

function filled(made, attributes, parent, text) {
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== null) made.textContent = text;
  if (parent) parent.appendChild(made);
  return made;
}

/** Digits that say enough: 0.123, 12.3, 1,234. */
function digits(value) {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 0.001) return value.toExponential(1).replaceAll("-", "−");
  return signed(value, size < 10 ? 3 : size < 100 ? 1 : 0);
}

/** A number with a real minus, so that columns are even. */
function signed(value, places) {
  const text = value.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
  return text.replace("-", "−").replace(/^−(0(\.0*)?)$/, "$1");
}

function percent(share) {
  return `${signed(100 * share, 1)} %`;
}

/** The rows of a table's body, each a list of cells: text, or {text, name} with the name of a class of style. */
function fillTable(body, rows) {
  body.replaceChildren();
  for (const cells of rows) {
    const line = element("tr", cells.name ? { class: cells.name } : {}, body);
    cells.forEach((cell, i) => {
      const given = typeof cell === "object" ? cell : { text: cell };
      const at = i ? { class: given.name ?? "number" } : { scope: "row", class: given.name ?? "" };
      element(i ? "td" : "th", at, line, given.text);
    });
  }
}
