// The browser's part: fetch the options, hand them to navigator.credentials, post the answer, show what was verified.
//
// Without a click, for tests:
//   ?auto=register-login[&rk=discouraged|required][&alg=-7|-8][&uv=discouraged|preferred|required]
//                       [&login=discoverable|named]   registers, logs in, posts the outcome to /result
//   ?auto=abort[&after=3000]   begins a registration, aborts it after so many ms, posts the outcome to /result
//   &then=abort|register-login   goes on with that, so that one visit can do both
"use strict";

const $ = (id) => document.getElementById(id);
const KEY_IS_SILENT_MS = 6000;
const ALGORITHMS = { "-7": "ES256", "-8": "EdDSA" };

// ---- base64url, as WebAuthn writes bytes in JSON

const toBytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
const toText = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

// ---- the site

class SiteError extends Error {
  constructor({ kind, message }) {
    super(message);
    this.name = kind;
  }
}

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (response.status === 204) return null;
  const json = await response.json().catch(() => ({ error: { kind: "site", message: `HTTP ${response.status}` } }));
  if (!response.ok) throw new SiteError(json.error);
  return json;
}

// ---- the two ceremonies

async function register({ name, residentKey, algorithm, userVerification }, signal) {
  const { ceremony, options } = await post("/register/start", { name, residentKey, algorithm, userVerification });
  const publicKey = options.publicKey;
  publicKey.challenge = toBytes(publicKey.challenge);
  publicKey.user.id = toBytes(publicKey.user.id);
  for (const known of publicKey.excludeCredentials ?? []) known.id = toBytes(known.id);

  const made = await navigator.credentials.create({ publicKey, signal });
  const credential = {
    id: made.id,
    rawId: toText(made.rawId),
    type: made.type,
    response: {
      attestationObject: toText(made.response.attestationObject),
      clientDataJSON: toText(made.response.clientDataJSON),
      transports: made.response.getTransports?.() ?? [],
    },
    clientExtensionResults: made.getClientExtensionResults(),
  };
  return post("/register/finish", { ceremony, credential });
}

async function login({ name, userVerification }, signal) {
  const { ceremony, options } = await post("/login/start", { name, userVerification });
  const publicKey = options.publicKey;
  publicKey.challenge = toBytes(publicKey.challenge);
  for (const allowed of publicKey.allowCredentials) allowed.id = toBytes(allowed.id);

  const got = await navigator.credentials.get({ publicKey, signal });
  const handle = got.response.userHandle;
  const credential = {
    id: got.id,
    rawId: toText(got.rawId),
    type: got.type,
    response: {
      authenticatorData: toText(got.response.authenticatorData),
      clientDataJSON: toText(got.response.clientDataJSON),
      signature: toText(got.response.signature),
      userHandle: handle?.byteLength ? toText(handle) : null,
    },
    clientExtensionResults: got.getClientExtensionResults(),
  };
  return post("/login/finish", { ceremony, credential });
}

// ---- what the person sees

function status(kind, title, text = "", command = "") {
  const parts = [];
  const strong = document.createElement("strong");
  strong.textContent = title;
  parts.push(strong, text);
  if (command) {
    const code = document.createElement("code");
    code.textContent = command;
    parts.push(" ", code);
  }
  $("status-text").replaceChildren(...parts);
  $("status").dataset.kind = kind;
}

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function show(facts, checks, details) {
  $("checks").replaceChildren(...checks.map((check) => element("li", check)));
  $("details").replaceChildren(
    ...details.flatMap(([name, value, mono]) => [element("dt", name), element("dd", value, mono ? "mono" : "")]),
  );
  const meanings = [
    ["UP", "somebody was present", "nobody was present"],
    ["UV", "the person was verified", "the person was not verified"],
    ["BE", "may have copies", "lives on one device"],
    ["BS", "has copies now", "has no copy now"],
  ];
  $("flags").replaceChildren(
    ...meanings.map(([flag, yes, no]) => {
      const item = document.createElement("li");
      item.dataset.set = facts.flags[flag];
      item.append(element("b", `${flag} ${facts.flags[flag] ? 1 : 0}`), element("span", facts.flags[flag] ? yes : no));
      return item;
    }),
  );
  $("json").textContent = JSON.stringify(facts, null, 2);
  $("facts").hidden = false;
}

const algorithmName = { ES256: "ES256 (COSE -7, ECDSA on P-256)", EdDSA: "EdDSA (COSE -8, Ed25519)" };
const ceremonyChecks = () => [
  "the challenge is the one that was issued for this, and was answered for the first time",
  `the answer was made for ${location.origin} and for no other site`,
  "somebody was present at the key",
];

function showRegistered(facts) {
  const checks = ceremonyChecks();
  if (facts.attestation === "packed") checks.push("the new key has signed its own registration");
  checks.push("the public key is of the algorithm that was asked for, and is not registered yet");
  const noModel = /^[0-]+$/.test(facts.aaguid);
  show(facts, checks, [
    ["Credential id", `${facts.credentialId} (${facts.credentialIdLen} bytes)`, true],
    ["Algorithm", algorithmName[facts.algorithm]],
    ["Kept on the key", { true: "yes", false: "no" }[facts.discoverable] ?? "the browser does not say"],
    ["Attestation", facts.attestation === "none" ? "none (browsers leave it out unless a site insists)" : facts.attestation],
    ["Model (AAGUID)", noModel ? `${facts.aaguid} (hidden by the browser)` : facts.aaguid, true],
    ["Counter", String(facts.counter)],
  ]);
  return `Registered ${facts.name}.`;
}

function showLoggedIn(facts) {
  const checks = ceremonyChecks();
  checks.push("the signature is valid for the public key that was registered");
  if (facts.withoutName) checks.push(`the key itself named the account: ${facts.name}`);
  show(facts, checks, [
    ["Credential id", facts.credentialId, true],
    ["Algorithm", algorithmName[facts.algorithm]],
    ["Counter", String(facts.counter)],
  ]);
  return `Logged in as ${facts.name}.`;
}

// Chromium creates a credential on a key only if the key can also verify who the person is.
const KEPT_ON_THE_KEY = "Chromium keeps credentials only on keys that have a PIN: choose “by this site” there.";

// What a failure of navigator.credentials means, in words.
function explain(error, residentKey) {
  const meanings = {
    AbortError: ["Cancelled.", "The key has been told; its question is gone."],
    NotAllowedError: [
      "No key has answered, or the request was declined.",
      `${residentKey === "required" ? `${KEPT_ON_THE_KEY} ` : ""}Is a key plugged in? This plugs one in:`,
      "wardkey up",
    ],
    InvalidStateError: ["This key is registered for this name already.", "Log in with it, or register another name."],
    NotSupportedError: ["This browser or key does not know the algorithm.", "Try ES256."],
    ConstraintError: ["The key cannot keep credentials, or cannot verify you.", ""],
    SecurityError: ["The browser does not trust this address.", `Open http://localhost:${location.port}/ instead.`],
  };
  if (error instanceof SiteError) return ["This site refused.", `${error.message[0].toUpperCase()}${error.message.slice(1)}.`];
  if (error instanceof TypeError) return ["The site does not answer any more.", "Start it again:", "wardkey demo --site"];
  return meanings[error.name] ?? ["It did not work.", `${error.name}: ${error.message}`];
}

// ---- one ceremony at a time

let running = null;

async function run(doing, ceremony, showFacts, residentKey) {
  if (running) return;
  running = new AbortController();
  const buttons = document.querySelectorAll("main button:not(#cancel)");
  for (const button of buttons) button.disabled = true;
  $("cancel").hidden = false;
  $("facts").hidden = true;
  status("wait", doing, "Approve it where wardkey asks you, or touch the key.");
  const silent = setTimeout(
    () => status("wait", doing, "Nothing yet. If no key blinks or asks, plug one in:", "wardkey up"),
    KEY_IS_SILENT_MS,
  );
  try {
    const facts = await ceremony(running.signal);
    status("good", showFacts(facts), "What follows was checked by this site, not by the browser.");
  } catch (error) {
    status("error", ...explain(error, residentKey));
  } finally {
    clearTimeout(silent);
    for (const button of buttons) button.disabled = false;
    $("cancel").hidden = true;
    running = null;
  }
}

function startPage() {
  const name = () => $("name").value.trim();
  const choice = (of) => document.querySelector(`input[name="${of}"]:checked`).value;
  const followName = () => {
    $("login-name").textContent = name() || "…";
    $("login-named").disabled = !name();
  };
  $("origin").textContent = location.origin;
  $("name").addEventListener("input", followName);
  followName();

  $("register").addEventListener("submit", (event) => {
    event.preventDefault();
    const wish = { name: name(), residentKey: choice("rk"), algorithm: choice("alg") };
    run("Registering", (signal) => register(wish, signal), showRegistered, wish.residentKey);
  });
  $("login-discoverable").addEventListener("click", () =>
    run("Logging in", (signal) => login({}, signal), showLoggedIn),
  );
  $("login-named").addEventListener("click", () =>
    run(`Logging in as ${name()}`, (signal) => login({ name: name() }, signal), showLoggedIn),
  );
  $("cancel").addEventListener("click", () => running?.abort());

  if (!window.PublicKeyCredential) {
    for (const button of document.querySelectorAll("main button")) button.disabled = true;
    status("error", "This browser cannot use security keys here.", `Open http://localhost:${location.port}/ in a current browser.`);
  }
}

// ---- without a click

async function autoRegisterLogin(wanted) {
  const rk = wanted.get("rk") ?? "discouraged";
  const named = (wanted.get("login") ?? (rk === "required" ? "discoverable" : "named")) === "named";
  const userVerification = wanted.get("uv") ?? "discouraged";
  const name = `auto ${Date.now().toString(36)}`;
  const outcome = { auto: "register-login", ok: false, step: "register" };
  try {
    const algorithm = ALGORITHMS[wanted.get("alg") ?? "-7"];
    let begun = performance.now();
    outcome.registered = await register({ name, residentKey: rk, algorithm, userVerification });
    outcome.registeredMs = Math.round(performance.now() - begun);
    showRegistered(outcome.registered);

    outcome.step = "login";
    begun = performance.now();
    outcome.loggedIn = await login(named ? { name, userVerification } : { userVerification });
    outcome.loggedInMs = Math.round(performance.now() - begun);
    showLoggedIn(outcome.loggedIn);
    outcome.ok = !named || outcome.loggedIn.name === name;
    status("good", "Registered and logged in, without a click.");
  } catch (error) {
    outcome.error = { name: error.name, message: error.message };
    status("error", ...explain(error, rk));
  }
  return outcome;
}

async function autoAbort(wanted) {
  const outcome = { auto: "abort", ok: false, step: "register" };
  const controller = new AbortController();
  const after = Number(wanted.get("after") ?? 3000);
  setTimeout(() => {
    outcome.step = "aborted";
    controller.abort();
  }, after);
  const begun = performance.now();
  try {
    const wish = { name: `auto ${Date.now().toString(36)}`, residentKey: "discouraged", algorithm: "ES256" };
    outcome.registered = await register(wish, controller.signal);
  } catch (error) {
    outcome.error = { name: error.name, message: error.message };
    outcome.ok = outcome.step === "aborted" && error.name === "AbortError";
    status("error", ...explain(error));
  }
  outcome.endedMs = Math.round(performance.now() - begun);
  return outcome;
}

window.addEventListener("load", async () => {
  startPage();
  const wanted = new URLSearchParams(location.search);
  const auto = { "register-login": autoRegisterLogin, abort: autoAbort }[wanted.get("auto")];
  if (!auto) return;
  status("wait", "Running by itself", "The outcome goes to /result.");
  const outcome = await auto(wanted);
  outcome.userAgent = navigator.userAgent;
  await post("/result", outcome);
  if (wanted.has("then")) {
    wanted.set("auto", wanted.get("then"));
    wanted.delete("then");
    location.search = wanted;
  }
});
