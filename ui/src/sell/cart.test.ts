import { beforeEach, describe, expect, test } from 'vitest';
import { Refusal, type ProductOnHand } from '../host';
import type { PricingRules } from '../money';
import { Cart, Stray } from './cart.svelte';

function product(id: string, price: number, onHand: number | null = 10_000): ProductOnHand {
  const rest = { category: '', cost: 0, taxRate: 2000, barcodes: [], limit: {} };
  return { id, name: `Product ${id}`, price, onHand, stocked: onHand !== null, ...rest };
}

let rules: PricingRules;
let saved: Cart['stored'][];
let cart: Cart;

beforeEach(() => {
  rules = { taxMode: 'included' };
  saved = [];
  cart = new Cart(
    () => rules,
    (stored) => saved.push(stored),
  );
});

const lines = () => cart.lines.map(({ product, quantity }) => [product, quantity]);

describe('a cart', () => {
  test('takes a product again onto the line that has it', () => {
    ['A', 'B', 'A'].forEach((id) => cart.add(product(id, 100)));
    expect(lines()).toEqual([
      ['A', 2000],
      ['B', 1000],
    ]);
    expect(cart.selected).toBe(cart.lines[0]);
  });

  test('keeps what was scanned at another price on a line of its own', () => {
    cart.add(product('A', 100));
    cart.add(product('A', 120));
    expect(lines()).toHaveLength(2);
    expect(cart.total?.gross).toBe(220);
  });

  test('adds up with tax inside or on top', () => {
    cart.setQuantity(cart.add(product('A', 120)), 2000);
    expect(cart.total).toEqual({ gross: 240, net: 200, tax: 40 });
    rules = { taxMode: 'excluded' };
    cart.add(product('B', 100));
    expect(cart.total).toEqual({ gross: 408, net: 340, tax: 68 });
  });

  test('comes to what the label of a scale says, until its quantity is changed', () => {
    const label = { code: '2300001008325', quantity: 450, price: 832 };
    const line = cart.add(product('CHEDDAR', 1850), undefined, label);
    expect([line.amount, cart.total?.gross]).toEqual([832, 832]);
    cart.setQuantity(line, 450);
    expect([line.amount, cart.total?.gross]).toEqual([833, 833]);
  });

  test('has no total when it is too large to be exact', () => {
    for (let index = 0; index < 10; index++)
      cart.setQuantity(cart.add(product(`P${index}`, 999_999_999)), 1_000_000_000);
    expect(cart.total).toBeUndefined();
  });

  test('goes on under another id with what is left when some of it was sold', () => {
    const [first] = ['A', 'B', 'C'].map((id) => cart.add(product(id, 100)));
    if (first) cart.setQuantity(first, 3000);
    const { id } = cart;
    cart.keepUnsold([
      { product: 'A', quantity: 1000 },
      { product: 'A', quantity: 1000 },
      { product: 'B', quantity: 1000 },
      { product: 'D', quantity: 1000 },
    ]);
    expect(lines()).toEqual([
      ['A', 1000],
      ['C', 1000],
    ]);
    expect(cart.id).not.toBe(id);
    expect(saved.at(-1)).toEqual(cart.stored);
    const saves = saved.length;
    cart.keepUnsold(cart.lines);
    expect(lines()).toEqual([]);
    expect(saved).toHaveLength(saves);
  });

  test('is told with every change, without codes that stand for nothing', () => {
    const line = cart.add(product('A', 100));
    cart.addStray(new Stray('4006381333931'));
    cart.setQuantity(line, 3000);
    expect(saved.map((stored) => stored.lines.map(({ quantity }) => quantity))).toEqual([
      [1000],
      [3000],
    ]);
    cart.setQuantity(line, 0);
    expect(saved.at(-1)?.lines).toEqual([]);
    expect(cart.rows).toHaveLength(1);
  });

  test('comes back as it was kept, and goes on under the same id', () => {
    rules = { taxMode: 'excluded' };
    cart.add(product('A', 100));
    cart.setQuantity(cart.add(product('B', 250)), 1500);
    const { stored } = cart;
    const other = new Cart(
      () => rules,
      () => undefined,
    );
    other.restore(stored);
    expect(other.stored).toEqual(stored);
    expect(other.total).toEqual(cart.total);
    expect(other.total?.tax).toBe(95);
    other.begin();
    expect(other.id).not.toBe(stored.id);
    expect(other.rows).toEqual([]);
  });

  test('selects the row below one that is removed, or else the one above', () => {
    const [a, b, c] = ['A', 'B', 'C'].map((id) => cart.add(product(id, 100)));
    if (!a || !b || !c) throw new Error('three lines were added');
    cart.selectedId = b.id;
    cart.remove(b);
    expect(cart.selected).toBe(c);
    cart.remove(c);
    expect(cart.selected).toBe(a);
    cart.remove(a);
    expect(cart.selected).toBeUndefined();
  });

  test('moves the selection within its rows', () => {
    ['A', 'B', 'C'].forEach((id) => cart.add(product(id, 100)));
    cart.move(5);
    expect(cart.selected).toBe(cart.lines[2]);
    cart.move(-1);
    expect(cart.selected).toBe(cart.lines[1]);
    cart.move(-5);
    expect(cart.selected).toBe(cart.lines[0]);
  });
});

describe('a product that runs short', () => {
  test('is told on its last line, and what goes is taken from there', () => {
    const first = cart.add(product('A', 100, 3000));
    cart.setQuantity(first, 2000);
    const second = cart.add(product('A', 120, 3000));
    cart.setQuantity(second, 3000);
    expect(cart.shortage(first)).toBeUndefined();
    expect(cart.shortage(second)).toBe(3000);
    expect(cart.reduced(second, 3000)).toBe(1000);
  });

  test('can be oversold already', () => {
    const line = cart.add(product('A', 100, -2000));
    expect(cart.shortage(line)).toBe(0);
    expect(cart.reduced(line, 0)).toBe(0);
  });

  test('is none if it holds no stock', () => {
    expect(cart.shortage(cart.add(product('POST', 300, null)))).toBeUndefined();
  });
});

describe('a refusal', () => {
  const refusal = (details: Partial<Refusal['details']>) =>
    new Refusal({ code: 'out_of_stock', message: 'No.', details: { because: [], ...details } });

  test('goes to the line that it names, counted without codes', () => {
    cart.addStray(new Stray('4006381333931'));
    cart.add(product('A', 100));
    const second = cart.add(product('B', 100));
    expect(cart.refuse(refusal({ line: 2 }))).toBe(true);
    expect(second.refusal?.message).toBe('No.');
    cart.setQuantity(second, 500);
    expect(second.refusal).toBeUndefined();
  });

  test('that names no line is none of theirs, and the one before is over', () => {
    const line = cart.add(product('A', 100));
    cart.refuse(refusal({ line: 1 }));
    expect(cart.refuse(refusal({}))).toBe(false);
    expect(line.refusal).toBeUndefined();
  });
});

describe('an age check', () => {
  test('is for the whole cart, kept with it, and over with it', () => {
    const wine = cart.add({ ...product('WINE', 900), minimumAge: 16 });
    const gin = cart.add({ ...product('GIN', 2000), minimumAge: 18 });
    expect([cart.ageNeeded(wine), cart.ageNeeded(gin)]).toEqual([16, 18]);
    cart.confirmAge(18);
    cart.confirmAge(16);
    expect([cart.ageNeeded(wine), cart.ageNeeded(gin)]).toEqual([undefined, undefined]);
    expect(saved.at(-1)?.ageChecked).toBe(18);
    cart.begin();
    expect(cart.stored.ageChecked).toBeUndefined();
  });

  test.each(['cleared', 'left without a row'])('is over when the cart is %s', (how) => {
    cart.restore({ id: 'OLD', lines: [], customer: 'ANN' });
    const wine = cart.add({ ...product('WINE', 900), minimumAge: 18 });
    cart.confirmAge(18);
    if (how === 'cleared') cart.clear();
    else cart.remove(wine);
    expect(saved.at(-1)).toEqual({ id: cart.id, lines: [] });
    expect(cart.id).not.toBe('OLD');
  });
});
