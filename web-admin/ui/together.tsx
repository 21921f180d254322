/** What waits for a person because several devices write: shown on Home, and only when it is there. */

import { useEffect, useState } from 'preact/hooks';
import type { Status } from '../schema.ts';
import type { ConflictsView, LateView, ProposalsView } from '../together-schema.ts';
import { call, sentenceOf } from './api.ts';
import { Icon } from './icons.tsx';
import { Button, Card, Confirm, say } from './parts.tsx';
import { conflicts, late, proposals, type Resource, status } from './state.ts';
import { ago, doorOf, plural, sentence, subjectOf } from './words.ts';

type Written = {
  readonly name: string;
  readonly via: string;
  readonly date: number;
  readonly commit: string;
};

/** How many things wait. */
export function countWaiting({ waiting, merge }: Status): number {
  const { conflicts: open = 0, late: missed = 0, proposals: asked = 0 } = waiting ?? {};
  return open + missed + asked + (merge === undefined ? 0 : 1);
}

/** The cards, the urgent first. */
export function Together({ status: now }: { readonly status: Status }) {
  const { waiting, merge } = now;
  return (
    <>
      {merge === undefined ? null : <Merge merge={merge} />}
      <Needed resource={conflicts} count={waiting?.conflicts ?? 0}>
        {(view) => <Conflicts view={view} />}
      </Needed>
      <Needed resource={late} count={waiting?.late ?? 0}>
        {({ late: list }) => (
          <>
            {list.map((each) => (
              <Late key={each.device} late={each} />
            ))}
          </>
        )}
      </Needed>
      <Needed resource={proposals} count={waiting?.proposals ?? 0}>
        {({ proposals: list }) => (
          <>
            {list.map((each) => (
              <Proposal key={each.id} proposal={each} />
            ))}
          </>
        )}
      </Needed>
    </>
  );
}

/** Asked for only when there is something. */
function Needed<T>({
  resource,
  count,
  children,
}: {
  readonly resource: Resource<T>;
  readonly count: number;
  readonly children: (value: T) => preact.JSX.Element | null;
}) {
  useEffect(() => {
    if (count > 0) void resource.load({ isBackground: true });
  }, [count, resource]);
  const value = resource.value.value;
  return count === 0 || value === undefined ? null : children(value);
}

function Merge({ merge }: { readonly merge: NonNullable<Status['merge']> }) {
  return (
    <Card title="An older state is in force">
      <p>
        What your devices changed does not fit together, so everything runs as it did before.
        {merge.changes.length === 0 ? ` ${sentence(merge.fix)}` : ' Undo one of these changes:'}
      </p>
      <ul class="rows">
        {merge.problems.map((problem) => (
          <li key={problem} class="check bad">
            <Icon name="warning" />
            <span class="row-main">{sentence(problem)}</span>
          </li>
        ))}
        {merge.changes.map((change) => (
          <li key={change.commit} class="row">
            <span class="row-main">
              <strong>{subjectOf(change.message)}</strong>
              <Who written={change} />
            </span>
            <Act
              path="/revert"
              body={{ id: change.commit }}
              done={`Undone: ${subjectOf(change.message)}`}
            >
              Undo
            </Act>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Conflicts({ view }: { readonly view: ConflictsView }) {
  if (view.conflicts.length === 0) return null;
  return (
    <Card title="Two devices changed the same thing">
      {view.conflicts.map(({ path, what, values, why }) => (
        <div key={path} class="decide">
          <p>{sentence(what)}</p>
          <ul class="rows">
            {values.map((value, index) => (
              <li key={value.commit} class="row">
                <span class="row-main">
                  <strong class="said">{value.said}</strong>
                  <Who written={value} />
                  {index === 0 ? <span class="small good-text">In force now: {why}.</span> : null}
                </span>
                <Act
                  path="/conflicts/resolve"
                  body={{ path, choice: value.commit }}
                  done={`Decided: ${value.said}`}
                >
                  Keep<span class="hidden"> {value.said}</span>
                </Act>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </Card>
  );
}

type LateDevice = LateView['late'][number];

function Late({ late: each }: { readonly late: LateDevice }) {
  const [asking, setAsking] = useState<'adopt' | 'dismiss' | undefined>(undefined);
  const isTwice = each.reason === 'forked';
  const hidden = each.count - each.changes.length;
  return (
    <Card title={isTwice ? `${each.name} exists twice` : `Late changes of ${each.name}`}>
      <p>{each.sentence}</p>
      <details class="disclosure">
        <summary>{plural(each.count, 'change')} of it</summary>
        <ul class="rows">
          {each.changes.map((change) => (
            <li key={change.commit} class="row">
              <span class="row-main">
                <strong>{subjectOf(change.message)}</strong>
                {change.what.map((what) => (
                  <span key={what}>{what}</span>
                ))}
                <Who written={change} />
              </span>
            </li>
          ))}
        </ul>
        {hidden > 0 ? <p class="muted">And {plural(hidden, 'more', 'more')}.</p> : null}
      </details>
      <div class="actions">
        <Button look="danger" onClick={() => setAsking('dismiss')}>
          Let them go
        </Button>
        <Button look="primary" onClick={() => setAsking('adopt')}>
          Take them over
        </Button>
      </div>
      {asking === undefined ? null : (
        <Decide late={each} word={asking} onClose={() => setAsking(undefined)} />
      )}
    </Card>
  );
}

function Decide({
  late: { device, name, reason },
  word,
  onClose,
}: {
  readonly late: LateDevice;
  readonly word: 'adopt' | 'dismiss';
  readonly onClose: () => void;
}) {
  const action = word === 'adopt' ? 'Take over' : 'Let go';
  return (
    <Confirm
      title={`${action} what ${name} wrote?`}
      action={action}
      onConfirm={() => act(`/late/${word}`, { device }, `Decided about ${name}.`)}
      onClose={onClose}
    >
      <p>
        {word === 'adopt'
          ? 'The changes hold as if you had made them here. Each can be undone in History.'
          : 'The changes stay in the history as evidence, and do not count.'}
        {reason === 'forked' ? ` ${name} is removed; it joins again with a new code.` : null}
      </p>
    </Confirm>
  );
}

function Proposal({ proposal }: { readonly proposal: ProposalsView['proposals'][number] }) {
  const { id, name, what, mayApprove } = proposal;
  const path = `/proposals/${encodeURIComponent(id)}`;
  return (
    <Card title={mayApprove ? `${name} asks you to agree` : 'Another owner has to agree'}>
      <ul>
        {what.map((each) => (
          <li key={each}>{each}</li>
        ))}
      </ul>
      <div class="actions">
        <Act path={path} method="DELETE" done="The proposal is gone.">
          {mayApprove ? 'Do not agree' : 'Take it back'}
        </Act>
        {mayApprove ? (
          <Act path={`${path}/approve`} done="It holds now." look="primary">
            Agree
          </Act>
        ) : null}
      </div>
    </Card>
  );
}

function Who({ written: { name, via, date } }: { readonly written: Written }) {
  return (
    <span class="muted small">
      {name}, {doorOf(via)}, {ago(date, Date.now() / 1_000)}
    </span>
  );
}

type ActProps = {
  readonly path: string;
  readonly method?: 'POST' | 'DELETE';
  readonly body?: unknown;
  readonly done: string;
  readonly look?: 'primary' | 'plain';
  readonly children: preact.ComponentChildren;
};

function Act({ path, method = 'POST', body, done, look = 'plain', children }: ActProps) {
  const [isBusy, setBusy] = useState(false);
  async function run(): Promise<void> {
    setBusy(true);
    await act(path, body, done, method);
    setBusy(false);
  }
  return (
    <Button look={look} isBusy={isBusy} onClick={() => void run()}>
      {children}
    </Button>
  );
}

/** What is decided is what was seen: the head of the status that showed it. */
async function act(
  path: string,
  body: unknown,
  done: string,
  method: 'POST' | 'DELETE' = 'POST',
): Promise<void> {
  const head = status.value.value?.store.head ?? '';
  try {
    await call(method, path, { body, ifMatch: `"${head}"` });
    say(done);
  } catch (thrown) {
    say(sentenceOf(thrown));
  }
  await status.load();
  const waiting = [conflicts, late, proposals].filter(({ value }) => value.value !== undefined);
  await Promise.all(waiting.map((each) => each.load({ isBackground: true })));
}
