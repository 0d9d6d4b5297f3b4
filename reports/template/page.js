"use strict";
// The page is whole without this. It sorts tables, zooms and searches flame graphs, and saves large
// files that some browsers refuse as a data address.
document.querySelectorAll("table.sortable").forEach((table) => {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "Sort by this column";
    while (head.firstChild) button.append(head.firstChild);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const compare = (a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === "" || y === "") return (x === "") - (y === "");  // what is not known goes last
        const numbers = !Number.isNaN(Number(x)) && !Number.isNaN(Number(y));
        const order = numbers ? Number(x) - Number(y) : x.localeCompare(y);
        return up ? order : -order;
      };
      body.append(...[...body.rows].sort(compare));
    });
  });
});

// Frames hold their place in percent of the whole graph: zooming changes the percents.
class FlameGraph {
  constructor(graph) {
    this.frames = [...graph.querySelectorAll("svg")].map((element) => ({
      element,
      left: parseFloat(element.getAttribute("x")),
      width: parseFloat(element.getAttribute("width")),
      top: parseFloat(element.getAttribute("y")),
      title: element.querySelector("title").textContent,
    }));
    this.addTools(graph);
    for (const frame of this.frames) {
      frame.element.setAttribute("tabindex", "-1");
      frame.element.addEventListener("click", () => this.zoom(frame));
      frame.element.addEventListener("keydown", (event) => this.key(event, frame));
    }
    if (this.frames.length) this.frames[0].element.setAttribute("tabindex", "0");
  }

  addTools(graph) {
    const tools = document.createElement("p");
    tools.className = "flame-tools";
    const search = document.createElement("input");
    search.type = "search";
    search.placeholder = "Search functions";
    search.setAttribute("aria-label", "Search functions of this flame graph");
    const whole = document.createElement("button");
    whole.type = "button";
    whole.textContent = "Whole graph";
    this.status = document.createElement("span");
    this.status.setAttribute("role", "status");
    tools.append(search, whole, this.status);
    graph.before(tools);
    search.addEventListener("input", () => this.search(search.value));
    whole.addEventListener("click", () => this.zoom(this.frames[0]));
  }

  zoom(to) {
    const edge = 0.0005;  // of rounding in the percents
    for (const frame of this.frames) {
      const inside = frame.left >= to.left - edge &&
        frame.left + frame.width <= to.left + to.width + edge && frame.top <= to.top;
      const below = frame.top > to.top && frame.left <= to.left + edge &&
        frame.left + frame.width >= to.left + to.width - edge;
      frame.element.classList.toggle("gone", !inside && !below);
      frame.element.classList.toggle("past", below);
      const left = below ? 0 : (100 * (frame.left - to.left)) / to.width;
      const width = below ? 100 : (100 * frame.width) / to.width;
      frame.element.setAttribute("x", `${left}%`);
      frame.element.setAttribute("width", `${width}%`);
      this.label(frame, width);
    }
    this.status.textContent = to.title;
  }

  // Frames that were too narrow for their name get it when they are wide enough.
  label(frame, width) {
    if (width < 1.2 || frame.element.querySelector("text")) return;
    const text = document.createElementNS(frame.element.namespaceURI, "text");
    text.setAttribute("x", "3");
    text.setAttribute("y", "12");
    text.textContent = frame.title.slice(0, frame.title.lastIndexOf(": "));
    frame.element.append(text);
  }

  // Marks what matches; what stands on a match is part of it and counts once.
  search(words) {
    const wanted = words.toLowerCase();
    const found = this.frames.filter((frame) => {
      const name = frame.title.slice(0, frame.title.lastIndexOf(": ")).toLowerCase();
      const matches = wanted !== "" && name.includes(wanted);
      frame.element.classList.toggle("found", matches);
      return matches;
    });
    let share = 0;
    let until = -1;
    found.sort((a, b) => a.left - b.left || b.width - a.width);
    for (const frame of found) {
      if (frame.left < until - 0.0005) continue;
      share += frame.width;
      until = frame.left + frame.width;
    }
    this.status.textContent = wanted === "" ? "" :
      `${found.length} frames, ${share.toFixed(1)} % of the samples`;
  }

  key(event, frame) {
    if (event.key === "Enter" || event.key === " ") {
      this.zoom(frame);
    } else if (event.key === "Escape") {
      this.zoom(this.frames[0]);
    } else if (["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"].includes(event.key)) {
      this.step(frame, event.key);
    } else {
      return;
    }
    event.preventDefault();
  }

  step(from, key) {
    const shown = this.frames.filter((frame) => !frame.element.classList.contains("gone"));
    const middle = from.left + from.width / 2;
    const near = (a, b) => Math.abs(a.left + a.width / 2 - middle) -
      Math.abs(b.left + b.width / 2 - middle);
    const tops = shown.map((frame) => frame.top);
    const wanted = key === "ArrowUp" ? Math.max(...tops.filter((top) => top < from.top)) :
      key === "ArrowDown" ? Math.min(...tops.filter((top) => top > from.top)) : from.top;
    const side = { ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0;
    const next = shown.filter((frame) => frame.top === wanted && frame !== from &&
      side * (frame.left - from.left) >= 0).sort(near)[0];
    if (!next) return;
    from.element.setAttribute("tabindex", "-1");
    next.element.setAttribute("tabindex", "0");
    next.element.focus();
    this.status.textContent = next.title;
  }
}
document.querySelectorAll("svg.flame").forEach((graph) => new FlameGraph(graph));

document.querySelectorAll("a.download").forEach((link) => {
  link.addEventListener("click", () => {
    if (!link.href.startsWith("data:")) return;
    const text = atob(link.href.slice(link.href.indexOf(",") + 1));
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    link.href = URL.createObjectURL(new Blob([bytes], { type: "application/gzip" }));
  });
});
