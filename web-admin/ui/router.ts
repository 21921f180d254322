/** A hash router: `#/devices` is the screen 'devices'. */

import { signal } from '@preact/signals';

export const SCREENS = ['home', 'devices', 'names', 'questions', 'history'] as const;
export type Screen = (typeof SCREENS)[number];

/** The screen that is shown. */
export const screen = signal<Screen>(screenOf(location.hash));

/** The address of a screen. */
export function hrefOf(wanted: Screen): string {
  return wanted === 'home' ? '#/' : `#/${wanted}`;
}

/** Follows the address bar; a new screen starts at its top with the focus on its heading. */
export function startRouter(): void {
  addEventListener('hashchange', () => {
    const wanted = screenOf(location.hash);
    if (wanted === screen.value) return;
    screen.value = wanted;
    requestAnimationFrame(() => {
      scrollTo(0, 0);
      document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true });
    });
  });
}

function screenOf(hash: string): Screen {
  const wanted = hash.replace(/^#\/?/, '');
  return SCREENS.find((each) => each === wanted) ?? 'home';
}
