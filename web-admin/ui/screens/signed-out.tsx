/** Not signed in: how to get a link. There are no passwords, so there is nothing to type. */

import { Icon, Mark } from '../icons.tsx';
import { CopyLine, Toasts } from '../parts.tsx';
import { signInFailure } from '../state.ts';

/** The page of a browser without a session. */
export function SignedOut() {
  return (
    <main class="signed-out">
      <Mark />
      <h1 tabIndex={-1}>Sign in with a link</h1>
      {signInFailure.value === undefined ? null : (
        <div class="note bad" role="alert">
          <Icon name="warning" />
          <p>{signInFailure.value}</p>
        </div>
      )}
      <p>
        nymote has no passwords. Whoever holds the device makes a link; it opens this page once,
        signed in.
      </p>
      <section class="card" aria-labelledby="terminal">
        <h2 id="terminal">On a computer</h2>
        <p>Run this on the device where nymote runs, and open the link that it prints.</p>
        <CopyLine text="npx nymote sign-in" label="the command" />
      </section>
      <section class="card" aria-labelledby="router">
        <h2 id="router">On an OpenWrt router</h2>
        <p>
          Sign in to LuCI, then choose <strong>Services</strong>, <strong>Nymote</strong>,{' '}
          <strong>Open admin</strong>.
        </p>
      </section>
      <Toasts />
    </main>
  );
}
