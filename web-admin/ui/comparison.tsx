/** New devices that wait: the digits that they show too, and what somebody says to that. */

import { useEffect, useState } from 'preact/hooks';
import type { WaitingDevices } from '../enrolment-schema.ts';
import { call, sentenceOf } from './api.ts';
import { Icon } from './icons.tsx';
import { Button, say } from './parts.tsx';
import { devices } from './state.ts';

type Waiting = WaitingDevices['devices'][number];

const LOOK_MS = 1_500;

/** Looks for new devices as long as it is on the screen; nothing while there are none. */
export function Comparison() {
  const [waiting, setWaiting] = useState<readonly Waiting[]>([]);
  useEffect(() => {
    const look = (): void => {
      call<WaitingDevices>('GET', '/enrolments', { isBackground: true }).then(
        ({ value }) => setWaiting(value.devices),
        () => setWaiting([]),
      );
    };
    look();
    const timer = setInterval(look, LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  const forget = (name: string): void =>
    setWaiting((all) => all.filter((each) => each.name !== name));
  return (
    <>
      {waiting.map(({ name, code }) =>
        code === undefined ? null : (
          <Question key={name} {...{ name, code }} onDecided={() => forget(name)} />
        ),
      )}
    </>
  );
}

type QuestionProps = {
  readonly name: string;
  readonly code: string;
  readonly onDecided: () => void;
};

function Question({ name, code, onDecided }: QuestionProps) {
  const [isBusy, setBusy] = useState(false);
  const path = `/enrolments/${encodeURIComponent(name)}`;
  async function decide(isSame: boolean): Promise<void> {
    setBusy(true);
    try {
      if (isSame) await call('POST', `${path}/confirm`, { body: { code } });
      else await call('DELETE', path);
      say(isSame ? `${name} is one of your devices now.` : `${name} was turned away.`);
      onDecided();
    } catch (thrown) {
      say(sentenceOf(thrown));
      setBusy(false);
    }
    await devices.load();
  }
  return (
    <div class="note warn" role="alert">
      <Icon name="devices" />
      <p>
        <strong>{name} wants to join.</strong> Let it in only if it shows{' '}
        <span class="digits">
          {code.slice(0, 3)} {code.slice(3)}
        </span>{' '}
        as well.
      </p>
      <div class="actions">
        <Button isBusy={isBusy} onClick={() => void decide(false)}>
          No, turn it away
        </Button>
        <Button look="primary" isBusy={isBusy} onClick={() => void decide(true)}>
          Yes, let {name} in
        </Button>
      </div>
    </div>
  );
}
