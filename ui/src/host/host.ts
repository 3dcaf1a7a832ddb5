/**
 * The one door to the backend. The window of the desktop app and a page of `opossum serve` open it
 * in their own ways; nothing else in the app knows which of the two it runs in.
 */

import type { Operations, TillError } from './types';

/** What the backend can be asked and told, by name. */
export interface Host {
  /**
   * Calls an operation. Fails with a {@link Refusal} if the backend says no, and with {@link Unreachable}
   * if it says nothing, in which case it may or may not have been done.
   */
  call<N extends keyof Operations>(
    name: N,
    input: Operations[N]['input'],
  ): Promise<Operations[N]['output']>;

  /** Tells of every change of the shop's history, whoever made it; returns how to stop. */
  onChange(listener: (head: number) => void): () => void;

  /** Tells whether the backend can be reached, now and whenever it changes. */
  onConnection(listener: (connection: Connection) => void): () => void;
}

/** Whether the backend can be reached; `refused` if it doesn't want to be by this page. */
export type Connection = 'up' | 'down' | 'refused';

/** The backend's no. */
export class Refusal extends Error implements TillError {
  readonly code: TillError['code'];
  readonly details: TillError['details'];

  constructor({ code, message, details }: TillError) {
    super(message);
    this.name = 'Refusal';
    this.code = code;
    this.details = details;
  }
}

/** No answer came. */
export class Unreachable extends Error {
  override name = 'Unreachable';
}

/** Whether an answer has the shape of the backend's errors. */
export function isTillError(answer: unknown): answer is TillError {
  return (
    typeof answer === 'object' &&
    answer !== null &&
    typeof (answer as TillError).code === 'string' &&
    typeof (answer as TillError).message === 'string'
  );
}
