/**
 * Takes a picture of every state of the sell screen, in the sizes and colours that it is made for,
 * into target/screenshots/. `node screenshots.mjs receipt` takes those with "receipt" in the name.
 */

import { chromium } from '@playwright/test';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { damage } from './damage.mjs';
import { LAUNCH, Shop, scan } from './shop.mjs';

const OUT = fileURLToPath(new URL('../../target/screenshots/', import.meta.url));
const SIZES = [
  { width: 1366, height: 768 },
  { width: 1920, height: 1080 },
];
const SCHEMES = ['light', 'dark'];

const MUG = '2000000000299';
const BIRD = '2000000002811';
const GREEN_CLOCK = '2000000001951';
const UMBRELLA = '2000000002903';
const KITCHEN = '2000000002071';
const SKITTLES = '2000000000787';
const BOX = '2000000002446';

/** A name as long as names are allowed to look good. */
const LONG_NAME =
  'Hand Painted Vintage Rose Porcelain Teapot With Bamboo Handle And Matching Sieve';

/** Each state: what it is called, and how a page gets there. */
const states = {
  async sell({ page }) {
    await scanAll(page, [MUG, BIRD, BIRD, BIRD, KITCHEN, BOX]);
  },
  async category({ page }) {
    await scanAll(page, [MUG, BIRD]);
    await page.getByRole('tab', { name: 'Kitchen & Table' }).click();
    await page.getByText('Antique Silver Tea Glass').waitFor();
  },
  async keyboard({ page }) {
    await scanAll(page, [MUG, BIRD]);
    await page.keyboard.press('F2');
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight']) await page.keyboard.press(key);
  },
  async empty() {},
  async quantity({ page }) {
    await scanAll(page, [MUG, BIRD]);
    await page.keyboard.type('12', { delay: 90 });
    await page.getByText('Quantity 12').waitFor();
  },
  async search({ page }) {
    await scanAll(page, [MUG]);
    await page.keyboard.press('F2');
    await page.keyboard.type('alarm', { delay: 90 });
  },
  async 'search-nothing'({ page }) {
    await page.keyboard.press('F2');
    await page.keyboard.type('zebra', { delay: 90 });
    await page.getByText('Nothing is called').waitFor();
  },
  async paying({ page }) {
    await scanAll(page, [MUG, BIRD, BIRD, KITCHEN, BOX]);
    await page.keyboard.press('F9');
  },
  async 'cash-given'({ page }) {
    await scanAll(page, [MUG, BIRD, BIRD, KITCHEN, BOX]);
    await page.keyboard.press('F9');
    await page.keyboard.type('50', { delay: 90 });
    await page.getByText('£50', { exact: true }).first().waitFor();
  },
  async 'cash-too-little'({ page }) {
    await scanAll(page, [MUG, BIRD, BIRD, KITCHEN, BOX]);
    await page.keyboard.press('F9');
    await page.keyboard.type('10', { delay: 90 });
    await page.getByText('Still to pay').waitFor();
  },
  async receipt({ page }) {
    await scanAll(page, [MUG, BIRD, BIRD, KITCHEN, BOX]);
    await page.keyboard.press('F9');
    await page.keyboard.type('50', { delay: 90 });
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Sold' }).waitFor();
  },
  async 'receipt-card'({ page }) {
    await scanAll(page, [UMBRELLA, BIRD]);
    await page.keyboard.press('F10');
    await page.getByRole('heading', { name: 'Sold' }).waitFor();
  },
  async 'after-a-sale'({ page }) {
    await scanAll(page, [UMBRELLA, KITCHEN, BIRD]);
    await page.keyboard.press('F12');
    await page.getByRole('heading', { name: 'Sold' }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Sold last' }).waitFor();
  },
  async short({ page }) {
    await scanAll(page, [MUG, GREEN_CLOCK, GREEN_CLOCK, GREEN_CLOCK]);
  },
  async 'refused-stock'({ page }) {
    await scanAll(page, [MUG, GREEN_CLOCK, GREEN_CLOCK, GREEN_CLOCK]);
    await page.keyboard.press('F12');
    await page.getByRole('button', { name: 'Why' }).waitFor();
  },
  async 'refused-limit'({ page }) {
    await scanAll(page, [BIRD, ...Array(7).fill(SKITTLES)]);
    await page.keyboard.press('F12');
    await page.getByRole('button', { name: 'Why' }).waitFor();
  },
  async why({ page }) {
    await scanAll(page, [MUG, GREEN_CLOCK, GREEN_CLOCK, GREEN_CLOCK]);
    await page.keyboard.press('F12');
    await page.getByRole('button', { name: 'Why' }).click();
    await page.getByRole('dialog').waitFor();
  },
  async 'sold-before'({ page, shop }) {
    await scanAll(page, [MUG, BIRD, BIRD, KITCHEN, BOX]);
    await shop.sellUnseen();
    await page.keyboard.press('F12');
    await page.getByRole('heading', { name: 'Sold before' }).waitFor();
  },
  'check-age': {
    prepare: (shop) => shop.act('set_age_rule', { product: '21071', minimumAge: 18 }),
    async reach({ page }) {
      await scanAll(page, [BIRD, MUG]);
      await page.getByText('Only for 18 and over').waitFor();
    },
  },
  async 'price-changed'({ page, shop }) {
    await scanAll(page, [MUG, BIRD]);
    await shop.act('change_price', { product: '84879', price: 189 }, 'T2');
    await page.getByText('The price is').waitFor();
  },
  async 'unknown-code'({ page }) {
    await scanAll(page, [MUG, BIRD]);
    await scan(page, '4006381333931');
    await page.getByText('Unknown code').first().waitFor();
    await scan(page, '2000000002812');
    await page.getByText('Misread').first().waitFor();
  },
  async clear({ page }) {
    await scanAll(page, [MUG, BIRD]);
    await page.getByRole('button', { name: 'Clear', exact: true }).click();
    await page.getByRole('dialog').waitFor();
  },
  async 'backend-lost'({ page, shop }) {
    await scanAll(page, [MUG, BIRD]);
    await shop.kill();
    await page.getByText('doesn’t answer').waitFor();
  },
  async damaged({ page, shop }) {
    await scanAll(page, [MUG, BIRD]);
    damage(shop);
    await page.keyboard.press('F12');
    await page.getByRole('alert').first().waitFor();
  },
  async waiting({ page, context }) {
    await scanAll(page, [MUG, BIRD]);
    await context.setOffline(true);
    await page.keyboard.press('F12');
    await page.getByText('doesn’t answer').waitFor();
    await scan(page, KITCHEN);
    await page.getByText('Waiting', { exact: true }).waitFor();
  },
  async 'another-window'({ page, context, url }) {
    const other = await context.newPage();
    await other.goto(url);
    await other.getByRole('button', { name: 'Use it here' }).click();
    await page.getByText('another window').waitFor();
  },
  'shift-closed': { open: false, async reach() {} },
  'shift-float': {
    open: false,
    async reach({ page }) {
      await page.keyboard.type('150', { delay: 90 });
      await page.getByText('£150', { exact: true }).first().waitFor();
    },
  },
  async 'sign-in'({ page }) {
    await page.getByRole('button', { name: 'Lock the till' }).click();
    await page.getByRole('button', { name: 'Priya Nair' }).click();
    for (const digit of '33') await page.keyboard.press(digit);
  },
  approval: {
    prepare: (shop) =>
      shop.act('change_role', { role: 'cashier', permissions: [], discountLimit: 0 }),
    async reach({ page }) {
      await scanAll(page, [MUG, BIRD]);
      await page.keyboard.press('F12');
      await page.getByRole('button', { name: 'Get approval' }).click();
      await page.getByRole('button', { name: 'Owen Price' }).click();
    },
  },
  async 'wrong-pin'({ page }) {
    await page.getByRole('button', { name: 'Lock the till' }).click();
    await page.getByRole('button', { name: 'Priya Nair' }).click();
    for (const digit of '9999') await page.keyboard.press(digit);
    await page.keyboard.press('Enter');
    await page.getByRole('alert').waitFor();
  },
  async 'close-shift'({ page }) {
    await page.getByRole('button', { name: 'Open since' }).click();
    await page.getByLabel('£20', { exact: true }).fill('4');
  },
  'drop-due': {
    prepare: (shop) => shop.payIn(25_000),
    async reach({ page }) {
      await page.getByText('A lot of cash is in the drawer').waitFor();
    },
  },
  drop: {
    prepare: (shop) => shop.payIn(25_000),
    async reach({ page }) {
      await page.getByRole('button', { name: 'Record a drop' }).click();
      await page.getByLabel('How much').fill('300');
    },
  },
  'not-set-up': { shop: () => Shop.empty(), open: false, async reach() {} },
  'long-texts': {
    async prepare(shop) {
      const product = { category: 'Kitchen & Table', cost: 100, taxRate: 2000 };
      const long = { sku: 'LONG1', name: LONG_NAME, price: 1250, ...product };
      const dear = { sku: 'DEAR1', name: 'A Diamond Necklace', price: 999_999_999, ...product };
      await shop.act('add_products', { products: [long, dear] });
      const lines = ['LONG1', 'DEAR1'].map((id) => ({ product: id, quantity: 9_000_000 }));
      await shop.act('receive_stock', { lines });
    },
    async reach({ page }) {
      await scanAll(page, [MUG]);
      for (const word of ['LONG1', 'DEAR1']) {
        await page.keyboard.press('F2');
        await page.keyboard.type(word, { delay: 60 });
        await page.keyboard.press('Enter');
        await page.locator(`[data-line=${word}]`).waitFor();
      }
      await page.keyboard.press('F2');
      await page.keyboard.type('hand', { delay: 60 });
    },
  },
  'long-cart': {
    prepare: (shop) => shop.keepLongCart(),
    async reach({ page }) {
      await page.locator('[data-row]').nth(499).waitFor();
    },
  },
};

async function scanAll(page, codes) {
  const total = page.getByLabel('Total');
  for (const code of codes) {
    const before = await total.textContent();
    await scan(page, code);
    await page.waitForFunction(
      (text) => document.querySelector('output[aria-label=Total]')?.textContent !== text,
      before,
    );
  }
}

const wanted = process.argv[2] ?? '';
mkdirSync(OUT, { recursive: true });
const browser = await chromium.launch(LAUNCH);
for (const [name, state] of Object.entries(states)) {
  if (!name.includes(wanted)) continue;
  const { shop: make = Shop.demo, open = true, prepare, reach = state } = state;
  const shop = make();
  const context = await browser.newContext({ locale: 'en-GB', viewport: SIZES[0] });
  try {
    if (open) await shop.open();
    await prepare?.(shop);
    const url = await shop.serve();
    const page = await context.newPage();
    await page.goto(url);
    await page.getByRole('main').waitFor();
    if (name !== 'not-set-up') await page.locator('.tile').first().waitFor();
    await reach({ page, context, shop, url });
    for (const viewport of SIZES) {
      for (const colorScheme of SCHEMES) {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        await page.waitForTimeout(150);
        const path = join(OUT, `${name}-${viewport.width}-${colorScheme}.png`);
        await page.screenshot({ path });
      }
    }
    console.log(name);
  } catch (error) {
    process.exitCode = 1;
    console.error(`${name}: ${error.message}`);
  } finally {
    await context.close();
    await shop.close();
  }
}
await browser.close();
