// Keeps "3 min ago" true while a page stays open; the server has written the words already.
(() => {
  const words = (seconds) => {
    if (seconds < 60) return 'just now';
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
    if (seconds < 7 * 86400) return `${Math.floor(seconds / 86400)} d ago`;
    return null;
  };

  const renew = () => {
    if (document.hidden) return;
    for (const time of document.querySelectorAll('time[data-relative]')) {
      const text = words((Date.now() - Date.parse(time.dateTime)) / 1000);
      if (text && text !== time.textContent) time.textContent = text;
    }
  };

  // The nameplate becomes today's date, which no kept answer could promise to know.
  const today = () => {
    const words = new Date().toLocaleDateString('en-GB', { weekday: 'long', day: 'numeric', month: 'long' });
    for (const line of document.querySelectorAll('[data-today]')) if (line.textContent !== words) line.textContent = words;
  };
  today();
  document.addEventListener('htmx:after:swap', today);
  document.addEventListener('village:swapped', today);

  // The exact moment in the reader's own zone replaces UTC in the title.
  document.addEventListener('pointerover', (event) => {
    const time = event.target.closest?.('time[datetime]');
    if (time && !time.dataset.exact) {
      time.dataset.exact = 'yes';
      time.title = new Date(time.dateTime).toLocaleString([], { dateStyle: 'full', timeStyle: 'short' });
    }
  });

  setInterval(() => { renew(); today(); }, 60_000);
  document.addEventListener('visibilitychange', renew);
})();
