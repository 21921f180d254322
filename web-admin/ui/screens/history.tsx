/** History: who changed what, what exactly, and the way back. */

import { useState } from 'preact/hooks';
import type { CommitView, DiffView, LogPage } from '../../schema.ts';
import { call, sentenceOf } from '../api.ts';
import { fieldChanges } from '../diff.ts';
import { Icon } from '../icons.tsx';
import { Button, Confirm, Empty, Heading, Loaded, say } from '../parts.tsx';
import { history, loadMoreHistory } from '../state.ts';
import { ago, dateAndTime, plural, subjectOf } from '../words.ts';

const VIAS: Readonly<Record<string, string>> = {
  genesis: 'first start',
  cli: 'command line',
  web: 'web admin',
  token: 'program',
  ubus: 'LuCI',
};

export function History() {
  const [undoing, setUndoing] = useState<CommitView | undefined>(undefined);
  return (
    <>
      <Heading>History</Heading>
      <p class="lead">Every change, whoever made it, and a way back.</p>
      <Loaded resource={history} rows={4}>
        {(page) => <Page page={page} onRevert={setUndoing} />}
      </Loaded>
      {undoing === undefined ? null : (
        <Revert commit={undoing} onClose={() => setUndoing(undefined)} />
      )}
    </>
  );
}

type PageProps = { readonly page: LogPage; readonly onRevert: (commit: CommitView) => void };

function Page({ page, onRevert }: PageProps) {
  if (page.commits.length === 0) {
    return (
      <Empty title="Nothing has changed yet">The first change will be the first line here.</Empty>
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
              {' on '}
              {commit.author}, {VIAS[commit.via] ?? commit.via}
            </span>
          </span>
          <span class="muted small">{plural(commit.changes.length, 'record')}</span>
          <Icon name="chevron" />
        </summary>
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
