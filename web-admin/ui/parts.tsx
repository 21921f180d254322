/** The pieces every screen is made of. */

import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { ApiProblem } from './api.ts';
import { Icon, type IconName } from './icons.tsx';
import type { Resource } from './state.ts';

type Children = { readonly children: ComponentChildren };

/** The heading of a screen; it takes the focus when the screen opens. */
export function Heading({ children, action }: Children & { readonly action?: ComponentChildren }) {
  return (
    <header class="heading">
      <h1 tabIndex={-1}>{children}</h1>
      {action}
    </header>
  );
}

/** A block with a title. */
export function Card({ title, children }: Children & { readonly title: string }) {
  const id = useId();
  return (
    <section class="card" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {children}
    </section>
  );
}

type ButtonProps = Children & {
  readonly icon?: IconName;
  readonly look?: 'primary' | 'plain' | 'danger';
  readonly type?: 'button' | 'submit';
  readonly isBusy?: boolean;
  readonly isPressed?: boolean;
  readonly onClick?: () => void;
};

export function Button({
  icon,
  look = 'plain',
  type = 'button',
  isBusy = false,
  isPressed,
  onClick,
  children,
}: ButtonProps) {
  return (
    <button
      class={`button ${look}`}
      type={type}
      aria-disabled={isBusy}
      aria-pressed={isPressed}
      onClick={(event) => {
        if (isBusy) event.preventDefault();
        else onClick?.();
      }}
    >
      {icon === undefined ? null : <Icon name={icon} />}
      <span>{children}</span>
    </button>
  );
}

/** How a device can be reached: a dot for the eye, a word for everybody. */
export function State({ state }: { readonly state: 'up' | 'pending' | 'idle' | 'failed' | 'off' }) {
  const word = {
    up: 'Connected',
    pending: 'Connecting',
    idle: 'Idle',
    failed: 'Not reachable',
    off: 'Off',
  }[state];
  return <span class={`state ${state}`}>{word}</span>;
}

/** Text to take along, with a button that copies it. */
export function CopyLine({ text, label }: { readonly text: string; readonly label: string }) {
  const code = useRef<HTMLElement>(null);
  const [isCopied, setCopied] = useState(false);
  async function copy(): Promise<void> {
    const done = await copyText(text, code.current);
    setCopied(done);
    say(done ? 'Copied.' : 'Select the text and copy it by hand.');
    setTimeout(() => setCopied(false), 2_000);
  }
  return (
    <div class="copy-line">
      <code ref={code}>{text}</code>
      <button class="button icon-only" type="button" onClick={() => void copy()}>
        <Icon name={isCopied ? 'check' : 'copy'} />
        <span class="hidden">Copy {label}</span>
      </button>
    </div>
  );
}

/** What a resource shows: its value, or that it is being read, or why it cannot be. */
export function Loaded<T>({
  resource,
  rows = 3,
  children,
}: {
  readonly resource: Resource<T>;
  readonly rows?: number;
  readonly children: (value: T) => ComponentChildren;
}) {
  const value = resource.value.value;
  const failure = resource.failure.value;
  useEffect(() => {
    if (resource.value.value === undefined) void resource.load();
  }, [resource]);
  return (
    <>
      {failure === undefined ? null : (
        <Failure problem={failure} retry={() => void resource.load()} />
      )}
      {value === undefined && failure === undefined ? <Skeleton rows={rows} /> : null}
      {value === undefined ? null : children(value)}
    </>
  );
}

/** Something did not work, and how to try again. */
export function Failure({
  problem,
  retry,
}: {
  readonly problem: ApiProblem;
  readonly retry: () => void;
}) {
  return (
    <div class="note bad" role="alert">
      <Icon name="warning" />
      <p>{problem.message}</p>
      <Button onClick={retry}>Try again</Button>
    </div>
  );
}

/** Nothing is there, and what to do about it. */
export function Empty({ title, children }: Children & { readonly title: string }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      <p>{children}</p>
    </div>
  );
}

/** Where something will be. */
export function Skeleton({ rows }: { readonly rows: number }) {
  return (
    <div class="skeleton">
      <p class="hidden">Loading…</p>
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} />
      ))}
    </div>
  );
}

type DialogProps = Children & {
  readonly title: string;
  readonly onClose: () => void;
  /** What is inside is gone when it closes, so Escape alone does not close it. */
  readonly isPrecious?: boolean;
};

/** A modal dialog for as long as it is rendered; it keeps the focus and gives it back. */
export function Dialog({ title, onClose, isPrecious = false, children }: DialogProps) {
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    // The browser gives the focus back only for a dialog that closes before it goes.
    return () => requestAnimationFrame(() => returnFocus(opener));
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={id}
      onClose={onClose}
      onCancel={(event) => {
        if (isPrecious) event.preventDefault();
      }}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}

/** What opened a dialog may be gone, like the row of a removed device. */
function returnFocus(opener: Element | null): void {
  const heading = document.querySelector<HTMLElement>('main h1');
  const target = opener instanceof HTMLElement && opener.isConnected ? opener : heading;
  target?.focus();
}

type ConfirmProps = Children & {
  readonly title: string;
  readonly action: string;
  readonly onConfirm: () => Promise<void>;
  readonly onClose: () => void;
};

/** Asks before something that people would regret. */
export function Confirm({ title, action, onConfirm, onClose, children }: ConfirmProps) {
  const [isBusy, setBusy] = useState(false);
  async function confirm(): Promise<void> {
    setBusy(true);
    await onConfirm();
    onClose();
  }
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      <div class="actions">
        <Button onClick={onClose}>Cancel</Button>
        <Button look="danger" isBusy={isBusy} onClick={() => void confirm()}>
          {action}
        </Button>
      </div>
    </Dialog>
  );
}

const TOAST_MS = 6_000;
const toast = signal<string>('');
let toastTimer: ReturnType<typeof setTimeout> | undefined;

/** Says one sentence to everybody: seen at the bottom, heard by screen readers. */
export function say(sentence: string): void {
  toast.value = sentence;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => {
    toast.value = '';
  }, TOAST_MS);
}

/** Where `say` is heard; it is there from the start, as screen readers want it. */
export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toast.value === '' ? null : <p>{toast.value}</p>}
    </div>
  );
}

/** The clipboard needs https or loopback; elsewhere the old way still works in most browsers. */
async function copyText(text: string, element: HTMLElement | null): Promise<boolean> {
  if (isSecureContext) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }
  if (element === null) return false;
  getSelection()?.selectAllChildren(element);
  return document.execCommand('copy');
}
