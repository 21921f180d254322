/**
 * Questions: what is asked, as it is asked. Newest first; while somebody reads further down, or
 * after Pause, new ones wait behind a button, so that nothing moves under their eyes.
 */

import { computed, effect, signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import type { DecisionView, QuestionView } from '../../schema.ts';
import { ApiProblem, call, sentenceOf } from '../api.ts';
import { Icon } from '../icons.tsx';
import { Button, Dialog, Empty, Failure, Heading } from '../parts.tsx';
import { isLive, questionListeners } from '../state.ts';
import { plural, timeOfDay } from '../words.ts';

/** More rows than anybody reads; more would make a phone slow. */
const MAX_ROWS = 200;
/** Events are shown in batches: a busy network asks hundreds of times a second. */
const BATCH_MS = 200;
/** Further down than this, somebody is reading. */
const READING_PX = 120;

const shown = signal<readonly QuestionView[]>([]);
const waiting = signal<readonly QuestionView[]>([]);
const isPaused = signal(false);
const isReading = signal(false);
const filter = signal('');
const visible = computed(() => {
  const wanted = filter.value.trim().toLowerCase();
  return wanted === '' ? shown.value : shown.value.filter((each) => textOf(each).includes(wanted));
});

export function Questions() {
  const [failure, setFailure] = useState<ApiProblem | undefined>(undefined);
  const [isLoaded, setLoaded] = useState(false);
  const [asked, setAsked] = useState<QuestionView | undefined>(undefined);
  async function load(): Promise<void> {
    try {
      const { value } = await call<{ questions: readonly QuestionView[] }>('GET', '/questions', {
        isBackground: isLoaded,
      });
      take(value.questions);
      setFailure(undefined);
      setLoaded(true);
    } catch (thrown) {
      if (!(thrown instanceof ApiProblem)) throw thrown;
      setFailure(thrown);
    }
  }
  useEffect(follow, []);
  // At first, and after every time without events: some questions were not heard then.
  useEffect(() => void load(), [isLive.value]);
  return (
    <>
      <Heading action={<Live />}>Questions</Heading>
      <Toolbar />
      {failure === undefined ? null : <Failure problem={failure} retry={() => void load()} />}
      {waiting.value.length === 0 ? null : (
        <div class="waiting">
          <Button icon="up" look="primary" onClick={catchUp}>
            {plural(waiting.value.length, 'new question')}
          </Button>
        </div>
      )}
      {visible.value.length === 0 && isLoaded ? <Nothing /> : null}
      <ul class="log" aria-label="Questions, newest first">
        {visible.value.map((question) => (
          <Row key={keyOf(question)} question={question} onWhy={() => setAsked(question)} />
        ))}
      </ul>
      {asked === undefined ? null : <Why question={asked} onClose={() => setAsked(undefined)} />}
    </>
  );
}

function Live() {
  return (
    <span class={`state ${isLive.value ? 'up' : 'pending'}`}>
      {isLive.value ? 'Live' : 'Connecting'}
    </span>
  );
}

function Toolbar() {
  return (
    <search class="toolbar">
      <input
        type="search"
        aria-label="Filter by name, device, type or result"
        placeholder="Filter"
        value={filter.value}
        onInput={(event) => {
          filter.value = event.currentTarget.value;
        }}
      />
      <Button
        icon={isPaused.value ? 'play' : 'pause'}
        isPressed={isPaused.value}
        onClick={() => {
          isPaused.value = !isPaused.value;
        }}
      >
        Pause
      </Button>
    </search>
  );
}

function Nothing() {
  return filter.value === '' ? (
    <Empty title="Nobody has asked yet">Questions appear here the moment they are asked.</Empty>
  ) : (
    <Empty title="No question fits">None of the last questions contains “{filter.value}”.</Empty>
  );
}

function Row({ question, onWhy }: { readonly question: QuestionView; readonly onWhy: () => void }) {
  const { name, type, asker, rcode, from, milliseconds, at, ede } = question;
  const isRefused = from === 'policy' || rcode === 'REFUSED';
  return (
    <li class="question">
      <span class="row-main">
        <span class="asked">
          <strong>{name.replace(/(?<=.)\.$/, '')}</strong> <span class="type">{type}</span>
        </span>
        <span class="muted small">
          <time dateTime={new Date(at * 1000).toISOString()}>{timeOfDay(at)}</time>
          {' · '}
          {asker.device ?? asker.address}
          {' · '}
          <span class={isRefused ? 'bad-text' : undefined}>{resultOf(rcode, from)}</span>
          {milliseconds >= 1 ? ` · ${Math.round(milliseconds)} ms` : ''}
          {ede === undefined ? '' : ` · ${ede.text}`}
        </span>
      </span>
      <button class="button link" type="button" onClick={onWhy}>
        Why?<span class="hidden"> {name}</span>
      </button>
    </li>
  );
}

function Why({
  question,
  onClose,
}: {
  readonly question: QuestionView;
  readonly onClose: () => void;
}) {
  const [decision, setDecision] = useState<DecisionView | undefined>(undefined);
  const [failure, setFailure] = useState<string | undefined>(undefined);
  useEffect(() => {
    const query = new URLSearchParams({
      name: question.name,
      asker: question.asker.device ?? question.asker.address,
      verb: 'resolve',
      at: String(Math.floor(question.at)),
    });
    call<DecisionView>('GET', `/why?${query}`).then(
      ({ value }) => setDecision(value),
      (thrown: unknown) => setFailure(sentenceOf(thrown)),
    );
  }, [question]);
  return (
    <Dialog title={`Why ${question.name.replace(/(?<=.)\.$/, '')}?`} onClose={onClose}>
      <div class="decision" aria-live="polite">
        {failure === undefined ? null : <p class="bad-text">{failure}</p>}
        {decision === undefined ? (
          <p class="muted">{failure === undefined ? 'Asking…' : ''}</p>
        ) : (
          <Decision decision={decision} />
        )}
        {/* What policy allows can still fail, or be refused by the zone itself. */}
        {decision === undefined || question.from === 'policy' ? null : (
          <p>
            The answer: {resultOf(question.rcode, question.from)}
            {question.ede === undefined ? '' : ` (${question.ede.text})`}.
          </p>
        )}
      </div>
      <div class="actions">
        <Button look="primary" onClick={onClose}>
          Close
        </Button>
      </div>
    </Dialog>
  );
}

function Decision({ decision }: { readonly decision: DecisionView }) {
  return (
    <>
      <p class={decision.effect === 'allow' ? 'verdict good' : 'verdict bad'}>
        <Icon name={decision.effect === 'allow' ? 'check' : 'close'} />
        {decision.effect === 'allow' ? 'Allowed' : 'Denied'}
      </p>
      <p>{decision.sentence}</p>
      <p class="muted small">
        {decision.rule === undefined ? 'No rule' : `Rule ${decision.rule}`}
        {decision.tier === undefined ? '' : `, ${decision.tier} tier`}
      </p>
    </>
  );
}

/** Listens for as long as the screen is open. Returns how to stop. */
function follow(): () => void {
  let batch: QuestionView[] = [];
  const timer = setInterval(() => {
    if (batch.length > 0) take(batch);
    batch = [];
  }, BATCH_MS);
  const listener = (question: QuestionView) => void batch.push(question);
  const onScroll = () => {
    isReading.value = scrollY > READING_PX;
  };
  questionListeners.add(listener);
  addEventListener('scroll', onScroll, { passive: true });
  // Back at the top and not paused: what waited joins the rest.
  const stop = effect(() => {
    if (!isPaused.value && !isReading.value && waiting.peek().length > 0) release();
  });
  return () => {
    stop();
    clearInterval(timer);
    questionListeners.delete(listener);
    removeEventListener('scroll', onScroll);
  };
}

/** Shows what is new, or lets it wait. */
function take(questions: readonly QuestionView[]): void {
  const known = new Set(shown.peek().map(keyOf));
  const fresh = questions.filter((each) => !known.has(keyOf(each)));
  if (fresh.length === 0) return;
  const isHeld = shown.peek().length > 0 && (isPaused.peek() || isReading.peek());
  const target = isHeld ? waiting : shown;
  target.value = merged(fresh, target.peek());
}

function catchUp(): void {
  isPaused.value = false;
  release();
  scrollTo(0, 0);
  document.querySelector<HTMLElement>('main h1')?.focus({ preventScroll: true });
}

function release(): void {
  shown.value = merged(waiting.peek(), shown.peek());
  waiting.value = [];
}

function merged(
  more: readonly QuestionView[],
  old: readonly QuestionView[],
): readonly QuestionView[] {
  return newestFirst([...new Map([...old, ...more].map((each) => [keyOf(each), each])).values()]);
}

function newestFirst(questions: readonly QuestionView[]): readonly QuestionView[] {
  return [...questions].sort((a, b) => b.at - a.at || b.id - a.id).slice(0, MAX_ROWS);
}

/** Numbers start again with nymote; with the time they stay apart. */
function keyOf({ id, at }: QuestionView): string {
  return `${id} ${at}`;
}

function textOf({ name, type, asker, rcode, from }: QuestionView): string {
  return `${name} ${type} ${asker.device ?? ''} ${asker.address} ${rcode} ${from}`.toLowerCase();
}

function resultOf(rcode: string, from: QuestionView['from']): string {
  const results = {
    NOERROR: 'answered',
    NXDOMAIN: 'no such name',
    SERVFAIL: 'failed',
    REFUSED: 'refused',
  };
  const result = results[rcode as keyof typeof results] ?? rcode;
  const source = {
    zone: 'own zone',
    cache: 'cache',
    recursion: 'recursion',
    forward: 'forwarder',
    policy: 'policy',
  }[from];
  return `${result}, ${source}`;
}
