// Live: hears from the site which widgets changed and fetches only those (chapter 20 rules 15 and 16).
(() => {
  const grid = document.getElementById("grid");
  if (!grid || !window.EventSource) return;
  const HIDDEN_AFTER = 60_000, ASLEEP_AFTER = 20 * 60_000, LOOK_EVERY = 5 * 60_000;
  let stream = null, hideTimer = 0, sleepTimer = 0, lookTimer = 0, last = "", asleep = false;

  const cards = () => [...grid.querySelectorAll("[data-version]")];
  const have = () => cards().map((card) => `${card.dataset.key}:${card.dataset.version}`).join(",");
  const isBeingRead = (card) => card.contains(document.activeElement) || card.matches(":hover");
  const place = (card) => [...card.classList].filter((name) => !name.startsWith("is-")).join(" ");
  const later = new WeakMap();

  async function look() {
    const url = `/widgets/changes?page=${encodeURIComponent(grid.dataset.page)}&have=${encodeURIComponent(have())}`;
    let answer;
    try { answer = await fetch(url, { headers: { "HX-Request": "true" }, credentials: "same-origin" }); } catch { return; }
    if (answer.headers.get("HX-Refresh")) return rearranged();
    if (answer.status !== 200) return;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const fresh of parsed.querySelectorAll("section[data-key]")) take(fresh);
  }

  function take(fresh) {
    const card = grid.querySelector(`[data-key="${CSS.escape(fresh.dataset.key)}"]`);
    if (!card || card.dataset.version === fresh.dataset.version) return;
    fresh.removeAttribute("hx-swap-oob");
    if (card.dataset.kind === "news" && card.dataset.state !== "waiting") offer(card, fresh);
    else if (place(card) !== place(fresh)) rearranged();
    else if (isBeingRead(card)) wait(card, fresh);
    else swap(card, fresh);
  }

  // What is being read is exchanged when eyes and hands leave it, for the last of all that came meanwhile.
  function wait(card, fresh) {
    const waits = later.has(card);
    later.set(card, fresh);
    if (waits) return;
    const left = () => setTimeout(() => { if (!isBeingRead(card)) swap(card, later.get(card)); });
    card.addEventListener("pointerleave", left);
    card.addEventListener("focusout", left);
  }

  // Widgets came, went or moved, by the same person elsewhere: nothing moves before they ask for it.
  function rearranged() {
    if (document.hidden) return location.reload();
    if (grid.previousElementSibling?.matches(".new-stories")) return;
    grid.before(offered("This page was arranged elsewhere. Show it", () => location.reload()));
  }

  function offered(text, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "new-stories";
    button.textContent = text;
    button.addEventListener("click", act);
    return button;
  }

  // News is never moved under the reader's eyes: a line to press says how many are new.
  function offer(card, fresh) {
    const known = new Set([...card.querySelectorAll("[data-story]")].map((row) => row.dataset.story));
    const count = [...fresh.querySelectorAll("[data-story]")].filter((row) => !known.has(row.dataset.story)).length;
    card.querySelector(".new-stories")?.remove();
    if (!count) return swap(card, fresh);
    const button = offered(count === 1 ? "1 new story" : `${count} new stories`, () => { swap(card, fresh); fresh.scrollIntoView({ block: "nearest" }); });
    card.querySelector(".card-head")?.after(button);
  }

  function swap(card, fresh) {
    if (!card.isConnected) return;
    card.replaceWith(fresh);
    if (window.htmx) window.htmx.process(fresh);
    document.dispatchEvent(new CustomEvent("village:swapped", { detail: fresh }));
  }

  function open() {
    if (stream || asleep || document.hidden) return;
    if (!("live" in grid.dataset)) return poll();
    stream = new EventSource(`/live?page=${encodeURIComponent(grid.dataset.page)}`);
    stream.addEventListener("hello", (event) => { if (last && event.lastEventId !== last) look(); last = event.lastEventId; });
    stream.addEventListener("change", (event) => { last = event.lastEventId; hear(JSON.parse(event.data)); });
    stream.addEventListener("bye", (event) => { close(); setTimeout(open, 1000 * JSON.parse(event.data).seconds); });
    stream.addEventListener("error", () => { if (stream && stream.readyState === EventSource.CLOSED) { close(); poll(); } });
  }
  function hear({ bell, ...cards }) {
    if (bell) document.dispatchEvent(new CustomEvent("village:bell"));
    if (Object.keys(cards).length) look();
  }
  function close() { if (stream) { stream.close(); stream = null; } }
  function poll() { clearInterval(lookTimer); lookTimer = setInterval(() => { if (!document.hidden && !asleep) look(); }, LOOK_EVERY); }
  function wake() {
    clearTimeout(hideTimer);
    clearTimeout(sleepTimer);
    sleepTimer = setTimeout(() => { asleep = true; close(); }, ASLEEP_AFTER);
    if (stream) return;
    const slept = asleep || last;
    asleep = false;
    if (slept) look();
    if (!lookTimer) open();
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hideTimer = setTimeout(close, HIDDEN_AFTER); else wake();
  });
  for (const kind of ["pointerdown", "keydown", "scroll"]) addEventListener(kind, () => { if (asleep || !sleepTimer) wake(); else { clearTimeout(sleepTimer); sleepTimer = setTimeout(() => { asleep = true; close(); }, ASLEEP_AFTER); } }, { passive: true });
  addEventListener("pagehide", close);
  wake();
})();
