import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  MoneyFormat,
  amountOfLine,
  amountsOf,
  formatQuantity,
  inCash,
  likelyCash,
  parseDecimal,
  type Amounts,
  type PricingRules,
} from './money';

const pounds = new MoneyFormat('GBP', 'en-GB');

/** Carts by the rules of shops, and what they come to: the backend's tests read the same table. */
const table = new URL('../../crates/pos/tests/fixtures/carts.jsonl', import.meta.url);
const carts = readFileSync(table, 'utf8').trim().split('\n');

describe('a cart', () => {
  test('comes to what the backend says, and so does its cash', () => {
    for (const text of carts) {
      const { lines, gross, net, tax, cash, ...rules } = JSON.parse(text) as PricingRules &
        Amounts & { lines: [number, number, number][]; cash: number };
      const priced = lines.map(([price, quantity, taxRate]) => ({
        amount: amountOfLine(price, quantity),
        taxRate,
      }));
      expect(amountsOf(priced, rules), text).toEqual({ gross, net, tax });
      expect(inCash(gross, rules), text).toBe(cash);
    }
    expect(carts.length).toBeGreaterThan(200);
  });

  test('is exact up to the largest amount, and has none beyond', () => {
    const rules = { taxMode: 'excluded' } as const;
    const amount = amountOfLine(999_999_999, 9_000_000_000);
    expect(amount).toBe(8_999_999_991_000_000);
    const line = { amount, taxRate: 0 };
    expect(amountsOf([line], rules)?.gross).toBe(8_999_999_991_000_000);
    expect(amountsOf([{ ...line, taxRate: 10 }], rules)).toBeUndefined();
    expect(amountsOf([line, line], rules)).toBeUndefined();
    const beyond = amountOfLine(999_999_999, 1_000_000_000_000);
    expect(beyond).toBeUndefined();
    expect(amountsOf([{ amount: beyond, taxRate: 0 }], rules)).toBeUndefined();
  });
});

test('a line is rounded half away from zero', () => {
  // 0.333 kg at 1.50 is 49.95 pence; half a piece at 0.01 and at 0.03.
  expect(amountOfLine(150, 333)).toBe(50);
  expect(amountOfLine(1, 500)).toBe(1);
  expect(amountOfLine(3, 500)).toBe(2);
  expect(amountOfLine(1, 499)).toBe(0);
  expect(amountOfLine(-1, 500)).toBe(-1);
});

describe('what is typed', () => {
  test.each([
    ['50', 5000],
    ['12.5', 1250],
    ['12.05', 1205],
    ['12,05', 1205],
    ['.5', 50],
    ['7.', 700],
    ['', 0],
    ['.', 0],
    ['9999999.99', 999_999_999],
    // As a floating point number this is 1.0049999…
    ['1.005', undefined],
    ['1.2.3', undefined],
    ['-5', undefined],
    ['1e3', undefined],
    ['90071992547409.92', undefined],
  ])('%j becomes %j', (text, amount) => {
    expect(pounds.parse(text)).toBe(amount);
  });

  test('is shown as far as it was typed', () => {
    expect(['', '5', '50', '50.', '50.5'].map((text) => pounds.typed(text))).toEqual([
      '£0',
      '£5',
      '£50',
      '£50.00',
      '£50.50',
    ]);
  });

  test('as a quantity has up to three places', () => {
    expect(parseDecimal('1.25', 3)).toBe(1250);
    expect(parseDecimal('0.0001', 3)).toBeUndefined();
  });
});

describe('an amount', () => {
  test('is written exactly, however large', () => {
    expect(pounds.text(999_999_999)).toBe('£9,999,999.99');
    expect(pounds.text(Number.MAX_SAFE_INTEGER)).toBe('£90,071,992,547,409.91');
    expect(pounds.text(-5)).toBe('-£0.05');
    expect(pounds.text(0)).toBe('£0.00');
  });

  test('follows its currency', () => {
    expect(new MoneyFormat('JPY', 'en-GB').text(1200)).toBe('JP¥1,200');
    expect(new MoneyFormat('JPY', 'en-GB').parse('1.5')).toBeUndefined();
    expect(new MoneyFormat('KWD', 'en-GB').parse('1.5')).toBe(1500);
  });

  test('leaves empty decimals off where there is little room', () => {
    expect([pounds.short(2000), pounds.short(2050)]).toEqual(['£20', '£20.50']);
  });
});

test('a quantity is written as a person writes it', () => {
  expect(
    [1000, 1500, 250, 12_000_000].map((quantity) => formatQuantity(quantity, 'en-GB')),
  ).toEqual(['1', '1.5', '0.25', '12,000']);
});

test('the cash that is likely handed over is more than the amount, and close to it', () => {
  expect(likelyCash(1275, 2)).toEqual([1300, 1500, 2000, 5000]);
  expect(likelyCash(2000, 2)).toEqual([5000, 10_000, 20_000, 50_000]);
  expect(likelyCash(99, 2)).toEqual([100, 500, 1000, 2000]);
  expect(likelyCash(0, 2)).toEqual([]);
});
