/** Devices: who belongs to the realm, how each can be reached, add and remove. */

import { useState } from 'preact/hooks';
import type { Device } from '../../schema.ts';
import { AddDevice } from '../add-device.tsx';
import { call, sentenceOf } from '../api.ts';
import { Comparison } from '../comparison.tsx';
import { Icon } from '../icons.tsx';
import { Button, Confirm, Empty, Heading, Loaded, State, say } from '../parts.tsx';
import { devices, status } from '../state.ts';
import { dateAndTime } from '../words.ts';

const KINDS = {
  signpost: 'Signpost, always on',
  node: 'Runs nymote',
  plain: 'WireGuard app',
} as const;

export function Devices() {
  const [isAdding, setAdding] = useState(false);
  const [leaving, setLeaving] = useState<Device | undefined>(undefined);
  return (
    <>
      <Heading
        action={
          <Button icon="add" look="primary" onClick={() => setAdding(true)}>
            Add device
          </Button>
        }
      >
        Devices
      </Heading>
      <Comparison />
      <Loaded resource={devices} rows={3}>
        {(list) => (
          <>
            <ul class="list">
              {list.map((device) => (
                <DeviceItem key={device.id} device={device} onRemove={() => setLeaving(device)} />
              ))}
            </ul>
            {list.length > 1 ? null : (
              <Empty title="Only this device so far">
                Add your phone or another computer, and each finds the other by name.
              </Empty>
            )}
          </>
        )}
      </Loaded>
      {isAdding ? (
        <AddDevice apex={status.value.value?.apex ?? ''} onClose={() => setAdding(false)} />
      ) : null}
      {leaving === undefined ? null : (
        <RemoveDevice device={leaving} onClose={() => setLeaving(undefined)} />
      )}
    </>
  );
}

function DeviceItem({
  device,
  onRemove,
}: {
  readonly device: Device;
  readonly onRemove: () => void;
}) {
  return (
    <li>
      <details class="item">
        <summary>
          <span class="row-main">
            <strong>{device.name}</strong>
            <span class="muted">{device.self ? 'This device' : KINDS[device.kind]}</span>
          </span>
          {device.self ? null : <State state={device.state} />}
          <Icon name="chevron" />
        </summary>
        <dl class="facts">
          <Fact label="Name">
            <code>{device.fqdn}</code>
          </Fact>
          <Fact label="Address">
            <code>{device.ipv6}</code>
            {device.ipv4 === undefined ? null : <code>{device.ipv4}</code>}
          </Fact>
          {device.why === undefined ? null : <Fact label="State">{device.why}</Fact>}
          {device.endpoints.length === 0 ? null : (
            <Fact label="Can be met at">
              {device.endpoints.map((endpoint) => (
                <code key={endpoint}>{endpoint}</code>
              ))}
            </Fact>
          )}
          <Fact label="Added">{dateAndTime(device.addedAt)}</Fact>
        </dl>
        {device.self ? null : (
          <div class="actions">
            <Button look="danger" onClick={onRemove}>
              Remove {device.name}
            </Button>
          </div>
        )}
      </details>
    </li>
  );
}

function Fact({
  label,
  children,
}: {
  readonly label: string;
  readonly children: preact.ComponentChildren;
}) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function RemoveDevice({
  device,
  onClose,
}: {
  readonly device: Device;
  readonly onClose: () => void;
}) {
  // Taken when the question is asked: what is confirmed is what was seen.
  const [ifMatch] = useState(devices.etag());
  async function remove(): Promise<void> {
    try {
      await call('DELETE', `/devices/${encodeURIComponent(device.id)}`, { ifMatch });
      say(`${device.name} was removed.`);
    } catch (thrown) {
      say(sentenceOf(thrown));
    }
    await devices.load();
  }
  return (
    <Confirm title={`Remove ${device.name}?`} action="Remove" onConfirm={remove} onClose={onClose}>
      <p>
        Its name stops resolving and its tunnel closes at once, on all your devices. To come back it
        has to be added again.
      </p>
    </Confirm>
  );
}
