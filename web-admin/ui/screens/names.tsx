/** Names: the records that people add to their zone beside those of their devices. */

import { useId, useState } from 'preact/hooks';
import type { NamesView } from '../../names-schema.ts';
import { call, sentenceOf } from '../api.ts';
import { Icon } from '../icons.tsx';
import { Button, Confirm, Dialog, Empty, Heading, Loaded, say } from '../parts.tsx';
import { names } from '../state.ts';
import { ttlOf } from '../words.ts';

type Name = NamesView['names'][number];
type Entry = { readonly name: Name; readonly record: Name['records'][number] };

/** The common ones, and what each is for. */
const TYPES = [
  ['A', 'an IPv4 address', '192.0.2.7'],
  ['AAAA', 'an IPv6 address', '2001:db8::7'],
  ['CNAME', 'another name for', 'router'],
  ['MX', 'where its mail goes', '10 mail'],
  ['TXT', 'a text', '"v=spf1 -all"'],
  ['SRV', 'where a service is', '0 0 5060 router'],
  ['CAA', 'who may certify it', '0 issue "letsencrypt.org"'],
] as const;

export function Names() {
  const [isAdding, setAdding] = useState(false);
  const [leaving, setLeaving] = useState<Entry | undefined>(undefined);
  return (
    <>
      <Heading
        action={
          <Button icon="add" look="primary" onClick={() => setAdding(true)}>
            Add name
          </Button>
        }
      >
        Names
      </Heading>
      <p class="lead">Your devices have theirs already. These are the ones you add.</p>
      <Loaded resource={names} rows={2}>
        {(view) => (
          <>
            <NameList view={view} onRemove={setLeaving} />
            {isAdding ? <AddName apex={view.apex} onClose={() => setAdding(false)} /> : null}
          </>
        )}
      </Loaded>
      {leaving === undefined ? null : (
        <RemoveRecord entry={leaving} onClose={() => setLeaving(undefined)} />
      )}
    </>
  );
}

type ListProps = { readonly view: NamesView; readonly onRemove: (entry: Entry) => void };

function NameList({ view, onRemove }: ListProps) {
  if (view.names.length === 0) {
    return (
      <Empty title="No names of your own yet">
        Add one for your website, your mail, or a thing that runs no nymote.
      </Empty>
    );
  }
  return (
    <ul class="list">
      {view.names.map((name) => (
        <li key={name.owner} class="name">
          <strong>{name.fqdn}</strong>
          <ul class="rows">
            {name.records.map((record) => (
              <li key={`${record.type} ${record.data}`} class="row">
                <span class="row-main">
                  <span>
                    <span class="type">{record.type}</span> <code>{record.data}</code>
                  </span>
                  <span class="muted small">kept for {ttlOf(record.ttl)}</span>
                </span>
                <button
                  class="button icon-only"
                  type="button"
                  onClick={() => onRemove({ name, record })}
                >
                  <Icon name="close" />
                  <span class="hidden">
                    Remove {record.type} {record.data} of {name.fqdn}
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ul>
  );
}

function AddName({ apex, onClose }: { readonly apex: string; readonly onClose: () => void }) {
  const [owner, setOwner] = useState('');
  const [type, setType] = useState<string>('A');
  const [data, setData] = useState('');
  const [failure, setFailure] = useState<string | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  const [ifMatch] = useState(names.etag());
  const id = useId();
  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    setBusy(true);
    try {
      const path = `/names/${encodeURIComponent(owner.trim() === '' ? '@' : owner.trim())}`;
      await call('PUT', path, { body: { type, data, beside: true }, ifMatch });
      await names.load();
      say(`${owner === '' ? apex : owner} was added.`);
      onClose();
    } catch (thrown) {
      setFailure(sentenceOf(thrown));
      setBusy(false);
    }
  }
  const example = TYPES.find(([each]) => each === type)?.[2] ?? '';
  return (
    <Dialog title="Add a name" onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <label class="field" for={`${id}owner`}>
          <span>Name</span>
          <input
            id={`${id}owner`}
            value={owner}
            maxLength={253}
            placeholder="www"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            onInput={(event) => setOwner(event.currentTarget.value)}
          />
          <span class="muted small">
            {owner === '' ? `Empty: ${apex} itself.` : `It will be ${fullName(owner, apex)}`}
          </span>
        </label>
        <label class="field" for={`${id}type`}>
          <span>What it is</span>
          <select
            id={`${id}type`}
            value={type}
            onChange={(event) => setType(event.currentTarget.value)}
          >
            {TYPES.map(([each, meaning]) => (
              <option key={each} value={each}>
                {each}: {meaning}
              </option>
            ))}
          </select>
        </label>
        <label class="field" for={`${id}data`}>
          <span>Value</span>
          <input
            id={`${id}data`}
            value={data}
            required
            maxLength={4096}
            placeholder={example}
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            onInput={(event) => setData(event.currentTarget.value)}
          />
        </label>
        {failure === undefined ? null : (
          <div class="note bad" role="alert">
            <Icon name="warning" />
            <p>{failure}</p>
          </div>
        )}
        <div class="actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" isBusy={isBusy}>
            Add
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function RemoveRecord({
  entry: { name, record },
  onClose,
}: {
  readonly entry: Entry;
  readonly onClose: () => void;
}) {
  const [ifMatch] = useState(names.etag());
  async function remove(): Promise<void> {
    const query = new URLSearchParams({ type: record.type, data: record.data });
    try {
      await call('DELETE', `/names/${encodeURIComponent(name.owner)}?${query}`, { ifMatch });
      say('It was removed.');
    } catch (thrown) {
      say(sentenceOf(thrown));
    }
    await names.load();
  }
  return (
    <Confirm
      title={`Remove from ${name.fqdn}?`}
      action="Remove"
      onConfirm={remove}
      onClose={onClose}
    >
      <p>
        <span class="type">{record.type}</span> <code>{record.data}</code>
      </p>
      <p>Whoever asked lately may still know it for {ttlOf(record.ttl)}.</p>
    </Confirm>
  );
}

function fullName(owner: string, apex: string): string {
  const text = owner.trim().toLowerCase();
  return text === apex || text.endsWith(`.${apex}`) ? text : `${text}.${apex}`;
}
