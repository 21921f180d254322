/**
 * The dialog that adds a device: a name and a kind, then what the new device needs, which is shown
 * once. A plain device's text is read back before it is shown (wireguard.ts).
 */

import { useEffect, useId, useState } from 'preact/hooks';
import type { AddedDevice } from '../schema.ts';
import { call, sentenceOf } from './api.ts';
import { Comparison } from './comparison.tsx';
import { Icon } from './icons.tsx';
import { Button, CopyLine, Dialog } from './parts.tsx';
import { devices } from './state.ts';
import { checkWireGuard } from './wireguard.ts';
import { countdown } from './words.ts';

type Kind = 'plain' | 'node';
type Plain = Extract<AddedDevice, { kind: 'plain' }>;
type Node = Extract<AddedDevice, { kind: 'node' }>;

const NAME = '[a-z0-9]([a-z0-9\\-]{0,61}[a-z0-9])?';

type AddDeviceProps = { readonly apex: string; readonly onClose: () => void };

export function AddDevice({ apex, onClose }: AddDeviceProps) {
  const [added, setAdded] = useState<AddedDevice | undefined>(undefined);
  const title =
    added === undefined
      ? 'Add a device'
      : added.kind === 'plain'
        ? `${added.device.name} is added`
        : 'Invite the new device';
  return (
    <Dialog title={title} onClose={onClose} isPrecious={added?.kind === 'plain'}>
      {added === undefined ? <Form apex={apex} onAdded={setAdded} onClose={onClose} /> : null}
      {added?.kind === 'plain' ? <PlainResult added={added} onClose={onClose} /> : null}
      {added?.kind === 'node' ? <NodeResult added={added} onClose={onClose} /> : null}
    </Dialog>
  );
}

type FormProps = AddDeviceProps & { readonly onAdded: (added: AddedDevice) => void };

function Form({ apex, onAdded, onClose }: FormProps) {
  const id = useId();
  const [name, setName] = useState('');
  const [kind, setKind] = useState<Kind>('plain');
  const [failure, setFailure] = useState<string | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  async function submit(event: Event): Promise<void> {
    event.preventDefault();
    setBusy(true);
    try {
      const { value } = await call<AddedDevice>('POST', '/devices', { body: { name, kind } });
      void devices.load();
      onAdded(value);
    } catch (thrown) {
      setFailure(sentenceOf(thrown));
      setBusy(false);
    }
  }
  return (
    <form onSubmit={(event) => void submit(event)}>
      <label class="field" for={`${id}name`}>
        <span>Name</span>
        <input
          id={`${id}name`}
          name="name"
          value={name}
          required
          maxLength={63}
          pattern={NAME}
          title="Letters a–z, digits and hyphens"
          placeholder="phone"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          aria-describedby={`${id}hint`}
          onInput={(event) => setName(wordOf(event.currentTarget.value))}
        />
        <span class="muted small" id={`${id}hint`}>
          {name === '' ? 'Letters, digits and hyphens.' : `It will be ${name}.${apex}`}
        </span>
      </label>
      <fieldset>
        <legend>What is it?</legend>
        <Choice value="plain" chosen={kind} onChoose={setKind} title="Phone or tablet">
          Or anything else with the WireGuard app. You get a code to scan.
        </Choice>
        <Choice value="node" chosen={kind} onChoose={setKind} title="Computer or router">
          It runs nymote itself. You get a command to run there.
        </Choice>
      </fieldset>
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
  );
}

type ChoiceProps = {
  readonly value: Kind;
  readonly chosen: Kind;
  readonly onChoose: (kind: Kind) => void;
  readonly title: string;
  readonly children: string;
};

function Choice({ value, chosen, onChoose, title, children }: ChoiceProps) {
  return (
    <label class="choice">
      <input
        type="radio"
        name="kind"
        value={value}
        checked={chosen === value}
        onChange={() => onChoose(value)}
      />
      <span class="row-main">
        <strong>{title}</strong>
        <span class="muted">{children}</span>
      </span>
    </label>
  );
}

function PlainResult({ added, onClose }: { readonly added: Plain; readonly onClose: () => void }) {
  const { config, device } = added;
  const checked = checkWireGuard(config);
  if (!checked.ok) {
    return (
      <>
        <div class="note bad" role="alert">
          <Icon name="warning" />
          <p>
            The WireGuard app would not take this: {checked.reason}. Remove {device.name} and please
            report it.
          </p>
        </div>
        <div class="actions">
          <Button onClick={onClose}>Close</Button>
        </div>
      </>
    );
  }
  return (
    <>
      <p>
        In the WireGuard app choose <strong>+</strong>, then <strong>Scan from QR code</strong>.
      </p>
      <QrCode text={config} label={`QR code for ${device.name}`} />
      <div class="note warn">
        <Icon name="warning" />
        <p>Shown only once. It holds the key of {device.name}, which nymote does not keep.</p>
      </div>
      <details class="disclosure">
        <summary>Without a camera</summary>
        <pre>{config}</pre>
        <Button icon="download" onClick={() => download(`${device.name}.conf`, config)}>
          Download {device.name}.conf
        </Button>
      </details>
      <div class="actions">
        <Button look="primary" onClick={onClose}>
          Done
        </Button>
      </div>
    </>
  );
}

function NodeResult({ added, onClose }: { readonly added: Node; readonly onClose: () => void }) {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), 1_000);
    return () => clearInterval(timer);
  }, []);
  const left = added.expiresAt - now;
  return (
    <>
      <p>Run this on the new device:</p>
      <CopyLine text={added.command} label="the command" />
      <Comparison />
      <details class="disclosure">
        <summary>Scan it there</summary>
        <QrCode text={added.uri} label="QR code for nymote join" />
        <p class="muted small">Give nymote join what it says.</p>
      </details>
      <dl class="facts">
        <div>
          <dt>Code</dt>
          <dd>
            <code>{added.code}</code>
          </dd>
        </div>
        <div>
          <dt>Valid for</dt>
          <dd class="countdown">
            {left > 0
              ? `${countdown(left)} minutes, once`
              : 'It has expired. Add the device again.'}
          </dd>
        </div>
      </dl>
      <div class="actions">
        <Button look="primary" onClick={onClose}>
          Done
        </Button>
      </div>
    </>
  );
}

/** The quiet zone that ISO/IEC 18004 asks for, in modules. */
const QUIET = 4;
/** What fits a dialog on a phone of 360 pixels. */
const MAX_QR_PX = 320;

/** Dark on white in either colour scheme: cameras want it so. Loaded only when it is needed. */
function QrCode({ text, label }: { readonly text: string; readonly label: string }) {
  const [matrix, setMatrix] = useState<readonly (readonly boolean[])[] | undefined>(undefined);
  const [isLost, setLost] = useState(false);
  useEffect(() => {
    import('uqr').then(
      ({ encode }) => setMatrix(encode(text, { ecc: 'L', border: 0 }).data),
      () => setLost(true),
    );
  }, [text]);
  if (isLost) return <p role="alert">The QR code could not be drawn. Use the text below.</p>;
  const size = (matrix?.length ?? 1) + 2 * QUIET;
  // A whole number of pixels for each module, or some would be wider than others.
  const width = size * Math.max(1, Math.floor(MAX_QR_PX / size));
  return (
    <svg
      class="qr"
      width={matrix === undefined ? MAX_QR_PX : width}
      role="img"
      aria-label={label}
      viewBox={`${-QUIET} ${-QUIET} ${size} ${size}`}
      shape-rendering="crispEdges"
    >
      {matrix === undefined ? null : <path d={pathOf(matrix)} />}
    </svg>
  );
}

/** One rectangle per run of dark modules in a row. */
function pathOf(matrix: readonly (readonly boolean[])[]): string {
  let path = '';
  for (const [y, row] of matrix.entries()) {
    let x = 0;
    while (x < row.length) {
      const end = row.indexOf(!row[x], x);
      const width = (end === -1 ? row.length : end) - x;
      if (row[x] === true) path += `M${x} ${y}h${width}v1h-${width}z`;
      x += width;
    }
  }
  return path;
}

function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** What people type as a name, in the letters a name can have. */
function wordOf(text: string): string {
  return text
    .toLowerCase()
    .replace(/[\s_]+/g, '-')
    .replace(/[^a-z0-9-]/g, '');
}
