"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = () => innerWidth < 720;
  const drawn = new Map();
  let specs = {};

  const inflate = async (id) => {
    const text = document.getElementById(id).textContent.trim();
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };

  const theme = (light) => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    const ink = light ? "#1b1b1b" : of("--ink"), line = light ? "#c9d0d6" : of("--line");
    const axis = { gridcolor: line, zerolinecolor: line, linecolor: line };
    return { ink, panel: light ? "#f4f6f8" : of("--panel"), axis };
  };

  const layoutOf = (spec, light) => {
    const { ink, panel, axis } = theme(light);
    const layout = structuredClone(spec.layout);
    const axes = ["xaxis", "yaxis", "xaxis2", "yaxis2"].filter((name) => name.length === 5 || layout[name]);
    for (const name of axes) layout[name] = { ...axis, automargin: true, ...layout[name] };
    return {
      margin: { l: 56, r: 16, t: layout.annotations ? 60 : 40, b: 60 }, hovermode: "closest", dragmode: narrow() ? false : "zoom", ...layout,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, family: "system-ui, sans-serif" },
      hoverlabel: { bgcolor: panel, bordercolor: ink, font: { color: ink } },
      legend: narrow() ? { orientation: "h", y: -0.25 } : { y: 1, yanchor: "top" },
    };
  };

  const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"] };

  const draw = async (element) => {
    const name = element.dataset.plot, spec = specs[name];
    if (drawn.has(name) || !spec) return;
    drawn.set(name, element);
    await Plotly.newPlot(element, spec.data, layoutOf(spec, false), config);
    element.on("plotly_click", (event) => choose(element, event.points[0]));
    element.setAttribute("data-drawn", "");
  };

  const wordsOf = (data, position) => {
    if (data.type === "heatmap") {
      const [y, x] = position;
      return `${data.y[y]} taken for ${data.x[x]}: ${data.customdata[y][x]} images, ${data.z[y][x]}%`;
    }
    const at = (values) => (Array.isArray(values) ? values[position] : undefined);
    const label = at(data.text) ?? at(data.labels) ?? "";
    const value = at(data.values);
    const place = value === undefined ? `${at(data.x)}, ${at(data.y)}` : `${value.toLocaleString("en")} bytes`;
    return [data.name, label, place].filter((part) => part !== undefined && part !== "").join(": ");
  };

  const show = (event) => {
    const name = event.target.dataset.for, spec = specs[name], view = spec.views[event.target.value];
    spec.data.forEach((trace, number) => { trace.x = view.x[number]; });
    spec.data.at(-1).y = view.front;
    Object.assign(spec.layout, view.layout);
    const element = drawn.get(name);
    if (element) { walks.delete(element); Plotly.react(element, spec.data, layoutOf(spec, false), config); }
  };

  const choose = (element, point) => {
    const panel = document.querySelector(`.chosen[data-for="${element.dataset.plot}"]`);
    if (!panel || !point || !point.text) return;
    const lines = point.text.split(" / ").map((cell, number) => `cell ${number + 1}: ${cell}`);
    const details = point.customdata ? point.customdata[0] : "";
    panel.replaceChildren(...[`score ${point.y}, ${details}`, ...lines].map((text) => {
      const line = document.createElement("p");
      line.textContent = text;
      return line;
    }));
    panel.hidden = false;
  };

  // Points in the order of their x, then y, over all traces that have words for them.
  const walk = (element) => {
    const spec = specs[element.dataset.plot];
    const points = [];
    spec.data.forEach((data, curve) => {
      if (data.hoverinfo === "skip") return;
      if (data.type === "heatmap") {
        data.z.forEach((row, y) => row.forEach((z, x) => points.push({ curve, position: [y, x], x: 0, y: 0 })));
        return;
      }
      const values = data.type === "treemap" ? data.values : data.x;
      values.forEach((x, position) => points.push({ curve, position, x, y: data.y ? data.y[position] : 0 }));
    });
    if (["scatter", "bar"].includes(spec.data[0].type) && spec.data[0].orientation !== "h" && !isNaN(points[0]?.y))
      points.sort((a, b) => a.x - b.x || a.y - b.y);
    return points;
  };

  const keys = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageDown: 10, PageUp: -10 };
  const walks = new WeakMap();
  const step = (event) => {
    const element = event.currentTarget;
    if (!(event.key in keys) && !["Home", "End", "Enter"].includes(event.key)) return;
    if (!drawn.has(element.dataset.plot)) return;
    event.preventDefault();
    const state = walks.get(element) ?? { points: walk(element), at: -1 };
    walks.set(element, state);
    const last = state.points.length - 1;
    if (last < 0) return;
    if (event.key === "Home") state.at = 0;
    else if (event.key === "End") state.at = last;
    else if (event.key !== "Enter") state.at = Math.min(last, Math.max(0, state.at + keys[event.key]));
    const { curve, position } = state.points[Math.max(0, state.at)];
    const data = specs[element.dataset.plot].data[curve];
    element.closest("figure").querySelector(".said").textContent = wordsOf(data, position);
    if (data.type === "scatter" || data.type === "bar")
      Plotly.Fx.hover(element, [{ curveNumber: curve, pointNumber: position }], data.xaxis === "x2" ? "x2y2" : "xy");
    if (event.key === "Enter")
      choose(element, { text: data.text && data.text[position], y: data.y[position], customdata: data.customdata && data.customdata[position] });
  };

  const relayout = (light) => {
    for (const [name, element] of drawn) Plotly.relayout(element, layoutOf(specs[name], light));
  };

  const start = async () => {
    const plots = [...document.querySelectorAll(".canvas")];
    if (plots.length === 0) return;
    const [library, data] = await Promise.all([inflate("library"), inflate("specs")]);
    const script = document.createElement("script");
    script.textContent = library;
    document.head.append(script);
    specs = JSON.parse(data);
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
    }, { rootMargin: "400px" });
    for (const element of plots) {
      seen.observe(element);
      element.addEventListener("keydown", step);
    }
    for (const choice of document.querySelectorAll("select[data-for]")) choice.addEventListener("change", show);
    dark.addEventListener("change", () => relayout(false));
    addEventListener("beforeprint", () => { plots.forEach(draw); relayout(true); });
    addEventListener("afterprint", () => relayout(false));
    document.documentElement.dataset.ready = "";
  };

  start().catch((error) => {
    const trouble = document.getElementById("trouble");
    trouble.textContent = `The plots cannot be drawn here (${error.message}); the tables have the same figures.`;
    trouble.hidden = false;
    document.documentElement.dataset.failed = error.message;
  });
})();
