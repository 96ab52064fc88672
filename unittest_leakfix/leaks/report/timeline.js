"use strict";
/* The timeline: drawn anew for what is zoomed into, with the test under the cursor. Page.js, which
 * follows in the same script, has what is used by both. */
function summed(column) {
  let before = 0;
  return column.map(each => each === null ? null : (before += each));
}

function timeline(data) {
  const count = data.names.length;
  const lanes = data.lanes.map(lane => ({ ...lane, values: summed(lane.values) }));
  const places = data.places && summed(data.places);
  const milliseconds = summed(data.milliseconds);
  const kept = summed(data.kept), peak = summed(data.peak), traced = summed(data.traced || []);
  const marks = new Map(data.marks);
  const marked = data.marks.map(each => each[0]);
  const ownerOf = new Int32Array(count);
  const classEdges = [];
  let next = 0;
  for (const [owner, length] of data.runs) {
    if (next) classEdges.push(next);
    ownerOf.fill(owner, next, next + length);
    next += length;
  }
  const bands = [];       // of modules: [first, end, module]
  next = 0;
  for (const [owner, length] of data.runs) {
    const module = data.moduleOf[owner], before = bands[bands.length - 1];
    if (before && before[2] === module) before[1] += length;
    else bands.push([next, next + length, module]);
    next += length;
  }
  const isEdge = new Set(bands.map(band => band[0]));
  const chart = by("chart"), scrub = by("scrub"), readout = by("readout");
  const plots = all(".plot", chart);
  const cursor = made("div", "cursor"), selection = made("div", "selection"), tip = made("div", "tip");
  let first = 0, end = count;     // what is shown
  let current = -1, anchor = -1;
  let frame = 0;

  chart.append(tip);
  scrub.append(cursor, selection);
  cursor.hidden = selection.hidden = tip.hidden = true;
  scrub.hidden = by("tools").hidden = readout.hidden = false;
  scrub.tabIndex = 0;
  scrub.setAttribute("role", "slider");
  scrub.setAttribute("aria-label", "Tests in run order. Arrows move, plus and minus zoom, n and p " +
    "go to leaking tests, Shift with arrows selects, Enter zooms to it");
  scrub.setAttribute("aria-valuemin", "1");
  scrub.setAttribute("aria-valuemax", String(data.count));

  function lower(sorted, value) {     // the place of the first that is not less
    let low = 0, high = sorted.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < value) low = middle + 1; else high = middle;
    }
    return low;
  }
  function number(index) { return (places ? places[index] : index) + 1; }
  function nameOf(index) { return data.names[index]; }

  /* Drawing: at most two points for a column of pixels. */
  function node(tag, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    if (text !== undefined) element.textContent = text;
    return element;
  }
  function draw() {
    frame = 0;
    const width = Math.max(scrub.clientWidth, 100);
    const scale = width / (end - first);
    const x = index => (index + .5 - first) * scale;
    plots.forEach(plot => {
      const height = plot.clientHeight || 64;
      plot.setAttribute("viewBox", "0 0 " + width + " " + height);
      const row = plot.closest(".row");
      const children = row.dataset.strip === "modules" ? drawnBands(width, height, scale)
        : row.dataset.strip === "marks" ? drawnMarks(height, x)
        : drawnLane(lanes.find(lane => lane.key === row.dataset.lane), row, width, height, x, scale);
      plot.replaceChildren(...children);
    });
    const [from, to] = all(".scale span", chart);
    from.textContent = grouped(number(first));
    to.textContent = grouped(number(end - 1));
    by("range").textContent = first === 0 && end === count ? "all " + counted(data.count, "test") :
      "tests " + grouped(number(first)) + " to " + grouped(number(end - 1)) + " of " + grouped(data.count);
    place();
  }
  function drawnBands(width, height, scale) {
    const found = [];
    let drawn = -1;
    for (let at = Math.max(lower(bands.map(band => band[0]), first + 1) - 1, 0);
         at < bands.length && bands[at][0] < end; at++) {
      const [begin, stop, module] = bands[at];
      const left = Math.max((begin - first) * scale, 0);
      const right = Math.min((stop - first) * scale, width);
      if (right - left < 1 && Math.floor(left) === drawn) continue;    // one a pixel
      drawn = Math.floor(left);
      const rect = node("rect", { x: left, y: 0, width: Math.max(right - left, .5), height,
        class: at % 2 ? "band odd" : "band" });
      rect.append(node("title", {}, data.modules[module]));
      found.push(rect);
      const fits = Math.floor((right - left - 8) / 5.6);
      if (fits > 3) {
        const whole = data.modules[module], last = whole.split(/[./](?!py$)/).pop();
        const name = whole.length <= fits ? whole : last;
        const short = name.length <= fits ? name : fits > 8 ? "…" + name.slice(1 - fits) : "";
        if (short) found.push(node("text", { x: left + 5, y: height / 2 + 3.5, class: "band-name" }, short));
      }
    }
    return found;
  }
  function drawnMarks(height, x) {
    let path = "", drawn = -1;
    for (let at = lower(marked, first); at < marked.length && marked[at] < end; at++) {
      const column = Math.floor(x(marked[at]));
      if (column === drawn) continue;
      drawn = column;
      path += "M" + (column + .5) + " 0v" + height;
    }
    return path ? [node("path", { d: path, class: "mark" })] : [];
  }
  function drawnLane(lane, row, width, height, x, scale) {
    const values = lane.values;
    let low = Infinity, high = -Infinity;
    for (let index = first; index < end; index++) {
      const value = values[index];
      if (value !== null) {
        if (value < low) low = value;
        if (value > high) high = value;
      }
    }
    if (low === Infinity) return [];
    if (low >= 0 && (low < high * .3 || low === high)) low = 0;
    if (low === high) high = low + 1;
    const shown = value => lane.size ? amount(value) : grouped(value);
    row.querySelector(".high").textContent = shown(high);
    row.querySelector(".low").textContent = shown(low);
    const y = value => (height - 2 - (value - low) * (height - 4) / (high - low)).toFixed(1);
    const found = [];
    let line = "", start = 0, last = 0;
    if (scale > 3) {        // a step for each test
      let before = "";
      for (let index = first; index < end; index++) {
        if (values[index] === null) continue;
        const here = (index - first) * scale, now = y(values[index]);
        if (!line) start = here;
        if (now !== before) line += (line ? "H" : "M") + here.toFixed(1) + (line ? "V" : " ") + now;
        before = now;
      }
      last = width;
      line += "H" + width;
    } else {
      let column = -1, least = 0, most = 0;
      const put = () => {
        if (column < 0) return;
        line += (line ? "L" : "M") + column + " " + y(least);
        if (most !== least) line += "L" + column + " " + y(most);
        last = column;
      };
      for (let index = first; index < end; index++) {
        const value = values[index];
        if (value === null) continue;
        const here = Math.floor(x(index));
        if (here !== column) {
          put();
          if (column < 0) start = here;
          column = here;
          least = most = value;
        } else {
          if (value < least) least = value;
          if (value > most) most = value;
        }
      }
      put();
    }
    found.push(node("path", { d: line + "L" + last + " " + height + "L" + start.toFixed(1) + " " +
      height + "Z", class: "area" }));
    const edges = (sorted, className) => {
      const from = lower(sorted, first + 1), to = lower(sorted, end);
      if (to - from > 80 || to === from) return;
      let path = "";
      for (let at = from; at < to; at++) path += "M" + ((sorted[at] - first) * scale).toFixed(1) + " 0v" + height;
      found.push(node("path", { d: path, class: className }));
    };
    edges(classEdges.filter(edge => !isEdge.has(edge)), "edge of-class");
    edges(bands.map(band => band[0]), "edge");
    edges(data.processes, "edge of-process");
    found.push(node("path", { d: line, class: "curve" }));
    const from = lower(marked, first), to = lower(marked, end);
    if (to - from <= 60) {
      for (let at = from; at < to; at++) {
        const value = values[marked[at]];
        if (value !== null) found.push(node("circle", { cx: x(marked[at]).toFixed(1), cy: y(value), r: 2.5, class: "dot" }));
      }
    }
    return found;
  }
  function redraw() {
    if (!frame) frame = requestAnimationFrame(draw);
  }

  /* The test under the cursor. */
  function place() {
    const shown = current >= first && current < end;
    cursor.hidden = !shown;
    tip.hidden = !shown || tip.dataset.off === "yes";
    if (!shown) return;
    const part = (current + .5 - first) / (end - first);
    cursor.style.left = part * 100 + "%";
    const left = scrub.offsetLeft + part * scrub.clientWidth;
    const half = Math.min(tip.offsetWidth / 2, chart.clientWidth / 2);
    tip.style.left = Math.min(Math.max(left, half), chart.clientWidth - half) + "px";
  }
  function leftBy(index) { return (marks.get(index) || []).map(at => data.causes[at]).filter(Boolean); }
  function figure(values, index) {
    const value = values[index];
    return value === undefined ? null : value;
  }
  function select(index, quiet) {
    if (!count) return;
    index = Math.min(Math.max(index, 0), count - 1);
    if (index === current) { place(); return; }
    current = index;
    const owner = data.owners[ownerOf[index]];
    const left = leftBy(index);
    tip.replaceChildren(made("div", "", nameOf(index)));
    if (left.length) tip.append(made("div", "", "left " + (left.length === 1 ? left[0][2] : counted(left.length, "thing"))));
    const head = made("div");
    head.append(made("div", "test", nameOf(index)), made("div", "owner", owner),
      made("div", "faint", "test " + grouped(number(index)) + " of " + grouped(data.count)));
    const things = made("ul");
    for (const [nr, anchor_, subject] of left.slice(0, 6)) {
      const item = made("li"), link = made("a", "", (nr ? "#" + nr + "  " : "") + subject);
      link.href = "#" + anchor_;
      item.append(link);
      things.append(item);
    }
    if (left.length > 6) things.append(made("li", "faint", "and " + (left.length - 6) + " more"));
    for (const [at, , , number_] of data.perhaps.filter(each => each[1] <= index && index <= each[2]).slice(0, 3)) {
      const item = made("li"), link = made("a", "", (data.causes[at] || ["", "", ""])[2]);
      link.href = "#" + (data.causes[at] || ["", "causes"])[1];
      item.append(made("span", "faint", "left by this or another of " + counted(number_, "test") + ": "), link);
      things.append(item);
    }
    head.append(things.children.length ? things : made("div", "faint", "left nothing behind"));
    const figures = made("dl");
    const add = (name, text) => {
      const pair = made("div");
      pair.append(made("dt", "", name), made("dd", "", text));
      figures.append(pair);
    };
    const took = figure(milliseconds, index);
    if (took !== null) add("Time", took < 1000 ? took + " ms" : (took / 1000).toFixed(2) + " s");
    if (figure(kept, index) !== null) add("Memory kept", amount(kept[index]));
    if (figure(traced, index) !== null) add("Traced", amount(traced[index]));
    if (figure(peak, index) !== null) add("Peak", amount(peak[index]));
    for (const lane of lanes) {
      const value = figure(lane.values, index);
      add(lane.name, value === null ? "not sampled" : lane.size ? amount(value) : grouped(value));
    }
    readout.replaceChildren(head, figures);
    scrub.setAttribute("aria-valuenow", String(number(index)));
    scrub.setAttribute("aria-valuetext", nameOf(index) + ", " + owner + ", " + (left.length ?
      "left " + left.map(each => each[2]).join("; ") : "left nothing behind"));
    tip.dataset.off = quiet ? "yes" : "";
    place();
  }
  function indexAt(clientX) {
    const box = scrub.getBoundingClientRect();
    const part = Math.min(Math.max((clientX - box.left) / box.width, 0), 1);
    return Math.min(first + Math.floor(part * (end - first)), end - 1);
  }
  function nearest(clientX) {     // a leaking test within a few pixels is what is meant
    const index = indexAt(clientX);
    const reach = Math.floor((end - first) / Math.max(scrub.clientWidth, 1) * 3);
    if (!reach || marks.has(index)) return index;
    let best = index, distance = reach + 1;
    for (let at = lower(marked, index - reach); at < marked.length && marked[at] <= index + reach; at++) {
      if (Math.abs(marked[at] - index) < distance) {
        distance = Math.abs(marked[at] - index);
        best = marked[at];
      }
    }
    return best;
  }

  /* Zoom. */
  function zoom(from, to) {
    const least = Math.min(5, count);
    from = Math.max(Math.round(from), 0);
    to = Math.min(Math.round(to), count);
    if (to - from < least) {
      from = Math.max(Math.min(Math.floor((from + to - least) / 2), count - least), 0);
      to = from + least;
    }
    first = from;
    end = to;
    redraw();
  }
  function zoomBy(factor) {
    const span = (end - first) * factor;
    const middle = current >= first && current < end ? current + .5 : (first + end) / 2;
    const part = (middle - first) / (end - first);
    let from = middle - span * part;
    from = Math.max(Math.min(from, count - span), 0);
    zoom(from, from + span);
  }
  function show(index) {      // so that it is within what is shown
    if (index < first || index >= end) {
      const span = end - first;
      const from = Math.max(Math.min(index - span / 2, count - span), 0);
      zoom(from, from + span);
    }
    select(index);
  }
  function toLeak(direction) {
    if (!marked.length) { say("No test left anything behind"); return; }
    const at = direction > 0 ? lower(marked, current + 1) : lower(marked, current) - 1;
    show(marked[Math.min(Math.max(at, 0), marked.length - 1)]);
  }
  function drawSelection(one, other) {
    selection.hidden = false;
    const from = Math.min(one, other), to = Math.max(one, other) + 1;
    selection.style.left = (from - first) / (end - first) * 100 + "%";
    selection.style.width = (to - from) / (end - first) * 100 + "%";
  }
  function unselect() {
    anchor = -1;
    selection.hidden = true;
  }

  let pressed = null;
  scrub.addEventListener("pointerdown", event => {
    if (event.button) return;
    pressed = { x: event.clientX, index: indexAt(event.clientX) };
    try { scrub.setPointerCapture(event.pointerId); } catch (error) { /* it has ended already */ }
    unselect();
    select(nearest(event.clientX));
  });
  scrub.addEventListener("pointermove", event => {
    if (pressed && Math.abs(event.clientX - pressed.x) > 5) drawSelection(pressed.index, indexAt(event.clientX));
    select(nearest(event.clientX));
  });
  scrub.addEventListener("pointerup", event => {
    if (!pressed) return;
    const begun = pressed;
    pressed = null;
    unselect();
    if (Math.abs(event.clientX - begun.x) > 5) {
      const index = indexAt(event.clientX);
      zoom(Math.min(begun.index, index), Math.max(begun.index, index) + 1);
    }
  });
  scrub.addEventListener("pointercancel", () => { pressed = null; unselect(); });
  scrub.addEventListener("pointerleave", () => { if (!pressed) { tip.dataset.off = "yes"; place(); } });
  scrub.addEventListener("dblclick", () => zoom(0, count));
  scrub.addEventListener("focus", () => { if (current < 0) select(marked.length ? marked[0] : 0); });
  scrub.addEventListener("blur", () => { tip.dataset.off = "yes"; place(); });
  scrub.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const many = Math.max(Math.round((end - first) / 20), 1);
    const begun = current < 0 ? first : current;
    const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: many, PageDown: -many };
    let done = true;
    if (event.key in moves && event.shiftKey) {
      if (anchor < 0) anchor = begun;
      select(Math.min(Math.max(begun + moves[event.key] * (Math.abs(moves[event.key]) === 1 ? many : 1), first), end - 1));
      drawSelection(anchor, current);
    } else if (event.key in moves) {
      unselect();
      show(Math.min(Math.max(begun + moves[event.key], 0), count - 1));
    } else if (event.key === "Home") { unselect(); show(0);
    } else if (event.key === "End") { unselect(); show(count - 1);
    } else if (event.key === "+" || event.key === "=") { zoomBy(.5);
    } else if (event.key === "-" || event.key === "_") { zoomBy(2);
    } else if (event.key === "0") { zoom(0, count);
    } else if (event.key === "n") { toLeak(1);
    } else if (event.key === "p") { toLeak(-1);
    } else if (event.key === "Escape") {
      if (anchor >= 0) unselect(); else zoom(0, count);
    } else if (event.key === "Enter") {
      if (anchor >= 0) {
        const one = anchor;
        unselect();
        zoom(Math.min(one, current), Math.max(one, current) + 1);
      } else if (leftBy(current).length) {
        location.hash = leftBy(current)[0][1];
        reveal();
      }
    } else { done = false; }
    if (done) { event.preventDefault(); event.stopPropagation(); }
  });
  by("tools").addEventListener("click", event => {
    const button = event.target.closest("button");
    if (!button) return;
    const dos = { "zoom-in": () => zoomBy(.5), "zoom-out": () => zoomBy(2), reset: () => zoom(0, count),
      "next-leak": () => toLeak(1), "previous-leak": () => toLeak(-1) };
    dos[button.dataset.do]();
  });
  if (!marked.length) all("[data-do$=leak]").forEach(button => { button.hidden = true; });
  addEventListener("resize", redraw);
  draw();
  select(marked.length ? marked[0] : 0, true);

  /* From elsewhere on the page to a test in here. */
  function goTo(index) {
    show(index);
    scrub.focus({ preventScroll: true });
    chart.scrollIntoView({ block: "center" });
  }
  const firsts = new Map();       // of each cause
  for (const [index, left] of data.marks) {
    for (const at of left) if (data.causes[at] && !firsts.has(data.causes[at][1])) firsts.set(data.causes[at][1], index);
  }
  const ranges = new Map(data.perhaps.filter(each => data.causes[each[0]])
    .map(([at, from, to]) => [data.causes[at][1], [from, to]]));
  all("[data-in-timeline]").forEach(button => {
    const cause = button.closest(".cause").id, index = firsts.get(cause), range = ranges.get(cause);
    if (index === undefined && !range) return;
    button.hidden = false;
    button.addEventListener("click", () => {
      if (index === undefined) zoom(range[0], range[1] + 1);
      goTo(index === undefined ? range[0] : index);
    });
  });
  all("[data-place]").forEach(name => {
    const index = places ? lower(places, +name.dataset.place) : +name.dataset.place;
    if (places && places[index] !== +name.dataset.place) return;
    const button = made("button", "to-test", name.textContent);
    button.type = "button";
    button.title = "Show it in the timeline";
    button.addEventListener("click", () => goTo(index));
    name.replaceChildren(button);
  });
}
