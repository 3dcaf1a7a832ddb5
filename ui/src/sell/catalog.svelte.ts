import type { ProductOnHand } from '../host';
import type { Session } from '../session.svelte';
import { throttled } from '../throttle';

/** The least time between two looks at what changed elsewhere, in milliseconds. */
const LIVE_GAP_MS = 100;

/** The products that can be touched: what was searched for, or what sells in a category. */
export class Catalog {
  readonly #session: Session;
  /** What is typed into the search field. */
  text = $state('');
  /** The category that is chosen; empty for all. */
  category = $state('');
  /** What was found, the best first; `undefined` until the first answer. */
  products = $state.raw<ProductOnHand[]>();
  /** Counts the questions, so that an answer that comes late is left aside. */
  #asked = 0;

  /** Looks again at what is shown, with the products in their places. */
  readonly refresh: () => void;

  constructor(session: Session) {
    this.#session = session;
    this.refresh = throttled(() => this.#look(keepPlaces), LIVE_GAP_MS);
  }

  /** Searches for a text, in all categories. */
  search(text: string): void {
    if (text !== '' && this.text === '') this.category = '';
    this.text = text;
    this.ask();
  }

  /** Shows a category, of what is searched for. */
  choose(category: string): void {
    this.category = category;
    this.ask();
  }

  /** Asks for what the text and the category say now. */
  ask(): void {
    void this.#look((_, found) => found);
  }

  /** The best product for what is typed just now, however fast that was. */
  async best(): Promise<ProductOnHand | undefined> {
    const { text } = this;
    const { products } = await this.#session.call('search', { text, limit: 1 });
    return products[0];
  }

  async #look(
    arrange: (shown: ProductOnHand[], found: ProductOnHand[]) => ProductOnHand[],
  ): Promise<void> {
    const asked = ++this.#asked;
    const { text, category } = this;
    const input = category === '' ? { text } : { text, category };
    try {
      const { products } = await this.#session.call('search', input);
      if (asked === this.#asked) this.products = arrange(this.products ?? [], products);
    } catch {
      // What is shown stays; that the backend is away is told elsewhere.
    }
  }
}

/** Nothing moves under a finger because something was sold elsewhere. */
function keepPlaces(shown: ProductOnHand[], found: ProductOnHand[]): ProductOnHand[] {
  const fresh = new Map(found.map((product) => [product.id, product]));
  const kept = shown.flatMap(({ id }) => fresh.get(id) ?? []);
  const places = new Set(kept);
  return [...kept, ...found.filter((product) => !places.has(product))];
}
