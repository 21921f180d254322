/** History: who changed what, what exactly, and the way back. */

import { useEffect, useState } from 'preact/hooks';
import type { CommitView, DiffView, LogPage } from '../../schema.ts';
import { call, sentenceOf } from '../api.ts';
import { fieldChanges } from '../diff.ts';
import { Icon } from '../icons.tsx';
import { Button, Confirm, Empty, Heading, Loaded, say } from '../parts.tsx';
import { devices, history, historyFilter, loadMoreHistory, status } from '../state.ts';
import { ago, dateAndTime, doorOf, plural, subjectOf } from '../words.ts';

export function History() {
  const [undoing, setUndoing] = useState<CommitView | undefined>(undefined);
  return (
    <>
      <Heading>History</Heading>
      <p class="lead">Every change, whoever made it, and a way back.</p>
      <Filter />
      <Loaded resource={history} rows={4}>
        {(page) => <Page page={page} onRevert={setUndoing} />}
      </Loaded>
      <p class="muted small">{status.value.value?.store.history}</p>
      {undoing === undefined ? null : (
        <Revert commit={undoing} onClose={() => setUndoing(undefined)} />
      )}
    </>
  );
}

/** People stop typing before they want to see something. */
const TYPING_MS = 250;

function Filter() {
  const { device, grep } = historyFilter.value;
  const [text, setText] = useState(grep);
  useEffect(() => {
    if (devices.value.value === undefined) void devices.load({ isBackground: true });
  }, []);
  useEffect(() => {
    const timer = setTimeout(() => look({ grep: text }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <search class="toolbar">
      <input
        type="search"
        aria-label="Filter by reason"
        placeholder="Filter"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <select
        aria-label="Whose changes"
        value={device}
        onChange={(event) => look({ device: event.currentTarget.value })}
      >
        <option value="">All devices</option>
        {(devices.value.value ?? [])
          .filter(({ kind }) => kind !== 'plain')
          .map(({ id, name }) => (
            <option key={id} value={name}>
              {name}
            </option>
          ))}
      </select>
    </search>
  );
}

function look(changed: Partial<typeof historyFilter.value>): void {
  const wanted = { ...historyFilter.value, ...changed };
  const { device, grep } = historyFilter.value;
  if (wanted.device === device && wanted.grep === grep) return;
  historyFilter.value = wanted;
  void history.load();
}

type PageProps = { readonly page: LogPage; readonly onRevert: (commit: CommitView) => void };

function Page({ page, onRevert }: PageProps) {
  if (page.commits.length === 0) {
    const { device, grep } = historyFilter.value;
    return device + grep === '' ? (
      <Empty title="Nothing has changed yet">The first change will be the first line here.</Empty>
    ) : (
      <Empty title="No change fits">Look for other words, or for all devices.</Empty>
    );
  }
  return (
    <>
      <ol class="list" reversed>
        {page.commits.map((commit) => (
          <CommitItem key={commit.id} commit={commit} onRevert={() => onRevert(commit)} />
        ))}
      </ol>
      {page.next === undefined ? null : (
        <div class="more">
          <Button onClick={() => void more()}>Show older changes</Button>
        </div>
      )}
    </>
  );
}

function CommitItem({
  commit,
  onRevert,
}: {
  readonly commit: CommitView;
  readonly onRevert: () => void;
}) {
  const [diff, setDiff] = useState<DiffView | string | undefined>(undefined);
  async function open(isOpen: boolean): Promise<void> {
    if (!isOpen || typeof diff === 'object') return;
    try {
      const { value } = await call<DiffView>('GET', `/diff?to=${commit.id}`);
      setDiff(value);
    } catch (thrown) {
      setDiff(sentenceOf(thrown));
    }
  }
  return (
    <li>
      <details class="item" onToggle={(event) => void open(event.currentTarget.open)}>
        <summary>
          <span class="row-main">
            <strong>{subjectOf(commit.message)}</strong>
            <span class="muted">
              <time dateTime={new Date(commit.date * 1000).toISOString()}>
                {ago(commit.date, Date.now() / 1000)}
              </time>
              {commit.person === undefined ? ', ' : `, ${commit.person} on `}
              {commit.author}, {doorOf(commit.via)}
            </span>
          </span>
          <span class="muted small">{plural(commit.changes.length, 'record')}</span>
          <Icon name="chevron" />
        </summary>
        {commit.what === undefined ? null : (
          <ul class="what">
            {commit.what.map((what) => (
              <li key={what}>{what}</li>
            ))}
          </ul>
        )}
        {diff === undefined ? <p class="muted">Loading…</p> : null}
        {typeof diff === 'string' ? <p class="bad-text">{diff}</p> : null}
        {typeof diff === 'object' ? <Diff diff={diff} /> : null}
        <p class="muted small">
          {dateAndTime(commit.date)} · <code>{commit.id.slice(0, 12)}</code>
        </p>
        {commit.seq === 1 ? null : (
          <div class="actions">
            <Button icon="undo" onClick={onRevert}>
              Undo this change
            </Button>
          </div>
        )}
      </details>
    </li>
  );
}

function Diff({ diff }: { readonly diff: DiffView }) {
  return (
    <div class="diff">
      {diff.changes.map(({ path, kind, before, after }) => (
        <section key={path}>
          <h2>
            <code>{path}</code> <span class="muted">{kind}</span>
          </h2>
          <ul>
            {fieldChanges(before, after).map((line) => (
              <li key={`${line.sign}${line.field}`} class={line.sign === '+' ? 'plus' : 'minus'}>
                <span class="hidden">{line.sign === '+' ? 'now ' : 'was '}</span>
                <code>
                  {line.field === '' ? '' : `${line.field}: `}
                  {line.value}
                </code>
              </li>
            ))}
          </ul>
        </section>
      ))}
    </div>
  );
}

function Revert({
  commit,
  onClose,
}: {
  readonly commit: CommitView;
  readonly onClose: () => void;
}) {
  const [ifMatch] = useState(history.etag());
  async function revert(): Promise<void> {
    try {
      await call('POST', '/revert', { body: { id: commit.id }, ifMatch });
      say(`Undone: ${subjectOf(commit.message)}`);
    } catch (thrown) {
      say(sentenceOf(thrown));
    }
    await history.load();
  }
  return (
    <Confirm title="Undo this change?" action="Undo" onConfirm={revert} onClose={onClose}>
      <p>
        “{subjectOf(commit.message)}” is taken back by a new change. Nothing is lost: that one can
        be undone too.
      </p>
    </Confirm>
  );
}

async function more(): Promise<void> {
  try {
    await loadMoreHistory();
  } catch (thrown) {
    say(sentenceOf(thrown));
  }
}
