import type { Cart as StoredCart, Label, ProductOnHand, Refusal } from '../host';
import { freshId } from '../id';
import { UNIT, amountOfLine, amountsOf, type Amounts, type PricingRules } from '../money';

/** The most that one line may hold, in thousandths. */
export const MAX_QUANTITY = 1_000_000_000;

/** A product in the cart. */
export class Line {
  readonly kind = 'line';
  readonly id: string;
  /** Its SKU. */
  readonly product: string;
  readonly name: string;
  /** Its tax rate when it was put in. */
  readonly taxRate: number;
  /** The price of one unit when it was put in; what it is sold for unless that is too long ago. */
  scannedPrice = $state(0);
  /** How much, in thousandths. */
  quantity = $state(0);
  /** The label of a scale that it was scanned by, until its quantity is changed. */
  label = $state.raw<Label>();
  /** The product as it is now; `undefined` while that is not known. */
  known = $state.raw<ProductOnHand>();
  /** Why the last checkout was refused, if it was because of this line. */
  refusal = $state.raw<Refusal>();

  constructor(stored: StoredCart['lines'][number]) {
    this.id = stored.id;
    this.product = stored.product;
    this.name = stored.name;
    this.taxRate = stored.taxRate;
    this.scannedPrice = stored.scannedPrice;
    this.quantity = stored.quantity;
    this.label = stored.label;
  }

  /** What the line comes to, before tax that comes on top; `undefined` if that is too large. */
  get amount(): number | undefined {
    const price = this.label?.price;
    return price === undefined ? amountOfLine(this.scannedPrice, this.quantity) : price;
  }
}

/** A code that stands for no product, or for none yet. It stays until somebody deals with it. */
export class Stray {
  readonly kind = 'stray';
  readonly id = freshId();
  /**
   * Why it is no line: nothing has it, its check digit is wrong, it is a label that nothing can be
   * sold by, or it is still to be looked up.
   */
  state = $state<'unknown' | 'misread' | 'unusable' | 'waiting'>('waiting');
  /** What to do about it, in a sentence, if it is a label. */
  advice = $state('');
  /** Whether somebody took it out, perhaps before it was looked up. */
  isRemoved = false;

  constructor(readonly code: string) {}
}

export type Row = Line | Stray;

/** What is being sold, in the order in which it was scanned. */
export class Cart {
  /** The `requestId` of its checkout. */
  id = $state(freshId());
  rows = $state.raw<Row[]>([]);
  /** The row that keys and buttons act on. */
  selectedId = $state<string>();
  /** The age in years that somebody made sure the customer has. */
  ageChecked = $state<number>();
  #customer: string | undefined;
  readonly #rules: () => PricingRules;
  readonly #onChange: (cart: StoredCart) => void;

  readonly lines = $derived(this.rows.filter((row) => row instanceof Line));
  readonly strays = $derived(this.rows.filter((row) => row instanceof Stray));
  readonly selected = $derived(this.rows.find((row) => row.id === this.selectedId));
  /** What all lines come to; `undefined` if that is too large to be sold. */
  readonly total: Amounts | undefined = $derived.by(() => amountsOf(this.lines, this.#rules()));
  /** How much there is of each product, over all lines. */
  readonly wanted: ReadonlyMap<string, number> = $derived.by(() => {
    const wanted = new Map<string, number>();
    for (const { product, quantity } of this.lines)
      wanted.set(product, (wanted.get(product) ?? 0) + quantity);
    return wanted;
  });

  /** A cart that is priced by these rules; every change of its lines is told. */
  constructor(rules: () => PricingRules, onChange: (cart: StoredCart) => void) {
    this.#rules = rules;
    this.#onChange = onChange;
  }

  /** Begins the next cart. */
  begin(): void {
    this.#fill({ id: freshId(), lines: [] });
  }

  /** Goes on with a cart that was kept. */
  restore(stored: StoredCart): void {
    this.#fill(stored);
    this.selectedId = this.rows.at(-1)?.id;
  }

  /**
   * Puts a product in: one unit on the line that has it at this price, or on a new one with this
   * id; what has a label always on one of its own.
   */
  add(product: ProductOnHand, id = freshId(), label?: Label): Line {
    let line = label ? undefined : this.#lineFor(product);
    if (line) {
      line.quantity += UNIT;
      line.refusal = undefined;
    } else {
      line = new Line(newLine(product, id, label));
      this.rows = [...this.rows, line];
    }
    this.selectedId = line.id;
    this.know(product);
    this.#changed();
    return line;
  }

  /** The cart as it is kept once that is in. */
  storedWith(product: ProductOnHand, id: string, label?: Label): StoredCart {
    const { stored } = this;
    const at = label ? undefined : this.#lineFor(product)?.id;
    const lines =
      at === undefined
        ? [...stored.lines, newLine(product, id, label)]
        : stored.lines.map((l) => (l.id === at ? { ...l, quantity: l.quantity + UNIT } : l));
    return { ...stored, lines };
  }

  /** Puts a code in that stands for no product, unless it is in. */
  addStray(stray: Stray): void {
    if (this.rows.includes(stray)) return;
    this.rows = [...this.rows, stray];
    this.selectedId = stray.id;
  }

  /** Changes how much of a line there is, at most `MAX_QUANTITY`; nothing of it removes it. */
  setQuantity(line: Line, quantity: number): void {
    if (quantity <= 0) return this.remove(line);
    line.quantity = quantity;
    line.label = undefined;
    line.refusal = undefined;
    this.#changed();
  }

  /** Sells a line for another price: what the product costs now. */
  takeNewPrice(line: Line, price: number): void {
    line.scannedPrice = price;
    if (line.label?.price !== undefined && price > 0) {
      line.quantity = Math.round((line.label.price * UNIT) / price);
      line.label = { ...line.label, quantity: line.quantity };
    }
    line.refusal = undefined;
    this.#changed();
  }

  /** Notes that somebody made sure of the customer's age. */
  confirmAge(age: number): void {
    this.ageChecked = Math.max(age, this.ageChecked ?? 0);
    for (const line of this.lines)
      if (line.refusal?.details.action === 'check_age') line.refusal = undefined;
    this.#changed();
  }

  /** The age that a line asks for, if nobody made sure of it yet. */
  ageNeeded(line: Line): number | undefined {
    const needed = line.known?.minimumAge ?? 0;
    return needed > (this.ageChecked ?? 0) ? needed : undefined;
  }

  /** Takes a row out; the one after it, or else the one before, is selected. With the last the cart is over. */
  remove(row: Row): void {
    const at = this.rows.indexOf(row);
    if (at < 0) return;
    if (this.rows.length === 1) return this.clear();
    if (row instanceof Stray) row.isRemoved = true;
    this.rows = this.rows.toSpliced(at, 1);
    if (this.selectedId === row.id) this.selectedId = (this.rows[at] ?? this.rows[at - 1])?.id;
    if (row instanceof Line) this.#changed();
  }

  /** Goes on under an id of its own: the one it had belongs to something else. */
  renew(): void {
    this.id = freshId();
    this.#changed();
  }

  /** Goes on as the next cart, with what is left of it after this much of its products was sold. */
  keepUnsold(sold: readonly { product: string; quantity: number }[]): void {
    const taken = new Map<string, number>();
    for (const { product, quantity } of sold)
      taken.set(product, (taken.get(product) ?? 0) + quantity);
    for (const line of this.lines) {
      const gone = Math.min(taken.get(line.product) ?? 0, line.quantity);
      if (gone === 0) continue;
      taken.set(line.product, (taken.get(line.product) ?? 0) - gone);
      line.quantity -= gone;
      line.label = undefined;
    }
    this.rows = this.rows.filter((row) => row instanceof Stray || row.quantity > 0);
    // An empty cart is not kept: until there is another, the receipt can be found by this one.
    if (this.rows.length === 0) return this.begin();
    for (const line of this.lines) line.refusal = undefined;
    this.selectedId = this.rows.at(-1)?.id;
    this.renew();
  }

  /** Begins the next cart without having sold this one: nothing of it is left, not even the customer. */
  clear(): void {
    for (const stray of this.strays) stray.isRemoved = true;
    this.begin();
    this.#changed();
  }

  /** Selects the row so many further down, or up. */
  move(by: number): void {
    const at = this.rows.findIndex((row) => row.id === this.selectedId);
    const to = Math.min(Math.max(at + by, 0), this.rows.length - 1);
    this.selectedId = this.rows[to]?.id;
  }

  /** Learns what a product is like now. */
  know(product: ProductOnHand): void {
    for (const line of this.lines) if (line.product === product.id) line.known = product;
  }

  /** Marks the line that a checkout was refused for, and no other; tells whether there is one. */
  refuse(refusal: Refusal): boolean {
    const { line, product } = refusal.details;
    for (const other of this.lines) other.refusal = undefined;
    const refused =
      line === undefined
        ? this.lines.findLast((candidate) => candidate.product === product)
        : this.lines[line - 1];
    if (!refused) return false;
    refused.refusal = refusal;
    this.selectedId = refused.id;
    return true;
  }

  /** What is left of a product, if a line wants more; told on its last line only. */
  shortage(line: Line): number | undefined {
    const left = line.known?.onHand ?? undefined;
    if (left === undefined || (this.wanted.get(line.product) ?? 0) <= left) return undefined;
    const last = this.lines.findLast(({ product }) => product === line.product);
    return last === line ? Math.max(left, 0) : undefined;
  }

  /** The quantity at which a line leaves its product with no more than `left` in the cart. */
  reduced(line: Line, left: number): number {
    const elsewhere = (this.wanted.get(line.product) ?? 0) - line.quantity;
    return Math.max(left - elsewhere, 0);
  }

  /** The cart as it is kept, without codes that stand for nothing. */
  get stored(): StoredCart {
    const lines = this.lines.map(
      ({ id, product, quantity, scannedPrice, name, taxRate, label }) => ({
        id,
        product,
        quantity,
        scannedPrice,
        name,
        taxRate,
        ...(label === undefined ? {} : { label }),
      }),
    );
    const { id, ageChecked } = this;
    return {
      id,
      lines,
      ...(this.#customer === undefined ? {} : { customer: this.#customer }),
      ...(ageChecked === undefined ? {} : { ageChecked }),
    };
  }

  /** The line that can take another unit of a product. */
  #lineFor({ id, price }: ProductOnHand): Line | undefined {
    const line = this.lines.find((l) => l.product === id && l.scannedPrice === price && !l.label);
    return line && line.quantity <= MAX_QUANTITY - UNIT ? line : undefined;
  }

  #fill(stored: StoredCart): void {
    this.id = stored.id;
    this.#customer = stored.customer;
    this.ageChecked = stored.ageChecked;
    this.rows = stored.lines.map((line) => new Line(line));
    this.selectedId = undefined;
  }

  #changed(): void {
    this.#onChange(this.stored);
  }
}

/** A line with what the label says of a product, or with one unit of it. */
function newLine(product: ProductOnHand, id: string, label?: Label): StoredCart['lines'][number] {
  const { name, price, taxRate } = product;
  const quantity = label?.quantity ?? UNIT;
  const line = { id, product: product.id, quantity, scannedPrice: price, name, taxRate };
  return label ? { ...line, label } : line;
}
