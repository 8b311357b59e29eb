// What any page may need: words for people who listen, focus after an error, a preview of the theme, copying.
(() => {
  // Other scripts say something aloud with: document.dispatchEvent(new CustomEvent('village:say', {detail: 'Saved'})).
  const region = document.getElementById('live-region');
  document.addEventListener('village:say', (event) => {
    region.textContent = '';
    requestAnimationFrame(() => { region.textContent = event.detail; });
  });

  // A form that comes back with errors takes the reader to their list.
  document.addEventListener('htmx:after:swap', () => {
    const errors = document.getElementById('errors');
    if (errors && !errors.dataset.seen) {
      errors.dataset.seen = 'yes';
      errors.focus();
    }
  });

  document.addEventListener('htmx:error', () => {
    const notices = document.getElementById('notices');
    const line = document.createElement('div');
    line.className = 'notice notice-error';
    line.setAttribute('role', 'alert');
    line.append(Object.assign(document.createElement('p'), {
      textContent: 'We could not reach the site. What you typed is still here; please try again in a moment.',
    }));
    notices.replaceChildren(line);
  });

  // On the display page a choice is seen before it is saved; the server decides what stays.
  document.addEventListener('change', (event) => {
    const name = event.target.dataset?.preview;
    if (name) document.documentElement.setAttribute(`data-${name}`, event.target.value);
  });

  // The bell renews itself when a notice came or was read (live.js hears of it), and when its reader comes back to the page.
  const RENEW_AFTER = 60_000;
  let rang = Date.now();
  const renewBell = () => {
    rang = Date.now();
    document.getElementById('bell')?.dispatchEvent(new CustomEvent('village:renew'));
  };
  document.addEventListener('village:bell', renewBell);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && Date.now() - rang > RENEW_AFTER) renewBell();
  });

  const offerCopy = () => {
    if (!navigator.clipboard) return;
    for (const button of document.querySelectorAll('[data-copy][hidden]')) button.hidden = false;
  };
  document.addEventListener('click', async (event) => {
    const button = event.target.closest?.('[data-copy]');
    if (!button) return;
    await navigator.clipboard.writeText(button.closest('.code').querySelector('code').textContent);
    button.querySelector('span').textContent = 'Copied';
    document.dispatchEvent(new CustomEvent('village:say', { detail: 'Copied' }));
  });
  document.addEventListener('htmx:after:swap', offerCopy);
  offerCopy();
})();
