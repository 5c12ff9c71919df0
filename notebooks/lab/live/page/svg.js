// Makes one SVG element.

const NS = "http://www.w3.org/2000/svg";

export function svg(name, attributes) {
  const made = document.createElementNS(NS, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}
