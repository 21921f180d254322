/** The frame around the screens: whose device this is, where one can go, and what was said. */

import { useSignalEffect } from '@preact/signals';
import { sentenceOf } from './api.ts';
import { Icon, type IconName, Mark } from './icons.tsx';
import { Heading, Skeleton, say, Toasts } from './parts.tsx';
import { PendingChanges } from './pending.tsx';
import { hrefOf, SCREENS, type Screen, screen } from './router.ts';
import { Devices } from './screens/devices.tsx';
import { History } from './screens/history.tsx';
import { Home } from './screens/home.tsx';
import { Names } from './screens/names.tsx';
import { Questions } from './screens/questions.tsx';
import { SignedOut } from './screens/signed-out.tsx';
import { session, signOut, status } from './state.ts';

const PAGES = {
  home: { title: 'Home', icon: 'home', view: Home },
  devices: { title: 'Devices', icon: 'devices', view: Devices },
  names: { title: 'Names', icon: 'names', view: Names },
  questions: { title: 'Questions', icon: 'questions', view: Questions },
  history: { title: 'History', icon: 'history', view: History },
} as const satisfies Record<Screen, { title: string; icon: IconName; view: unknown }>;

/** The whole page. */
export function Shell() {
  useSignalEffect(() => {
    const device = status.value.value;
    const place = device === undefined ? 'nymote' : `${device.device.name}.${device.apex}`;
    document.title =
      session.value === 'out' ? 'Sign in · nymote' : `${PAGES[screen.value].title} · ${place}`;
  });
  if (session.value === 'out') return <SignedOut />;
  return <SignedIn />;
}

function SignedIn() {
  // Nothing is asked before it is known that we may: a first 401 would look like a sign-out.
  const View = session.value === 'in' ? PAGES[screen.value].view : Waiting;
  return (
    <>
      <button class="skip" type="button" onClick={skip}>
        Skip to content
      </button>
      <div class="shell">
        <header class="top">
          <Mark />
          <Place />
          <button class="button leave" type="button" onClick={() => void leave()}>
            <Icon name="leave" />
            <span>Sign out</span>
          </button>
        </header>
        <nav aria-label="Screens">
          <ul>
            {SCREENS.map((each) => (
              <li key={each}>
                <a href={hrefOf(each)} aria-current={each === screen.value ? 'page' : undefined}>
                  <Icon name={PAGES[each].icon} />
                  <span>{PAGES[each].title}</span>
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <main>
          <PendingChanges />
          <View />
        </main>
      </div>
      <Toasts />
    </>
  );
}

function Waiting() {
  return (
    <>
      <Heading>One moment</Heading>
      <Skeleton rows={4} />
    </>
  );
}

/** The name of this device; the line keeps its height while it is not known. */
function Place() {
  const known = status.value.value;
  return (
    <p class="place">
      {known === undefined ? (
        '\u00a0'
      ) : (
        <>
          <strong>{known.device.name}</strong>
          <wbr />.{known.apex}
        </>
      )}
    </p>
  );
}

// Not a link: its fragment would be a route.
function skip(): void {
  document.querySelector<HTMLElement>('main h1')?.focus();
}

async function leave(): Promise<void> {
  try {
    await signOut();
  } catch (thrown) {
    say(sentenceOf(thrown));
  }
}
