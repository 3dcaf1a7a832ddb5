import {
  Refusal,
  type Connection,
  type Host,
  type Operations,
  type Shift,
  type Shop,
} from './host';
import { freshId } from './id';
import { MoneyFormat, type TaxMode } from './money';

/** What the backend says when the store itself is in trouble, not what was asked of it. */
const STORE_FAULTS = new Set<string>(['read_only', 'damaged', 'disk_full', 'io', 'not_a_store']);
/** What the backend only does on a store that is well. */
const PROOFS = new Set<string>(['checkout', 'open_shift']);

/** Where somebody works: the shop, the till and its shift, and whether the backend is there. */
export class Session {
  readonly #host: Host;
  /** The shop; `undefined` until it is known. */
  shop = $state.raw<Shop>();
  /** This till's open shift; `null` if it has none, `undefined` until it is known. */
  shift = $state.raw<Shift | null>();
  connection = $state<Connection>('up');
  /** What is wrong with the store, until something is written to it again. */
  fault = $state.raw<Refusal>();

  readonly settings = $derived(this.shop?.settings ?? undefined);
  readonly money = $derived(new MoneyFormat(this.settings?.currency ?? 'XXX'));
  readonly taxMode: TaxMode = $derived(this.settings?.taxMode ?? 'included');
  readonly categories = $derived(this.shop?.categories ?? []);

  /** The request that opens the next shift; sent again, it opens the same. */
  #openingId = freshId();

  constructor(host: Host) {
    this.#host = host;
    host.onConnection((connection) => (this.connection = connection));
  }

  /** Calls the backend, and takes note of what that tells about the store. */
  async call<N extends keyof Operations>(
    name: N,
    input: Operations[N]['input'],
  ): Promise<Operations[N]['output']> {
    try {
      const answer = await this.#host.call(name, input);
      if (PROOFS.has(name)) this.fault = undefined;
      return answer;
    } catch (failure) {
      if (failure instanceof Refusal && STORE_FAULTS.has(failure.code)) this.fault = failure;
      throw failure;
    }
  }

  /** Looks at the shop and the shift as they are now. */
  async refresh(): Promise<void> {
    const [shop, { shift }] = await Promise.all([this.call('shop', {}), this.call('shift', {})]);
    this.shop = shop;
    this.shift = shift;
  }

  /** Opens this till's shift with the cash in the drawer, in minor units. */
  async openShift(float: number): Promise<void> {
    await this.call('open_shift', { requestId: this.#openingId, float });
    this.#openingId = freshId();
    await this.refresh();
  }
}
