// Menus and dialogs open without any script; this adds arrow keys, a tidy close, and what older browsers lack.
(() => {
  const items = (menu) => [...menu.querySelectorAll('.menu-item')].filter((item) => item.offsetParent !== null);

  document.addEventListener('keydown', (event) => {
    const menu = event.target.closest?.('.menu:popover-open');
    const step = { ArrowDown: 1, ArrowUp: -1, Home: 'first', End: 'last' }[event.key];
    if (!menu || step === undefined) return;
    const all = items(menu);
    const at = all.indexOf(document.activeElement);
    const next = step === 'first' ? 0 : step === 'last' ? all.length - 1 : (at + step + all.length) % all.length;
    all[next]?.focus();
    event.preventDefault();
  });

  // Focus follows into a menu that was opened by keyboard, so that the arrows have something to move.
  document.addEventListener('keydown', (event) => {
    const opener = event.target.closest?.('[popovertarget]');
    if (!opener || event.key !== 'ArrowDown') return;
    const menu = document.getElementById(opener.getAttribute('popovertarget'));
    menu?.showPopover({ source: opener });
    if (menu) items(menu)[0]?.focus();
    event.preventDefault();
  });

  // A menu whose act was sent by HTMX has done its work.
  document.addEventListener('htmx:before:request', (event) => {
    event.target.closest?.('.menu:popover-open')?.hidePopover();
  });

  // Browsers without anchor positioning show the menu under its button all the same.
  if (!CSS.supports('position-area', 'bottom')) {
    document.addEventListener('toggle', (event) => {
      const menu = event.target;
      if (event.newState !== 'open' || !menu.matches('.menu') || innerWidth <= 640) return;
      const box = document.querySelector(`[popovertarget="${menu.id}"]`).getBoundingClientRect();
      menu.style.position = 'fixed';
      menu.style.inset = 'auto';
      menu.style.left = `${Math.max(8, box.right - menu.offsetWidth)}px`;
      menu.style.top = `${Math.max(8, Math.min(box.bottom + 4, innerHeight - menu.offsetHeight - 8))}px`;
    }, true);
  }

  // The same for buttons that command a dialog.
  if (!('commandForElement' in HTMLButtonElement.prototype)) {
    document.addEventListener('click', (event) => {
      const button = event.target.closest?.('button[commandfor]');
      const dialog = button && document.getElementById(button.getAttribute('commandfor'));
      if (!dialog) return;
      if (button.getAttribute('command') === 'show-modal') dialog.showModal();
      else dialog.close();
    });
  }
})();
