/** Our own icons, 24 × 24 strokes in the colour of the text; always beside words, so hidden. */

const SHAPES = {
  home: 'M4 11.5 12 5l8 6.5M6.5 10v9h11v-9',
  devices: 'M3.5 5.5h12v9h-12zM6 18.5h7M9.5 14.5v4M17 9.5h3.5v9H17z',
  names: 'M4.5 5.5h8l7.5 7.5-7 7-8.5-8.5zM8.5 9.5v.1',
  questions: 'M5 6h14M5 12h14M5 18h9',
  history: 'M4.5 12a7.5 7.5 0 1 0 2.4-5.5L4.5 8.6M4.5 4.5v4.1h4.1M12 8v4.4l3 1.8',
  add: 'M12 5.5v13M5.5 12h13',
  copy: 'M9 9h10v10H9zM15 9V5H5v10h4',
  check: 'm5 12.5 4.5 4.5L19 7.5',
  pause: 'M9 6v12M15 6v12',
  play: 'M8 5.5v13l10.5-6.5z',
  download: 'M12 4.5v10.5M7.5 11l4.5 4.5 4.5-4.5M5 19.5h14',
  leave: 'M10 4.5H5v15h5M14.5 8l4 4-4 4M9.5 12h9',
  warning: 'M12 4.5 3.5 19h17zM12 10v4M12 16.6v.1',
  up: 'M12 19V5M6 11l6-6 6 6',
  chevron: 'm9 6 6 6-6 6',
  close: 'm6 6 12 12M18 6 6 18',
  undo: 'M8.5 5 4.5 9l4 4M4.5 9H14a5 5 0 0 1 0 10H8',
} as const;

export type IconName = keyof typeof SHAPES;

/** An icon without a meaning of its own. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={SHAPES[name]} />
    </svg>
  );
}

/** The signpost of the favicon. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <path d="M16 6v20M16 9h7l3 3-3 3h-7M16 16H9l-3 3 3 3h7" />
    </svg>
  );
}
