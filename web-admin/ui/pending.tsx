/** What is being tried and waits for a person, on every screen; and how it went on each device. */

import { useEffect, useState } from 'preact/hooks';
import type { ApplyView } from '../apply-schema.ts';
import { call, sentenceOf } from './api.ts';
import { Icon } from './icons.tsx';
import { Button, Card, say } from './parts.tsx';
import { applying, status } from './state.ts';
import { ago, countdown, sentence } from './words.ts';

type Pending = NonNullable<ApplyView['pending']>;

const LOOK_MS = 5_000;

/** Nothing, or what waits. */
export function PendingChanges() {
  const view = applying.value.value;
  const isWaiting = view?.pending !== undefined;
  useEffect(() => {
    if (!isWaiting) return undefined;
    const timer = setInterval(() => void applying.load({ isBackground: true }), LOOK_MS);
    return () => clearInterval(timer);
  }, [isWaiting]);
  const self = status.value.value?.device.id;
  const elsewhere = (view?.devices ?? []).filter(
    ({ device, pending }) => pending?.kind === 'risky' && device !== self,
  );
  if (!isWaiting && elsewhere.length === 0) return null;
  return (
    <section class="concerns" aria-label="Changes on trial">
      {view?.pending === undefined ? null : <Own pending={view.pending} />}
      {elsewhere.map(({ device, name, pending }) => (
        <div key={device} class="note warn">
          <Icon name="warning" />
          <p>A change is on trial on {name}. It stays only if somebody confirms it.</p>
          <Actions id={pending?.id ?? ''} />
        </div>
      ))}
    </section>
  );
}

function Own({ pending }: { readonly pending: Pending }) {
  const left = useCountdown(pending.secondsLeft);
  return (
    <div class="note warn">
      <Icon name="warning" />
      <p>
        <strong>On trial: {pending.options.join(', ')}.</strong> {wordsFor(pending)}
        {left === undefined ? null : (
          <>
            {' '}
            Taken back in <span class="countdown">{countdown(left)}</span>.
          </>
        )}
      </p>
      <Actions id={pending.id} canUndo />
    </div>
  );
}

function wordsFor({ kind, confirmedBy, failing }: Pending): string {
  if (failing.length > 0) return `Does not work: ${failing.join(', ')}.`;
  if (confirmedBy !== undefined) return 'Confirmed; it stays when everything works.';
  return kind === 'risky'
    ? 'It stays only if somebody confirms it.'
    : 'It stays when everything works.';
}

function Actions({ id, canUndo = false }: { readonly id: string; readonly canUndo?: boolean }) {
  const [isBusy, setBusy] = useState(false);
  async function act(path: string, body: unknown, done: string): Promise<void> {
    setBusy(true);
    try {
      await call('POST', `/apply/${path}`, { body });
      say(done);
    } catch (thrown) {
      say(sentenceOf(thrown));
    }
    await applying.load({ isBackground: true });
    setBusy(false);
  }
  return (
    <div class="actions">
      {canUndo ? (
        <Button isBusy={isBusy} onClick={() => void act('rollback', undefined, 'Taken back.')}>
          Undo
        </Button>
      ) : null}
      <Button
        look="primary"
        isBusy={isBusy}
        onClick={() => void act('confirm', { id }, 'Confirmed.')}
      >
        Confirm
      </Button>
    </div>
  );
}

/** Seconds left, counted here between two looks at the server. */
function useCountdown(seconds: number | undefined): number | undefined {
  const [left, setLeft] = useState(seconds);
  useEffect(() => {
    setLeft(seconds);
    const timer = setInterval(() => {
      setLeft((now) => (now === undefined ? undefined : Math.max(0, now - 1)));
    }, 1_000);
    return () => clearInterval(timer);
  }, [seconds]);
  return left;
}

const WORDS = {
  confirmed: 'In force',
  'rolled-back': 'Taken back',
  failed: 'Not applied',
} as const;

/** How the last change went on each device that has options. */
export function AppliedCard() {
  const devices = applying.value.value?.devices ?? [];
  if (devices.length === 0) return null;
  return (
    <Card title="Router configuration">
      <ul class="rows">
        {devices.map(({ device, name, pending, outcome, reason, at }) => (
          <li key={device} class="row">
            <span class="row-main">
              <strong>{name}</strong>
              <span class="muted">
                {pending === undefined ? `${WORDS[outcome ?? 'failed']}: ` : 'On trial. '}
                {pending === undefined && reason !== undefined ? sentence(reason) : null}
              </span>
            </span>
            <span class="muted small">{ago(at, Date.now() / 1_000)}</span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
