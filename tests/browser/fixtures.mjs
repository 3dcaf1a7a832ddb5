/** What the tests share: a shop that is open, and its till in a browser. */

import { test as base, expect } from '@playwright/test';
import { Shop, scan } from './shop.mjs';

export { Shop, expect, scan };

/** Products of the demo, by what the tests need them for. */
export const MUG = { id: '21071', code: '2000000000299', name: 'Vintage Billboard Drink Me Mug' };
export const BIRD = { id: '84879', code: '2000000002811', name: 'Assorted Colour Bird Ornament' };
/** There is one of it. */
export const CLOCK = { id: '22726', code: '2000000001951', name: 'Alarm Clock Bakelike Green' };
/** A receipt may have six of it. */
export const SKITTLES = { id: '21890', code: '2000000000787' };
/** There is none of it. */
export const CAKESTAND = { id: '22423', code: '2000000001395' };

/** The till as a cashier sees it. */
export class Till {
  constructor(page) {
    this.page = page;
    this.total = page.getByLabel('Total');
    this.search = page.getByRole('searchbox');
    this.receipt = page.getByRole('region', { name: 'Receipt', exact: true });
    this.tiles = page.getByRole('group', { name: 'Products' }).getByRole('button');
    this.recent = page.getByRole('region', { name: 'Sold last' }).getByRole('button');
  }

  async open(url) {
    await this.page.goto(url);
    await this.tiles.first().waitFor();
  }

  /** Chooses a name and enters a PIN, with the numpad or by keys. */
  async enterPin(name, pin, verb = 'Sign in') {
    await this.page.getByRole('group', { name: 'Staff' }).getByRole('button', { name }).click();
    await this.type(pin);
    await this.button(verb).click();
  }

  line({ id }) {
    return this.page.locator(`[data-line="${id}"]`);
  }

  tile({ id }) {
    return this.page.locator(`[data-product="${id}"]`);
  }

  /** The button that pays, or goes on, whatever its key is. */
  button(name) {
    return this.page.getByRole('button', { name, exact: true });
  }

  scan(product, options) {
    return scan(this.page, product.code ?? product, options);
  }

  /** Presses keys as fast as a person does. */
  async type(keys) {
    for (const key of keys) await this.page.keyboard.press(key, { delay: 60 });
    // Longer than the till waits to tell a person from a scanner.
    await this.page.waitForTimeout(160);
  }

  press(key) {
    return this.page.keyboard.press(key);
  }
}

/** Lets the next call of an operation be carried out, and its answer be lost. */
export function loseAnswer(page, operation) {
  const lose = async (route) => {
    await route.fetch();
    await route.abort();
  };
  return page.route(`**/api/call/${operation}`, lose, { times: 1 });
}

/** Answers the next call of an operation with a refusal; whatever else it says may be told too. */
export function refuseOnce(page, operation, code, { message = 'Not now.', ...details } = {}) {
  const json = { code, message, details: { because: [], ...details } };
  const answer = (route) => route.fulfill({ status: 422, json });
  return page.route(`**/api/call/${operation}`, answer, { times: 1 });
}

/** Goes to a button with the Tab key. */
export async function reach(till, name) {
  const button = till.page.getByRole('button', { name }).first();
  for (let presses = 0; presses < 100; presses++) {
    await till.press('Tab');
    if (await button.evaluate((element) => element === document.activeElement)) return;
  }
  throw new Error(`no Tab comes to ${name}`);
}

/** Lets every answer of an operation come late. */
export function slowDown(page, operation) {
  return page.route(`**/api/call/${operation}`, async (route) => {
    const response = await route.fetch();
    await new Promise((resolve) => setTimeout(resolve, 400));
    await route.fulfill({ response });
  });
}

export const test = base.extend({
  shop: async ({}, use) => {
    const shop = Shop.demo();
    await shop.open();
    await use(shop);
    await shop.close();
  },

  /** A till on the open shop. Whatever goes wrong in the page fails the test. */
  till: async ({ shop, page }, use) => {
    const errors = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) errors.push(message.text());
    });
    const till = new Till(page);
    await till.open(await shop.serve());
    await use(till);
    expect(errors).toEqual([]);
  },
});
