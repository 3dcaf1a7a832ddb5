import { Refusal } from './host';
import { freshId } from './id';

/**
 * Something that somebody means to do once, however often it must be sent until an answer comes: the
 * same payload goes under the same id. Another payload is another act, and so is the same one after
 * an answer.
 */
export class Intent {
  #id = '';
  /** The payload that goes under this id, as JSON, if there is one. */
  #payload: string | undefined;

  /** Sends a payload with the `requestId` that is its own. */
  async send<P extends object, A>(
    payload: P,
    send: (request: P & { requestId: string }) => Promise<A>,
  ): Promise<A> {
    const text = JSON.stringify(payload);
    if (text !== this.#payload) {
      this.#id = freshId();
      this.#payload = text;
    }
    const requestId = this.#id;
    try {
      const answer = await send({ requestId, ...payload });
      this.#end(requestId);
      return answer;
    } catch (failure) {
      if (failure instanceof Refusal && failure.code === 'request_reused') this.#end(requestId);
      throw failure;
    }
  }

  /** Forgets what was sent: whatever is sent next is meant anew. */
  renew(): void {
    this.#payload = undefined;
  }

  #end(requestId: string): void {
    if (requestId === this.#id) this.renew();
  }
}
