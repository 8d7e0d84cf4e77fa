// A manual count: each tap is kept in the browser until the server has it, so that it is
// not lost without a network, nor by a page that is closed. A tap has a number of its own:
// sent twice, it counts once. Without this file each tap is sent as a form.

const form = document.querySelector("form[data-count]");
const words = form.dataset;
const KEY = `count ${words.count}`;
const BATCH = 100;
const status = document.querySelector("[data-status]");
const said = document.querySelector("[data-said]");
const buttons = new Map(
  [...form.querySelectorAll("button[name=tap]")].map((each) => [each.value, each]),
);
// numbers of the page, unless the server has answered since it was made
const state = {
  base: Object.fromEntries([...buttons].map(([value, each]) => [value, Number(each.dataset.vehicles)])),
  at: Number(words.at),
  // taps that the server may not have, by their numbers
  waiting: {},
  // what can be undone, the newest last
  made: [],
  // how far the clock of the server is ahead of this one, in milliseconds
  ahead: 0,
  ended: "",
};
const kept = JSON.parse(localStorage.getItem(KEY)) ?? {};
if (kept.at >= state.at) Object.assign(state, kept);
else {
  // the page is fresh
  const { base, at } = state;
  Object.assign(state, kept, { base, at, ahead: at - Date.now() });
}
let token = form.elements.form_token.value;
let reached = navigator.onLine;
let known = true;
let sending = false;
let later;
// too much was sent: nothing is, until then
let pausedUntil = 0;

function keep() {
  const needed = buttons.size || Object.keys(state.waiting).length;
  if (needed) localStorage.setItem(KEY, JSON.stringify(state));
  else localStorage.removeItem(KEY);
}

function now() {
  return new Date(Date.now() + state.ahead).toISOString();
}

function number() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const hex = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0"));
  return hex.join("").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function counted(value) {
  const changes = Object.values(state.waiting).filter((tap) => tap.value === value);
  const more = changes.reduce((sum, tap) => sum + (tap.vehicles ? 1 : tap.had ? -1 : 0), 0);
  return Math.max(0, (state.base[value] ?? 0) + more);
}

function show() {
  for (const [value, button] of buttons) {
    button.querySelector("output").textContent = counted(value);
  }
  const waits = Object.keys(state.waiting).length;
  const text = !known ? words.login : !reached ? words.offline : waits ? words.waits : words.sent;
  status.textContent = text.replace("{}", waits);
  status.classList.toggle("error", !known || !reached);
}

function put(tap) {
  state.waiting[tap.id] = tap;
  keep();
  show();
  clearTimeout(later);
  later = setTimeout(send, 700);
}

function tap(button) {
  const [quantity, direction, vehicle] = button.value.split("/");
  const made = { id: number(), at: now(), quantity, direction, vehicle, vehicles: 1, revision: 0, value: button.value };
  state.made = [...state.made.slice(-999), made];
  put(made);
  navigator.vibrate?.(15);
  said.textContent = `${button.getAttribute("aria-label")}: ${counted(button.value)}`;
}

function undo() {
  const last = state.made.pop();
  if (!last) {
    said.textContent = words.nothing;
    return;
  }
  const had = state.waiting[last.id] === undefined;
  put({ ...last, vehicles: 0, revision: 1, had });
  said.textContent = `${words.undone} ${buttons.get(last.value)?.getAttribute("aria-label") ?? ""}`;
}

async function post(values) {
  const began = Date.now();
  const body = new URLSearchParams({ form_token: token, ...values });
  const response = await fetch(location.pathname, { method: "POST", body, headers: { Accept: "application/json" } });
  if (response.status === 429) {
    const wait = 1000 * (Number(response.headers.get("retry-after")) || 5);
    pausedUntil = Date.now() + wait;
    setTimeout(send, wait);
    return {};
  }
  if (response.headers.get("content-type")?.startsWith("application/json")) {
    const answer = await response.json();
    if (answer.now) state.ahead = Date.parse(answer.now) - (began + Date.now()) / 2;
    if (answer.form_token) token = answer.form_token;
    return answer;
  }
  return null;
}

// the form of a page that has become old is asked for again
async function renew() {
  const text = await (await fetch(location.pathname, { cache: "no-store" })).text();
  const page = new DOMParser().parseFromString(text, "text/html");
  const fresh = page.querySelector("form[data-count] [name=form_token]")?.value;

  if (fresh) token = fresh;
  return Boolean(fresh);
}

async function send() {
  if (sending || Date.now() < pausedUntil) return;
  const batch = Object.values(state.waiting).slice(0, BATCH);
  if (!batch.length && !state.ended) {
    show();
    return;
  }
  sending = true;
  try {
    const taps = batch.map(({ value, had, ...one }) => one);
    const values = batch.length
      ? { act: "taps", taps: JSON.stringify(taps) }
      : { act: "end", at: state.ended };
    let answer = await post(values);
    if (!answer && (await renew())) answer = await post(values);
    reached = true;
    known = Boolean(answer);
    if (answer?.refused) {
      known = true;
      status.textContent = answer.refused;
      return;
    }
    if (answer?.tallies) {
      Object.assign(state, { base: answer.tallies, at: Date.parse(answer.now) });
      for (const sent of batch) {
        if (state.waiting[sent.id] === sent) delete state.waiting[sent.id];
      }
    }
    if (answer?.ended && !Object.keys(state.waiting).length) {
      localStorage.removeItem(KEY);
      await globalThis.caches?.delete(KEY);
      location.reload();
      return;
    }
    keep();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    reached = false;
  } finally {
    sending = false;
  }
  show();
  if (known && reached && (Object.keys(state.waiting).length || state.ended)) {
    later = setTimeout(send, 0);
  }
}

function close() {
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  said.textContent = words.ended;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const button = event.submitter;
  if (button.name === "tap") tap(button);
  else if (button.value === "undo") undo();
  else if (button.value === "end") {
    state.ended = now();
    keep();
    close();
    send();
  }
});
addEventListener("online", send);
addEventListener("offline", () => { reached = false; show(); });
setInterval(send, 5000);
if (state.ended) close();
keep();
show();
send();

// the page opens without a network as well
if (navigator.serviceWorker && buttons.size) {
  navigator.serviceWorker.register(words.worker, { scope: words.scope });
  const parts = [...document.querySelectorAll("link[rel=stylesheet], link[rel=icon], script[src]")];
  const cache = await caches.open(KEY);
  await cache.addAll([location.pathname, ...parts.map((each) => each.href || each.src)]);
}
