// Draws the figures that stand as JSON in the page, and keeps the theme.
// Everything a figure shows also stands in the page as text and table.
(function () {
  "use strict";
  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  var config = {
    displayModeBar: false,
    displaylogo: false,
    showSendToCloud: false,
    plotlyServerURL: "",
    responsive: true,
    scrollZoom: false,
    doubleClick: "reset",
    // its bubbles lie over the page, and a button does the same
    showTips: false,
    locale: root.lang === "de" ? "de" : "en-GB"
  };
  var drawn = new Map();

  function remembered() {
    try { return localStorage.getItem("theme"); } catch (error) { return null; }
  }
  function remember(theme) {
    try { localStorage.setItem("theme", theme); } catch (error) { /* private mode */ }
  }
  if (remembered()) root.dataset.theme = remembered();

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : dark.matches;
  }

  // Resolve colours of the theme, each once: only an element knows which of the two holds.
  function palette() {
    var probe = document.createElement("span");
    var known = {};
    return function (name) {
      if (!known[name]) {
        root.appendChild(probe).style.color = name;
        known[name] = getComputedStyle(probe).color;
        probe.remove();
      }
      return known[name];
    };
  }

  // Put the theme's colours where a figure names them.
  function coloured(value, colour) {
    if (typeof value === "string") {
      return /^var\(--[a-z0-9-]+\)$/.test(value) ? colour(value) : value;
    }
    if (Array.isArray(value)) {
      return value.map(function (item) { return coloured(item, colour); });
    }
    if (value && typeof value === "object") {
      var copy = {};
      Object.keys(value).forEach(function (key) { copy[key] = coloured(value[key], colour); });
      return copy;
    }
    return value;
  }

  // Spread out what the page packs, see figures/payload.py.
  var packed = {
    // [value, count]
    runs: function (value) {
      return [].concat.apply([], value.runs.map(function (run) {
        return new Array(run[1]).fill(run[0]);
      }));
    },
    // [begin, step, count], in minutes
    times: function (value) {
      return [].concat.apply([], value.times.map(function (run) {
        return Array.from({ length: run[2] }, function (nothing, n) {
          var time = new Date((run[0] + n * run[1]) * 60000);
          return time.toISOString().slice(0, 16).replace("T", " ");
        });
      }));
    },
    // two bytes each, the lower one first
    numbers: function (value) {
      var bytes = atob(value.numbers);
      return Array.from({ length: bytes.length / 2 }, function (nothing, n) {
        var steps = bytes.charCodeAt(2 * n) + 256 * bytes.charCodeAt(2 * n + 1);
        return steps === 65535 ? null : value.from + steps / value.by;
      });
    },
    alike: function (value) {
      return [].concat.apply([], value.alike.map(function (group) {
        return Array.from({ length: group.spans.length / 2 }, function (nothing, n) {
          var times = { x0: group.spans[2 * n], x1: group.spans[2 * n + 1] };
          return Object.assign(times, group.common);
        });
      }));
    }
  };

  function spread(key, value) {
    var kind = value && typeof value === "object" && !Array.isArray(value) &&
      Object.keys(packed).find(function (name) { return name in value; });
    return kind ? packed[kind](value) : value;
  }

  function draw(plot) {
    var source = document.getElementById(plot.dataset.figure);
    var figure = coloured(JSON.parse(source.textContent, spread), palette());
    // names that would cover each other on a narrow map stand elsewhere, or not at all
    [figure.layout].concat(figure.data).forEach(function (part) {
      (part.meta || []).forEach(function (other) {
        if (plot.clientWidth < other.below) Object.assign(part, other.with);
      });
    });
    return Plotly.react(plot, figure.data, figure.layout, config).then(function () {
      if (drawn.has(plot)) return;
      drawn.set(plot, true);
      plot.parentElement.classList.add("drawn");
      plot.on("plotly_click", function (event) {
        var link = event.points[0].customdata;
        if (typeof link === "string" && /^\/[a-z]/.test(link)) location.assign(link);
      });
      // Plotly keeps its state in the layout that it was given
      tools(plot, JSON.parse(source.textContent, spread).layout);
    });
  }

  // Zooming also without dragging, and images without sending data anywhere.
  function tools(plot, layout) {
    var bar = document.querySelector('.tools[data-for="' + plot.id + '"]');
    if (!bar) return;
    var fixed = !layout.xaxis || layout.xaxis.fixedrange;
    bar.querySelectorAll("button").forEach(function (button) {
      var action = button.dataset.do;
      if (fixed && /^(in|out|all)$/.test(action)) button.hidden = true;
      button.addEventListener("click", function () {
        if (action === "png" || action === "svg") {
          Plotly.downloadImage(marked(plot), {
            format: action,
            width: 1200,
            height: plot.clientHeight,
            filename: (simulated() ? "simulated_" : "") +
              location.pathname.split("/").slice(3).join("_") + "_" + plot.id
          });
        } else if (action === "all") {
          Plotly.relayout(plot, start(layout));
        } else {
          zoom(plot, action === "in" ? 0.5 : 2);
        }
      });
    });
    bar.hidden = false;
  }

  // The text of the banner, for images that leave the page.
  function simulated() {
    var banner = document.querySelector(".simulated strong");
    return banner ? banner.textContent : "";
  }

  function marked(plot) {
    if (!simulated()) return plot;
    var note = {
      text: simulated(), xref: "paper", yref: "paper", x: 1, y: 1, xanchor: "right",
      yanchor: "bottom", showarrow: false,
      font: { size: 13, color: palette()("var(--case)") }
    };
    var layout = Object.assign({}, plot.layout);
    layout.annotations = (layout.annotations || []).concat([note]);
    return { data: plot.data, layout: layout, config: config };
  }

  function axes(layout) {
    return layout.yaxis && layout.yaxis.scaleanchor ? ["xaxis", "yaxis"] : ["xaxis"];
  }

  function start(layout) {
    var update = {};
    axes(layout).forEach(function (name) {
      if (layout[name].range) update[name + ".range"] = layout[name].range.slice();
      else update[name + ".autorange"] = true;
    });
    return update;
  }

  function zoom(plot, factor) {
    var update = {};
    axes(plot.layout).forEach(function (name) {
      var axis = plot._fullLayout[name];
      var range = axis.range.map(axis.r2l);
      var middle = (range[0] + range[1]) / 2;
      var half = (range[1] - range[0]) / 2 * factor;
      update[name + ".range"] = [axis.l2r(middle - half), axis.l2r(middle + half)];
    });
    Plotly.relayout(plot, update);
  }

  function register() {
    Plotly.register({
      moduleType: "locale",
      name: "de",
      dictionary: {},
      format: {
        days: ["Sonntag", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag"],
        shortDays: ["So", "Mo", "Di", "Mi", "Do", "Fr", "Sa"],
        months: ["Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August",
          "September", "Oktober", "November", "Dezember"],
        shortMonths: ["Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt",
          "Nov", "Dez"],
        date: "%d.%m.%Y",
        decimal: ",",
        thousands: ".",
        year: "%Y",
        month: "%b %Y",
        dayMonth: "%-d. %b",
        dayMonthYear: "%-d. %b %Y"
      }
    });
    // what is missing here is as in plotly.js' own English
    Plotly.register({
      moduleType: "locale",
      name: "en-GB",
      dictionary: {},
      format: { dayMonth: "%-d %b", dayMonthYear: "%-d %b %Y" }
    });
  }

  function themeButton() {
    var button = document.getElementById("theme");
    function name() {
      button.textContent = isDark() ? button.dataset.light : button.dataset.dark;
    }
    function changed() {
      name();
      drawn.forEach(function (value, plot) { draw(plot); });
    }
    name();
    button.hidden = false;
    button.addEventListener("click", function () {
      root.dataset.theme = isDark() ? "light" : "dark";
      remember(root.dataset.theme);
      changed();
    });
    dark.addEventListener("change", changed);
  }

  // The menu of who is logged in closes as others do.
  function accountMenu() {
    var menu = document.querySelector("details.account");
    if (!menu) return;
    document.addEventListener("click", function (event) {
      if (!menu.contains(event.target)) menu.open = false;
    });
    menu.addEventListener("keydown", function (event) {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.firstElementChild.focus();
    });
  }

  // A date field writes days as the browser likes; the words follow the page.
  function dayWords() {
    var format = new Intl.DateTimeFormat(root.lang === "de" ? "de-DE" : "en-GB", {
      dateStyle: "full", timeZone: "UTC"
    });
    document.querySelectorAll(".chosen [data-of]").forEach(function (words) {
      var field = words.closest("form").elements[words.dataset.of];
      field.addEventListener("input", function () {
        words.textContent = field.valueAsDate ? format.format(field.valueAsDate) : "…";
      });
    });
  }

  // Only over HTTPS and on the own machine may a page copy.
  function copyButtons() {
    if (!navigator.clipboard) return;
    document.querySelectorAll("[data-copies]").forEach(function (button) {
      button.hidden = false;
      button.addEventListener("click", function () {
        navigator.clipboard.writeText(document.getElementById(button.dataset.copies).value)
          .then(function () { button.textContent = button.dataset.copied; });
      });
    });
  }

  // Deferred scripts have run by then, so Plotly is there.
  document.addEventListener("DOMContentLoaded", function () {
    themeButton();
    accountMenu();
    dayWords();
    copyButtons();
    window.addEventListener("beforeprint", function () {
      var at = document.getElementById("printed-at");
      document.getElementById("printed-address").textContent = location.href;
      at.textContent = ", " + at.dataset.says + " " + new Intl.DateTimeFormat(
        config.locale, { dateStyle: "medium", timeStyle: "short" }).format(new Date());
    });
    var plots = Array.from(document.querySelectorAll(".plot"));
    if (!plots.length || !window.Plotly) return;
    register();
    if (!("IntersectionObserver" in window)) {
      plots.forEach(draw);
      return;
    }
    var observer = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (!entry.isIntersecting) return;
        observer.unobserve(entry.target);
        draw(entry.target);
      });
    }, { rootMargin: "400px" });
    plots.forEach(function (plot) { observer.observe(plot); });
    // on paper always light, and as wide as a page
    window.addEventListener("beforeprint", function () {
      root.dataset.theme = "light";
      root.classList.add("printing");
      plots.forEach(draw);
    });
    window.addEventListener("afterprint", function () {
      if (remembered()) root.dataset.theme = remembered();
      else delete root.dataset.theme;
      root.classList.remove("printing");
      plots.forEach(draw);
    });
  });
})();
