// Forms of the registration: drafts survive, and positions are clicked or located.
// Without this file all of it is typed.

const form = document.querySelector("form[data-draft]");
const address = location.pathname;
const DRAFT = "draft ";
const SENT = "sent";
const OWN = ["form_token", "version"];

function values() {
  const pairs = [...new FormData(form)].filter(([name]) => !OWN.includes(name));
  return Object.fromEntries(pairs);
}

function fill(found) {
  for (const [name, value] of Object.entries(found)) {
    const field = form.elements[name];
    if (field) field.value = value;
  }
}

// A draft is of one state of the entry: what somebody else changed is not overwritten.
function keep() {
  const draft = { version: form.elements.version?.value, values: values() };
  sessionStorage.setItem(DRAFT + address, JSON.stringify(draft));
}

function restore() {
  const draft = JSON.parse(sessionStorage.getItem(DRAFT + address));
  if (!draft || draft.version !== form.elements.version?.value) return;
  const before = JSON.stringify(values());
  fill(draft.values);
  if (JSON.stringify(values()) === before) return;
  const note = document.createElement("p");
  note.className = "done";
  note.setAttribute("role", "status");
  note.textContent = form.dataset.restored;
  form.prepend(note);
}

// what was sent and taken is no draft any more: then a page says that it is saved
if (document.querySelector("[role=status].done")) {
  const sent = sessionStorage.getItem(SENT);
  if (sent) sessionStorage.removeItem(DRAFT + sent);
  sessionStorage.removeItem(SENT);
}
if (form) {
  if (form.dataset.draft === "fresh") restore();
  form.addEventListener("input", keep);
  form.addEventListener("submit", () => {
    keep();
    sessionStorage.setItem(SENT, address);
  });
}

function place(latitude, longitude) {
  fill({ latitude: latitude.toFixed(6), longitude: longitude.toFixed(6) });
  form.elements.latitude.dispatchEvent(new Event("input", { bubbles: true }));
}

const locate = document.querySelector("[data-locate]");
if (locate && navigator.geolocation) {
  const says = locate.querySelector("[role=status]");
  locate.hidden = false;
  locate.querySelector("button").addEventListener("click", () => {
    says.textContent = says.dataset.asks;
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        place(coords.latitude, coords.longitude);
        const metres = Math.ceil(coords.accuracy);
        says.textContent = says.dataset.found.replace("{}", metres);
      },
      () => { says.textContent = says.dataset.failed; },
      { enableHighAccuracy: true, timeout: 20000 },
    );
  });
}

const map = document.querySelector("[data-box]");
if (map) {
  const [south, west, north, east] = map.dataset.box.split(" ").map(Number);
  const svg = map.querySelector("svg");
  const here = map.querySelector(".here");
  const { latitude, longitude } = form.elements;
  const show = () => {
    const x = (longitude.value.replace(",", ".") - west) / (east - west);
    const y = (north - latitude.value.replace(",", ".")) / (north - south);
    const inside = latitude.value && x >= 0 && x <= 1 && y >= 0 && y <= 1;
    here.style.display = inside ? "" : "none";
    if (inside) here.setAttribute("transform", `translate(${x * 100} ${y * 75})`);
  };
  map.hidden = false;
  form.addEventListener("input", show);
  svg.addEventListener("click", (event) => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const y = (event.clientY - box.top) / box.height;
    place(north - y * (north - south), west + x * (east - west));
  });
  show();
}
