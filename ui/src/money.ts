/**
 * Money, quantities and tax: whole numbers only, rounded half away from zero, by the same rules as
 * the backend. The screen shows what a cart comes to, and takes just that, before the backend has
 * decided it, so both must agree to the penny: the tests of both read one table of carts.
 *
 * Amounts are in minor units of the shop's currency, quantities in thousandths, rates in hundredths
 * of a percent.
 */

import type { ShopSettings } from './host';

/** One piece, or one kilogram. */
export const UNIT = 1000;

/** The largest amount a sum may reach: the largest whole number that JSON holds exactly. */
export const MAX_AMOUNT = Number.MAX_SAFE_INTEGER;

/** The rules of a shop by which a cart is priced. */
export type PricingRules = Pick<ShopSettings, 'taxMode' | 'taxRounding' | 'smallestCoin'>;

/** A line that is priced. */
export interface PricedLine {
  /** What it comes to, before tax that comes on top; `undefined` if that is too large. */
  amount: number | undefined;
  taxRate: number;
}

/** What a line or a receipt comes to; `gross` is what is paid, and `gross = net + tax`. */
export interface Amounts {
  gross: number;
  net: number;
  tax: number;
}

/** `quantity` at `price`, before tax that comes on top; `undefined` if it is too large to be exact. */
export function amountOfLine(price: number, quantity: number): number | undefined {
  return exact(scaled(BigInt(price), BigInt(quantity), BigInt(UNIT)));
}

/**
 * What lines come to. Their tax is rounded, on each line or on all lines of a rate together.
 * `undefined` if that is too large to be exact.
 */
export function amountsOf(lines: PricedLine[], rules: PricingRules): Amounts | undefined {
  const isIncluded = rules.taxMode === 'included';
  let sum = 0n;
  let tax = 0n;
  const taxed = (amount: bigint, rate: number): void => {
    const points = BigInt(rate);
    tax += scaled(amount, points, isIncluded ? 10_000n + points : 10_000n);
  };
  const byRate = new Map<number, bigint>();
  for (const line of lines) {
    if (line.amount === undefined) return undefined;
    const { taxRate } = line;
    const amount = BigInt(line.amount);
    sum += amount;
    if (rules.taxRounding === 'receipt') byRate.set(taxRate, (byRate.get(taxRate) ?? 0n) + amount);
    else taxed(amount, taxRate);
  }
  byRate.forEach(taxed);
  const [gross, net] = isIncluded ? [sum, sum - tax] : [sum + tax, sum];
  const amounts = { gross: exact(gross), net: exact(net), tax: exact(tax) };
  return Object.values(amounts).includes(undefined) ? undefined : (amounts as Amounts);
}

/** What is paid for an amount in cash: the nearest that coins can pay. */
export function inCash(amount: number, { smallestCoin = 1 }: PricingRules): number {
  const coin = BigInt(smallestCoin);
  return Number(scaled(BigInt(amount), 1n, coin) * coin);
}

function exact(amount: bigint): number | undefined {
  const limit = BigInt(MAX_AMOUNT);
  return amount > limit || amount < -limit ? undefined : Number(amount);
}

/** `value * numerator / denominator`, rounded half away from zero. */
function scaled(value: bigint, numerator: bigint, denominator: bigint): bigint {
  const product = value * numerator;
  const half = denominator / 2n;
  return (product < 0n ? product - half : product + half) / denominator;
}

/**
 * Reads what was typed, such as `12.5` or `.5`, with at most `decimals` places: 1250 with two.
 * `undefined` if it is no such number. What is not typed yet is nothing: `''` and `.` are 0.
 */
export function parseDecimal(text: string, decimals: number): number | undefined {
  const match = /^(\d*)(?:[.,](\d*))?$/.exec(text.trim());
  if (!match) return undefined;
  const [, whole = '', places = ''] = match;
  if (places.length > decimals) return undefined;
  const value = BigInt(whole + places.padEnd(decimals, '0') || '0');
  return value <= BigInt(MAX_AMOUNT) ? Number(value) : undefined;
}

/** A quantity as a person writes it: `3`, `1.5`. */
export function formatQuantity(thousandths: number, locale?: string): string {
  const key = locale ?? '';
  const format =
    quantityFormats.get(key) ?? new Intl.NumberFormat(locale, { maximumFractionDigits: 3 });
  quantityFormats.set(key, format);
  return format.format(decimalText(thousandths, 3));
}

/** One for each locale: to make one takes longer than to use it. */
const quantityFormats = new Map<string, Intl.NumberFormat>();

/** Writes amounts of one currency the way a place writes them. */
export class MoneyFormat {
  /** How many decimals the currency has. */
  readonly decimals: number;
  #format: Intl.NumberFormat;
  #whole: Intl.NumberFormat;

  constructor(
    readonly currency: string,
    locale?: string,
  ) {
    this.#format = new Intl.NumberFormat(locale, { style: 'currency', currency });
    this.decimals = this.#format.resolvedOptions().maximumFractionDigits ?? 2;
    this.#whole = new Intl.NumberFormat(locale, {
      style: 'currency',
      currency,
      maximumFractionDigits: 0,
    });
  }

  /** An amount: `£12.50`. */
  text(amount: number): string {
    return this.#format.format(decimalText(amount, this.decimals));
  }

  /** An amount, without decimals if it has none: `£20`. */
  short(amount: number): string {
    const isWhole = amount % 10 ** this.decimals === 0;
    return (isWhole ? this.#whole : this.#format).format(decimalText(amount, this.decimals));
  }

  /** Reads what was typed; `undefined` if it is no amount of this currency. */
  parse(text: string): number | undefined {
    return parseDecimal(text, this.decimals);
  }

  /** What was typed so far as an amount; decimals show only once they are begun. */
  typed(text: string): string {
    const [, places] = text.split(/[.,]/);
    const amount = this.parse(text) ?? 0;
    return places === undefined ? this.short(amount) : this.text(amount);
  }
}

/** An amount as a decimal text, which `Intl` reads exactly where a number might be rounded. */
function decimalText(amount: number, decimals: number): Intl.StringNumericLiteral {
  const digits = BigInt(Math.abs(amount))
    .toString()
    .padStart(decimals + 1, '0');
  const split = digits.length - decimals;
  const sign = amount < 0 ? '-' : '';
  const text = decimals === 0 ? digits : `${digits.slice(0, split)}.${digits.slice(split)}`;
  return `${sign}${text}` as Intl.StringNumericLiteral;
}

/**
 * What a customer is likely to hand over for an amount: the next notes and coins above it, four
 * at most, smallest first.
 */
export function likelyCash(amount: number, decimals: number): number[] {
  const unit = 10 ** decimals;
  const steps = [1, 5, 10, 20, 50, 100, 200, 500, 1000].map((step) => step * unit);
  const candidates = steps.map((step) => amount + ((step - (amount % step)) % step));
  const distinct = [...new Set(candidates)].filter((cash) => cash > amount);
  return distinct.sort((a, b) => a - b).slice(0, 4);
}
