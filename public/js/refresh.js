// What says data-refresh asks for itself again each five seconds: only while it is seen, and never under the reader's hands.
(() => {
  const isBusy = (element) => element.contains(document.activeElement) && document.activeElement !== element;
  setInterval(() => {
    if (document.visibilityState !== 'visible') return;
    for (const element of document.querySelectorAll('[data-refresh]')) {
      const open = element.querySelector('details[open]');
      if (!isBusy(element) && !open) element.dispatchEvent(new CustomEvent('village:refresh'));
    }
  }, 5000);
})();
