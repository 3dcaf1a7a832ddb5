import {
  Refusal,
  type Approval,
  type Colleague,
  type Connection,
  type Host,
  type Operations,
  type Shift,
  type Shop,
} from './host';
import { Intent } from './intent';
import { MoneyFormat, type PricingRules } from './money';
import { approved } from './staff/approval';

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
  /** Who may sign in here, as far as was asked. */
  staff = $state.raw<Colleague[]>([]);
  /** Whether there is more cash in the drawer than the shop wants there. */
  dropDue = $state(false);
  connection = $state<Connection>('up');
  /** What is wrong with the store, until something is written to it again. */
  fault = $state.raw<Refusal>();

  /** Who is at the till, if anyone is signed in. */
  readonly person = $derived(this.shop?.person ?? undefined);
  readonly settings = $derived(this.shop?.settings ?? undefined);
  readonly money = $derived(new MoneyFormat(this.settings?.currency ?? 'XXX'));
  /** By what rules a cart is priced. */
  readonly rules: PricingRules = $derived(this.settings ?? { taxMode: 'included' });
  readonly categories = $derived(this.shop?.categories ?? []);

  readonly #opening = new Intent();

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
      if (failure instanceof Refusal && failure.code === 'signed_out') this.#signedOut();
      throw failure;
    }
  }

  /** Looks at the shop and the shift as they are now. */
  async refresh(): Promise<void> {
    const shop = await this.call('shop', {});
    // What happens at a till is told only to who is signed in there.
    const state = shop.person ? await this.call('shift', {}) : undefined;
    this.shop = shop;
    this.shift = state?.shift;
    this.dropDue = state?.dropDue ?? false;
    // What is opened next is another shift, even if nobody heard that this one was.
    if (this.shift) this.#opening.renew();
  }

  /** Looks who may sign in here, or approve. */
  async refreshStaff(): Promise<void> {
    this.staff = await this.call('staff', {});
  }

  /** Signs someone in, in place of whoever is there. */
  async signIn(user: string, pin: string): Promise<void> {
    await this.call('sign_in', { user, pin });
    await this.refresh();
  }

  /** Lets nobody be at the till until someone signs in. What is on the screen stays as it is. */
  async signOut(): Promise<void> {
    await this.call('sign_out', {});
    this.#signedOut();
  }

  #signedOut(): void {
    if (this.shop) this.shop = { ...this.shop, person: null };
  }

  /** Opens this till's shift with the cash in the drawer, in minor units. */
  async openShift(float: number, approval?: Approval): Promise<void> {
    await this.#opening.send({ float }, (request) =>
      this.call('open_shift', approved(request, approval)),
    );
    await this.refresh();
  }
}
