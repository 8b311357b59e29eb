// Arranging a page: take a widget by pointer or keyboard and ask the server to place it; the server's page is shown.
(() => {
  const GAP = 8, ROW = 80 + GAP, COLUMNS = 12;
  const phone = matchMedia("(max-width: 640px)");
  const tablet = matchMedia("(min-width: 641px) and (max-width: 1024px)");
  let taken = null;

  const area = () => document.getElementById("arranged");
  const grid = () => document.getElementById("grid");
  // While the server answers nothing else is taken: what is on the screen is about to be replaced.
  const isBusy = () => area().hasAttribute("aria-busy");
  const cards = () => [...grid().querySelectorAll(":scope > .handled")];
  const within = (value, low, high) => Math.max(low, Math.min(high, value));
  const say = (words) => document.dispatchEvent(new CustomEvent("village:say", { detail: words }));

  function boxOf(card) {
    const { x, y, w, h, order, half } = card.dataset;
    return { x: +x, y: +y, w: +w, h: +h, order: +order, half: +half };
  }
  function words(card, box = boxOf(card)) {
    const name = card.dataset.name;
    if (phone.matches) return `${name}, place ${box.order} of ${cards().length}, ${box.half === 1 ? "half" : "full"} width`;
    return `${name}, column ${box.x + 1}, row ${box.y + 1}, ${box.w} by ${box.h}`;
  }

  // Handles are of use only with this script; and a tablet shows the twelve columns while they are arranged.
  function ready() {
    for (const part of area().querySelectorAll(".handle, .grow")) part.hidden = false;
    grid().style.gridTemplateColumns = tablet.matches ? `repeat(${COLUMNS}, minmax(0, 1fr))` : "";
    for (const card of cards()) lay(card, tablet.matches ? boxOf(card) : null);
  }
  function lay(element, box) {
    element.style.gridColumn = box ? `${box.x + 1} / span ${box.w}` : "";
    element.style.gridRow = box ? `${box.y + 1} / span ${box.h}` : "";
  }

  function take(card, by) {
    taken = { card, by, from: boxOf(card), box: boxOf(card) };
    taken.ghost = document.createElement("div");
    taken.ghost.className = "ghost";
    card.classList.add("is-taken");
    card.querySelector(".handle").setAttribute("aria-pressed", "true");
    if (!phone.matches) grid().append(taken.ghost);
    show();
  }
  function show() {
    if (!phone.matches) return lay(taken.ghost, taken.box);
    const order = cards().filter((card) => card !== taken.card).sort((a, b) => boxOf(a).order - boxOf(b).order);
    order.splice(taken.box.order - 1, 0, taken.card);
    order.forEach((card, n) => { card.style.order = n + 1; });
    taken.card.style.gridColumn = `span ${taken.box.half}`;
  }
  function letGo() {
    const { card, ghost } = taken;
    taken = null;
    ghost.remove();
    card.classList.remove("is-taken");
    card.querySelector(".handle").setAttribute("aria-pressed", "false");
    for (const each of cards()) each.style.order = "";
    lay(card, tablet.matches ? boxOf(card) : null);
  }
  function putBack() {
    const { card } = taken;
    letGo();
    say(`Put back. ${words(card)}`);
  }
  function drop() {
    const { card, box, from } = taken;
    letGo();
    if (JSON.stringify(box) === JSON.stringify(from)) return say(words(card));
    const { x, y, w, h, order, half } = box;
    const wish = phone.matches ? { y: order - 1, w: half, screen: "phone" } : { x, y, w, h };
    const key = card.dataset.key;
    return send(`${grid().dataset.at}/widgets/${key}/place`, {
      method: "PUT", body: JSON.stringify(wish), headers: { "Content-Type": "application/json" },
    }, { key, focus: `handle-${key}` });
  }

  // One step by keyboard: the arrows move, with Shift they change the size.
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  function step(key, resizes) {
    const [dx, dy] = ARROWS[key];
    const { box, card } = taken;
    if (phone.matches && resizes) box.half = within(box.half + dx + dy, 1, 2);
    else if (phone.matches) box.order = within(box.order + dx + dy, 1, cards().length);
    else if (resizes) Object.assign(box, { w: within(box.w + dx, 2, COLUMNS - box.x), h: within(box.h + dy, 2, 20) });
    else Object.assign(box, { x: within(box.x + dx, 0, COLUMNS - box.w), y: within(box.y + dy, 0, floor(card)) });
    show();
    (phone.matches ? card : taken.ghost).scrollIntoView({ block: "nearest" });
    say(words(card, box));
  }
  const floor = (card) => Math.max(0, ...cards().filter((other) => other !== card).map(boxOf).map((box) => box.y + box.h));

  document.addEventListener("keydown", (event) => {
    if (taken?.by === "pointer" && event.key === "Escape") return putBack();
    const handle = event.target.closest?.(".handle");
    if (!handle) return;
    const takes = event.key === " " || event.key === "Enter";
    if (!taken && takes) {
      if (isBusy()) return event.preventDefault();
      take(handle.closest(".handled"), "keys");
      say(`Taken. ${words(taken.card)}`);
    } else if (taken?.by === "keys") {
      if (takes) drop();
      else if (event.key === "Escape") putBack();
      else if (event.key in ARROWS) step(event.key, event.shiftKey);
      else return;
    } else return;
    event.preventDefault();
  });
  document.addEventListener("focusout", (event) => {
    if (taken?.by === "keys" && event.target.closest?.(".handle")) putBack();
  });

  // Mouse, pen and finger: what is taken follows in whole cells; a press without a move takes nothing.
  let press = null;
  document.addEventListener("pointerdown", (event) => {
    const part = event.target.closest?.(".handle, .grow");
    if (!part || event.button !== 0 || taken || isBusy()) return;
    const card = part.closest(".handled"), at = card.getBoundingClientRect();
    press = { part, card, grows: part.matches(".grow"), id: event.pointerId, x: event.clientX, y: event.clientY,
      dx: event.clientX - at.left, dy: event.clientY - at.top, right: at.right - event.clientX, bottom: at.bottom - event.clientY };
    part.setPointerCapture(event.pointerId);
  });
  document.addEventListener("pointermove", (event) => {
    if (!press || event.pointerId !== press.id) return;
    if (!taken) {
      if (Math.hypot(event.clientX - press.x, event.clientY - press.y) < 5) return;
      take(press.card, "pointer");
    }
    if (event.clientY > innerHeight - 56) scrollBy(0, 12);
    else if (event.clientY < 56) scrollBy(0, -12);
    follow(event);
  });
  function follow({ clientX, clientY }) {
    const { box, card } = taken, all = grid().getBoundingClientRect();
    if (phone.matches) return followOnPhone(clientY);
    const column = (all.width + GAP) / COLUMNS;
    if (press.grows) {
      box.w = within(Math.round((clientX + press.right - all.left + GAP) / column) - box.x, 2, COLUMNS - box.x);
      box.h = within(Math.round((clientY + press.bottom - all.top + GAP) / ROW) - box.y, 2, 20);
    } else {
      box.x = within(Math.round((clientX - press.dx - all.left) / column), 0, COLUMNS - box.w);
      box.y = within(Math.round((clientY - press.dy - all.top) / ROW), 0, floor(card));
    }
    show();
  }
  function followOnPhone(clientY) {
    const others = cards().filter((card) => card !== taken.card);
    const above = others.filter((card) => { const at = card.getBoundingClientRect(); return at.top + at.height / 2 < clientY; });
    taken.box.order = above.length + 1;
    show();
  }
  function release(event, ends) {
    if (!press || event.pointerId !== press.id) return;
    press = null;
    if (taken?.by === "pointer") ends();
  }
  document.addEventListener("pointerup", (event) => release(event, drop));
  document.addEventListener("pointercancel", (event) => release(event, putBack));

  // The editor's plain forms go the same way, so that the page stays where it is.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!area()?.contains(form) || event.submitter?.form !== form) return;
    event.preventDefault();
    if (isBusy()) return;
    const button = event.submitter, key = form.closest(".handled")?.dataset.key;
    const body = new URLSearchParams(new FormData(form, button));
    send(form.getAttribute("action"), { method: "POST", body },
      { key, focus: button.id || (key && `handle-${key}`), done: `${button.textContent.trim()}: done` });
  });

  async function send(url, request, { key, focus, done }) {
    let answer, text;
    area().setAttribute("aria-busy", "true");
    try {
      answer = await fetch(url, { ...request, headers: { "HX-Request": "true", ...request.headers }, credentials: "same-origin" });
      text = await answer.text();
    } catch {
      return tell("We could not reach the site. Nothing was changed; please try again in a moment.");
    }
    const parsed = new DOMParser().parseFromString(text, "text/html");
    const notices = parsed.getElementById("notices"), fresh = parsed.getElementById("arranged");
    if (notices) document.getElementById("notices").replaceChildren(...notices.childNodes);
    if (!fresh) return tell(parsed.querySelector(".problem .lead")?.textContent ?? "This did not work. Nothing was changed.");
    return swap(fresh, key, focus, done);
  }
  function swap(fresh, key, focus, done) {
    const known = new Set(cards().map((card) => card.id));
    const open = area().querySelector("#phone-layout[open]");
    area().replaceWith(fresh);
    if (open) fresh.querySelector("#phone-layout").open = true;
    window.htmx?.process(fresh);
    ready();
    const added = cards().find((card) => !known.has(card.id));
    const card = added ?? (key && document.getElementById(`at-${key}`));
    const next = added ? added.querySelector(".handle") : document.getElementById(focus ?? "");
    (next && !next.disabled ? next : document.getElementById("toolbar")).focus({ preventScroll: !added });
    (added ?? card)?.scrollIntoView?.({ block: "nearest" });
    say(card ? words(card) : done ?? "Done");
  }
  function tell(sentence) {
    area().removeAttribute("aria-busy");
    const line = document.createElement("div");
    line.className = "notice notice-error";
    line.setAttribute("role", "alert");
    line.append(Object.assign(document.createElement("p"), { textContent: sentence }));
    document.getElementById("notices").replaceChildren(line);
  }

  for (const screen of [phone, tablet]) screen.addEventListener("change", () => { if (taken) putBack(); ready(); });
  ready();
  // Whoever comes by a card's "Move" finds its handle in focus: Space takes it.
  if (location.hash.startsWith("#at-")) document.getElementById(`handle-${location.hash.slice(4)}`)?.focus();
})();
