// Passkeys: asks the browser to make or show one, and sends its answer with the form.
// Without this file the forms stay hidden, and the password and the codes remain.

const known =
  window.PublicKeyCredential?.parseRequestOptionsFromJSON !== undefined;
// what the form says of the browser's errors
const SAID = { NotAllowedError: "cancelled", InvalidStateError: "known" };
// the browser asks for one thing at a time
let asking = new AbortController();

class Refused extends Error {}

// Asks the server what the browser needs; raises what it says instead.
async function ask(form) {
  const response = await fetch(form.dataset.options, {
    method: "POST",
    body: new URLSearchParams(new FormData(form)),
    signal: asking.signal,
  });
  const answer = await response.json();
  if (!response.ok) throw new Refused(answer.said || form.dataset.failed);
  return answer;
}

async function use(form, mediation) {
  asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  const options = await ask(form);
  const shown = form.dataset.passkey === "make"
    ? await navigator.credentials.create({
        publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
        signal,
      })
    : await navigator.credentials.get({
        publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
        mediation,
        signal,
      });
  form.querySelector("[data-answer]").value = JSON.stringify(shown.toJSON());
  form.submit();
}

async function run(form, mediation) {
  const said = form.querySelector("[role=alert]");
  said.textContent = known ? "" : form.dataset.unsupported;
  if (!known) return;
  try {
    await use(form, mediation);
  } catch (error) {
    if (error instanceof Refused) said.textContent = error.message;
    // unless another request took its place, or nobody asked for it
    else if (error.name !== "AbortError" && mediation !== "conditional") {
      said.textContent = form.dataset[SAID[error.name] ?? "failed"];
    }
  }
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", event => {
    event.preventDefault();
    run(form, "optional");
  });
  form.hidden = false;
}

// offered in the field of the e-mail address, among what the browser fills in
const form = document.querySelector("form[data-fills]");
if (form && await window.PublicKeyCredential?.isConditionalMediationAvailable?.()) {
  // the server is asked only once somebody comes to it
  document.getElementById(form.dataset.fills)
    .addEventListener("focus", () => run(form, "conditional"), { once: true });
}
