// The news list by keyboard: j and k walk, o opens, s saves, h hides, u marks, ? shows the keys.
(() => {
  const rows = () => [...document.querySelectorAll("[data-story]")];
  const say = (text) => document.dispatchEvent(new CustomEvent("village:say", { detail: text }));
  const current = () => document.activeElement?.closest("[data-story]");
  const press = (row, words) => [...row.querySelectorAll(".menu-item")].find((item) => words.some((word) => item.textContent.trim().startsWith(word)))?.click();
  function walk(step) {
    const all = rows(), at = all.indexOf(current());
    const next = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))];
    next?.querySelector(".headline a")?.focus();
  }
  const keys = {
    j: () => walk(1),
    k: () => walk(-1),
    o: () => current()?.querySelector(".headline a")?.click(),
    s: () => current() && press(current(), ["Save", "Take out"]),
    h: () => current() && press(current(), ["Hide"]),
    u: () => current() && press(current(), ["Mark as"]),
    "?": () => say("j next, k previous, o open, s save, h hide, u read or unread"),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select, [contenteditable]")) return;
    keys[event.key]?.();
  });
})();
