import type { AnalysisEvent } from '@/lib/api/causal';
import { ApiError } from '@/lib/api/client';
import type { GenerationEvent } from '@/lib/api/generation';
import type { RunEvent, RunStateName } from '@/lib/api/schemas';

/** `idle` where nothing is known to be under way, `starting` from the press until the server speaks of it, then its word. */
export type JobState = 'idle' | 'starting' | RunStateName;

export const isUnderWay = (state: JobState): boolean =>
  state === 'starting' || state === 'queued' || state === 'running';

export const hasEnded = (state: JobState): boolean => state !== 'idle' && !isUnderWay(state);

/** A refusal, or no answer. */
export interface Failure {
  readonly message: string;
  readonly hint?: string;
}

export const failureOf = (error: unknown): Failure =>
  error instanceof ApiError
    ? { message: error.message, hint: error.hint }
    : { message: error instanceof Error ? error.message : String(error) };

type JobEvent = RunEvent | AnalysisEvent | GenerationEvent;

/** How far long work is. */
export interface Status<E extends JobEvent> {
  /** Empty until the server has named it. */
  readonly id: string;
  readonly state: JobState;
  readonly progress: Extract<E, { event: 'progress' }>['data'] | null;
  /** What the work itself says went wrong. */
  readonly error: string;
  /** Why it could not be asked for, followed or cancelled; a connection that is lost is tried again meanwhile. */
  readonly failure: Failure | null;
}

/** All of it as one sentence after another; empty where nothing went wrong. */
export const wordsOf = ({ error, failure }: Pick<Status<JobEvent>, 'error' | 'failure'>): string =>
  failure ? [failure.message, failure.hint].filter(Boolean).join(' ') : error;

/** How the server is asked about one sort of work. */
export interface Transport<E extends JobEvent> {
  /** Tells what happens, beginning with the whole state, again after a lost connection. Returns what stops it. */
  follow(id: string, tell: (event: E) => void, lost: (error: unknown) => void): () => void;
  /** Asks the server to stop; tells the whole state then. Without it the stream is the work: its end is that of the work. */
  cancel?(id: string): Promise<E>;
}

interface Opening {
  /** What it is taken to be before the server has spoken; default `idle`. */
  readonly state?: JobState;
  /** Called when the server does not know it (any more), after that has become its failure. */
  readonly gone?: () => void;
}

const NOTHING = { id: '', state: 'idle', progress: null, error: '', failure: null } as const;

/** What an event says of the work as a whole. */
function said(message: JobEvent): Partial<Status<JobEvent>> {
  switch (message.event) {
    case 'run':
    case 'analysis': {
      const { state, progress, error = '' } = message.data;
      return { state, progress, error };
    }
    case 'state':
      return { state: message.data.state, error: message.data.error ?? '' };
    case 'progress':
      return { progress: message.data };
    default:
      return {};
  }
}

/**
 * One place on the page for long work, a run, a batch, an analysis or a continuation: asks for it, follows it to its end,
 * cancels it. What is put in its place cancels what was under way there; what that says afterwards is heard no more.
 */
export class JobMachine<E extends JobEvent> {
  #status: Status<E> = NOTHING;
  /** Counts what has had this place. */
  #turn = 0;
  #stop: () => void = () => undefined;
  #isCancelled = false;
  #heard: E[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param changed called at every change of the status, with the events that led to it
   * @param gatherMs events that arrive within this time are one change
   */
  constructor(
    private readonly transport: Transport<E>,
    private readonly changed: (status: Status<E>, events: readonly E[]) => void,
    private readonly gatherMs = 0,
  ) {}

  get status(): Status<E> {
    return this.#status;
  }

  /** Asks for work; `ask` resolves to the name that the server gives it. */
  async start(ask: () => Promise<string>, gone?: Opening['gone']): Promise<void> {
    this.#abandon();
    const turn = this.#turn;
    this.#change({ ...NOTHING, state: 'starting' });
    try {
      const id = await ask();
      if (turn !== this.#turn) {
        this.transport.cancel?.(id).catch(() => undefined);
        return;
      }
      this.#follow(id, gone);
      if (this.#isCancelled) await this.#askToStop();
    } catch (error) {
      if (turn === this.#turn) this.#change({ state: 'error', failure: failureOf(error) });
    }
  }

  /** Shows work that the server has; what had this place goes on. */
  open(id: string, { state = 'idle', gone }: Opening = {}): void {
    this.#leave();
    this.#change({ ...NOTHING, state });
    this.#follow(id, gone);
  }

  /** Stops the work at its next step, or as soon as it has a name; what is finished stays. */
  async cancel(): Promise<void> {
    if (!isUnderWay(this.#status.state)) return;
    this.#isCancelled = true;
    if (!this.transport.cancel) {
      this.#leave();
      this.#change({ state: 'cancelled' });
    } else if (this.#status.id) await this.#askToStop();
  }

  /** Empties the place. */
  drop(): void {
    this.#abandon();
    this.#change(NOTHING);
  }

  #change(patch: Partial<Status<E>>, events: readonly E[] = []): void {
    this.#status = { ...this.#status, ...patch };
    this.changed(this.#status, events);
  }

  #follow(id: string, gone: Opening['gone']): void {
    const turn = this.#turn;
    this.#change({ id });
    const stop = this.transport.follow(
      id,
      (event) => {
        if (turn !== this.#turn) return;
        this.#heard.push(event);
        if (this.gatherMs === 0) this.#take();
        else this.#timer ??= setTimeout(() => this.#take(), this.gatherMs);
      },
      (error) => {
        if (turn !== this.#turn) return;
        const status = error instanceof ApiError ? error.status : 0;
        const isFinal = (status >= 400 && status < 500) || !this.transport.cancel;
        this.#change({ failure: failureOf(error), ...(isFinal && { state: 'error' as const }) });
        if (status === 404) gone?.();
      },
    );
    if (turn === this.#turn) this.#stop = stop;
    else stop();
  }

  /** Takes what was heard. */
  #take(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const events = this.#heard;
    this.#heard = [];
    const patch: Partial<Status<E>> = { failure: null };
    for (const event of events) Object.assign(patch, said(event));
    this.#change(patch, events);
  }

  async #askToStop(): Promise<void> {
    const turn = this.#turn;
    try {
      const event = await this.transport.cancel?.(this.#status.id);
      if (!event || turn !== this.#turn || !hasEnded(said(event).state ?? 'idle')) return;
      this.#heard.push(event);
      this.#take();
    } catch (error) {
      if (turn === this.#turn) this.#change({ failure: failureOf(error) });
    }
  }

  #abandon(): void {
    const { id, state } = this.#status;
    if (id && isUnderWay(state) && !this.#isCancelled) this.transport.cancel?.(id).catch(() => undefined);
    this.#leave();
  }

  #leave(): void {
    this.#turn++;
    this.#stop();
    this.#stop = () => undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#heard = [];
    this.#isCancelled = false;
  }
}
