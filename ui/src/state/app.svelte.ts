/**
 * Who we are, what binds us, and whether the hub still answers.
 *
 * Rules held here: a new epoch drops everything shown before anything is fetched again; a lost session or a line that is
 * silent for 30 s never leaves old data looking live. Pages listen through `onChange`.
 */
import { Api, Problem, problemOf, type Purpose, type Session, type ViewDescription } from '../lib/api.ts';

const SILENCE = 30_000;
const EVENTS = ['hello', 'epoch', 'watermark', 'alert', 'notification', 'bye'] as const;

export type Change = 'epoch' | 'watermark' | 'alert' | 'notification' | 'session';
type Listener = (change: Change) => void;

class App {
  readonly api = new Api(document.baseURI);
  phase = $state<'starting' | 'out' | 'in' | 'unreachable'>('starting');
  session = $state.raw<Session | null>(null);
  view = $state.raw<ViewDescription | null>(null);
  epoch = $state(0);
  /** The last line of the polite live region. */
  said = $state('');
  /** "Agreements changed; this view was reloaded", until dismissed. */
  banner = $state('');
  /** Notifications this person has not seen. */
  unseen = $state(0);
  /** The hub has not been heard for 30 s. */
  offline = $state(false);
  private source: EventSource | null = null;
  private lastHeard = 0;
  private watch: ReturnType<typeof setInterval> | undefined;
  private readonly listeners = new Set<Listener>();

  constructor() {
    this.api.onSignedOut = () => this.signedOut();
  }

  /** Asks the hub who we are and, if somebody, what binds us; then listens. */
  async start(): Promise<void> {
    try {
      this.session = await this.api.session();
      this.epoch = this.session.epoch;
      this.phase = 'in';
      this.listen();
      void this.count();
      await this.describe();
    } catch (error) {
      const problem = problemOf(error);
      if (problem?.status === 401) this.signedOut();
      else if (this.phase !== 'in') this.phase = 'unreachable';
    }
  }

  /** Reads again what binds us. */
  async describe(): Promise<void> {
    try {
      this.view = await this.api.view();
      this.epoch = Math.max(this.epoch, this.view.epoch);
    } catch (error) {
      this.view = null;
      if (!(problemOf(error) instanceof Problem)) return;
    }
  }

  /** Reads again how many notifications wait; a hub without them has none. */
  async count(): Promise<void> {
    try {
      const found = await this.api.json<{ unseen: number }>('GET', 'api/notifications?limit=1');
      this.unseen = found.unseen ?? 0;
    } catch {
      this.unseen = 0;
    }
  }

  private notified(): void {
    void this.count();
    this.tell('notification');
  }

  onChange(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private tell(change: Change): void {
    for (const listener of this.listeners) listener(change);
  }

  /** Says one sentence to those who listen instead of look. */
  say(text: string): void {
    this.said = this.said === text ? `${text}\u00a0` : text;
  }

  /** Another purpose is another reader: everything is dropped and read again. */
  async switchPurpose(purpose: Purpose): Promise<void> {
    await this.api.switchPurpose(purpose);
    this.view = null;
    this.session = await this.api.session();
    this.epoch = this.session.epoch;
    this.tell('session');
    this.connect();
    await this.describe();
    this.say(`You now act for the purpose ${purpose}.`);
  }

  async signOut(): Promise<void> {
    await this.api.close().catch(() => undefined);
    this.signedOut();
  }

  private signedOut(): void {
    this.source?.close();
    this.source = null;
    clearInterval(this.watch);
    this.session = null;
    this.view = null;
    this.phase = 'out';
    this.tell('session');
  }

  private listen(): void {
    this.connect();
    clearInterval(this.watch);
    this.watch = setInterval(() => this.checkLine(), 5_000);
    addEventListener('offline', () => this.checkLine());
    addEventListener('online', () => this.connect());
  }

  private connect(): void {
    this.source?.close();
    this.heard();
    const source = new EventSource(this.api.at('api/stream'));
    this.source = source;
    source.onopen = () => this.heard();
    for (const kind of EVENTS)
      source.addEventListener(kind, (event) => this.hear(kind, (event as MessageEvent<string>).data));
  }

  private hear(kind: (typeof EVENTS)[number], data: string): void {
    this.heard();
    let said: { epoch?: number } = {};
    try {
      said = JSON.parse(data) as { epoch?: number };
    } catch {
      // A notice without a body still says that something happened.
    }
    if ((kind === 'epoch' || kind === 'hello') && typeof said.epoch === 'number') this.takeEpoch(said.epoch);
    else if (kind === 'watermark') this.tell('watermark');
    else if (kind === 'alert') this.tell('alert');
    else if (kind === 'notification') this.notified();
    else if (kind === 'bye') void this.recheck();
  }

  /** A change of agreements: drop, then read again. */
  takeEpoch(epoch: number): void {
    if (epoch === this.epoch) return;
    this.epoch = epoch;
    this.view = null;
    this.banner = 'Agreements changed; this view was reloaded.';
    this.say(this.banner);
    this.tell('epoch');
    void this.describe();
  }

  private heard(): void {
    this.lastHeard = performance.now();
    if (this.offline) {
      this.offline = false;
      this.say('The hub answers again.');
      this.tell('watermark');
    }
  }

  /** The stream reconnects by itself; what counts here is how long it has been down. */
  private checkLine(): void {
    if (this.source?.readyState === EventSource.OPEN) {
      this.lastHeard = performance.now();
      return;
    }
    if (this.source?.readyState === EventSource.CLOSED) void this.recheck();
    if (!this.offline && performance.now() - this.lastHeard > SILENCE) {
      this.offline = true;
      this.say('The hub does not answer. What you see may be out of date.');
    }
  }

  private async recheck(): Promise<void> {
    try {
      const session = await this.api.session();
      this.session = session;
      this.connect();
      this.takeEpoch(session.epoch);
    } catch (error) {
      if (problemOf(error)?.status === 401) this.signedOut();
    }
  }
}

export const app = new App();
