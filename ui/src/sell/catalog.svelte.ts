import type { ProductOnHand } from '../host';
import type { Session } from '../session.svelte';
import { throttled } from '../throttle';

/** The least time between two looks at what changed elsewhere, in milliseconds. */
const LIVE_GAP_MS = 100;

/** What was found, and for what. */
interface Found {
  text: string;
  category: string;
  /** The products in their places on the screen. */
  products: ProductOnHand[];
  /** Whether there are more that fit. */
  more: boolean;
  /**
   * The one that fits the text best, wherever it stands; none if there is no text. Digits fit only
   * what has them as its SKU or barcode, never a name.
   */
  best: ProductOnHand | undefined;
}

/** The products that can be touched: what was searched for, or what sells in a category. */
export class Catalog {
  readonly #session: Session;
  /** What is typed into the search field. */
  text = $state('');
  /** Whether something was taken of what was found: what is typed next is another search. */
  isDone = $state(false);
  /** The category that is chosen; empty for all. */
  category = $state('');
  /** What was found last; `undefined` until the first answer. */
  found = $state.raw<Found>();
  /** Counts the questions, so that an answer that comes late is left aside. */
  #asked = 0;

  /** Looks again at what is shown, after something changed elsewhere. */
  readonly refresh: () => void;

  constructor(session: Session) {
    this.#session = session;
    this.refresh = throttled(() => this.#look(), LIVE_GAP_MS);
  }

  /** Searches for a text, in all categories. */
  search(text: string): void {
    this.type(text);
    this.ask();
  }

  /** Takes a text that is not searched for yet. */
  type(text: string): void {
    if (text !== '' && this.text === '') this.category = '';
    this.text = text;
    this.isDone = false;
  }

  /** Goes on with what is typed, or begins another search with it. */
  goOn(text: string): void {
    this.search(this.isDone ? text : this.text + text);
  }

  /** Remembers what is searched for; returns how to search for it again. */
  remember(): () => void {
    const { text, isDone } = this;
    return () => {
      if (this.text !== text) this.search(text);
      this.isDone = isDone;
    };
  }

  /** Shows everything again if something was taken of what was found. */
  leave(): void {
    if (this.isDone) this.search('');
  }

  /** Shows a category, of what is searched for. */
  choose(category: string): void {
    this.category = category;
    this.ask();
  }

  /** Asks for what the text and the category say now. */
  ask(): void {
    void this.#look();
  }

  /**
   * The best product for what is typed just now in the category that is chosen, however fast that
   * was: the one that the list marks, as soon as it is the answer to that.
   */
  async best(): Promise<ProductOnHand | undefined> {
    const { found } = this;
    const isAnswered = found?.text === this.text && found.category === this.category;
    return (isAnswered ? found : await this.#look())?.best;
  }

  async #look(): Promise<Found | undefined> {
    const asked = ++this.#asked;
    const { text, category } = this;
    try {
      const input = category === '' ? { text } : { text, category };
      const { products, more } = await this.#session.call('search', input);
      const best = bestOf(products, text.trim());
      const found = { text, category, products, more, best };
      if (asked === this.#asked) this.found = keepPlaces(this.found, found);
      return found;
    } catch {
      // What is shown stays; that the backend is away is told elsewhere.
      return undefined;
    }
  }
}

/** Whether a text can only be a code that somebody types: it is no part of a name. */
export function isCode(text: string): boolean {
  return /^\d+$/.test(text);
}

function bestOf(products: ProductOnHand[], text: string): ProductOnHand | undefined {
  if (!isCode(text)) return text === '' ? undefined : products[0];
  return products.find(({ id, barcodes }) => id === text || barcodes.includes(text));
}

/** Nothing moves under a finger because something was sold elsewhere. */
function keepPlaces(shown: Found | undefined, found: Found): Found {
  if (shown?.text !== found.text || shown.category !== found.category) return found;
  const fresh = new Map(found.products.map((product) => [product.id, product]));
  const kept = shown.products.flatMap(({ id }) => fresh.get(id) ?? []);
  const places = new Set(kept);
  const products = [...kept, ...found.products.filter((product) => !places.has(product))];
  return { ...found, products };
}
