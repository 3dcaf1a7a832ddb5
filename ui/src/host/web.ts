import { Refusal, Unreachable, isTillError, type Connection, type Host } from './host';
import type { Operations } from './types';

/** How long an answer may take, in milliseconds: longer than the backend waits for its store. */
const PATIENCE_MS = 15_000;
/** How long to wait before looking for a lost backend again, in milliseconds. */
const RETRY_MS = 500;

/** The backend behind `opossum serve`. */
export class WebHost implements Host {
  readonly #token: string;
  readonly #onChange = new Set<(head: number) => void>();
  readonly #onConnection = new Set<(connection: Connection) => void>();
  #connection: Connection = 'up';
  #stream: EventSource | undefined;

  /** Opens the door with the token that the address of the page carries. */
  constructor(token: string) {
    this.#token = token;
    this.#listen();
  }

  async call<N extends keyof Operations>(
    name: N,
    input: Operations[N]['input'],
  ): Promise<Operations[N]['output']> {
    try {
      return await this.#ask(name, input);
    } catch (failure) {
      if (failure instanceof Unreachable) this.#lost();
      throw failure;
    }
  }

  onChange(listener: (head: number) => void): () => void {
    this.#onChange.add(listener);
    return () => this.#onChange.delete(listener);
  }

  onConnection(listener: (connection: Connection) => void): () => void {
    this.#onConnection.add(listener);
    listener(this.#connection);
    return () => this.#onConnection.delete(listener);
  }

  async #ask<N extends keyof Operations>(
    name: N,
    input: Operations[N]['input'],
  ): Promise<Operations[N]['output']> {
    let response: Response;
    let answer: unknown;
    try {
      response = await fetch(`/api/call/${name}`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${this.#token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify(input),
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      answer = await response.json();
    } catch (cause) {
      throw new Unreachable(`no answer to ${name}`, { cause });
    }
    if (response.ok) return answer as Operations[N]['output'];
    if (response.status === 401 || response.status === 403) this.#become('refused');
    if (isTillError(answer)) throw new Refusal(answer);
    throw new Unreachable(`the answer to ${name} makes no sense`);
  }

  /** Listens for changes, which also tells at once when the backend goes away. */
  #listen(): void {
    const stream = new EventSource(`/api/changes?token=${encodeURIComponent(this.#token)}`);
    this.#stream = stream;
    stream.onopen = () => this.#become('up');
    stream.onmessage = (event: MessageEvent<string>) => {
      const { head } = JSON.parse(event.data) as { head: number };
      this.#onChange.forEach((listener) => listener(head));
    };
    stream.onerror = () => this.#lost();
  }

  /** Looks for the backend until it is there again. */
  #lost(): void {
    if (!this.#stream) return;
    this.#stream.close();
    this.#stream = undefined;
    if (this.#connection === 'up') this.#become('down');
    const look = async () => {
      try {
        await this.#ask('shift', {});
        this.#listen();
      } catch (failure) {
        if (this.#connection === 'refused') return;
        if (failure instanceof Refusal) this.#listen();
        else setTimeout(() => void look(), RETRY_MS);
      }
    };
    setTimeout(() => void look(), RETRY_MS);
  }

  #become(connection: Connection): void {
    if (connection === this.#connection) return;
    this.#connection = connection;
    this.#onConnection.forEach((listener) => listener(connection));
  }
}
