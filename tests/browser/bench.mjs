/**
 * How long a cashier waits in the browser, with 50,000 products. Prints medians and 95th percentiles
 * in milliseconds as JSON.
 *
 * A scan is measured from the Enter that ends it to the frame in which its line is painted, a
 * keystroke from the key to the frame in which the list is.
 */

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import { LAUNCH, OPOSSUM, Shop, scan } from './shop.mjs';

const PRODUCTS = 50_000;
const SAMPLES = 40;
/** Each letter alone, and away again: every stroke changes the list. */
const TYPED = 'rvspemlbwcdt';

/**
 * Runs in the page: begins to measure from the next such key until what it changes is painted;
 * `awaited` is a selector of what must be there then, within `where`.
 */
function measure([key, where, awaited]) {
  window.measured = new Promise((resolve) => {
    let start;
    const isThere = () => !awaited || document.querySelector(awaited) !== null;
    const observer = new MutationObserver(() => {
      if (start === undefined || !isThere()) return;
      observer.disconnect();
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => resolve(performance.now() - start);
        port2.postMessage(undefined);
      });
    });
    const onKey = (event) => {
      if (event.key !== key) return;
      start = performance.now();
      removeEventListener('keydown', onKey, true);
    };
    addEventListener('keydown', onKey, true);
    observer.observe(document.querySelector(where), {
      subtree: true,
      childList: true,
      characterData: true,
    });
  });
}

/** A GTIN-13 of the range that shops use for themselves. */
function barcode(number) {
  const body = `2${String(number).padStart(11, '0')}`;
  const sum = [...body].reduce((sum, digit, at) => sum + Number(digit) * (at % 2 ? 3 : 1), 0);
  return body + String((10 - (sum % 10)) % 10);
}

/** A demo shop with many more products, some of them on the shelf. */
async function largeShop(codes) {
  const shop = Shop.demo();
  const kinds = ['Red Mug', 'Vintage Lantern', 'Small Basket', 'Paper Bag', 'Enamel Bowl'];
  const row = (_, n) =>
    `N${n},${kinds[n % 5]} ${n},${kinds[n % 5]},${(n % 900) / 100 + 1},${barcode(500_000 + n)}`;
  const rows = ['sku,name,category,price,barcode', ...Array.from({ length: PRODUCTS }, row)];
  const file = join(shop.data, 'products.csv');
  writeFileSync(file, rows.join('\n'));
  execFileSync(OPOSSUM, ['till', '--data', shop.data, 'import', 'products', file]);
  await shop.open();
  await shop.act('receive_stock', {
    lines: codes.map(({ product }) => ({ product, quantity: 9_000 })),
  });
  return shop;
}

function figures(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share) => Number(sorted[Math.ceil(share * sorted.length) - 1].toFixed(1));
  return { median: at(0.5), p95: at(0.95), samples: sorted.length };
}

const codes = Array.from({ length: SAMPLES }, (_, n) => {
  const at = Math.floor((n * PRODUCTS) / SAMPLES);
  return { product: `N${at}`, code: barcode(500_000 + at) };
});
const shop = await largeShop(codes);
const browser = await chromium.launch(LAUNCH);
try {
  const page = await browser.newPage({
    viewport: { width: 1366, height: 768 },
  });
  await page.goto(await shop.serve());
  await page.getByRole('group', { name: 'Products' }).getByRole('button').first().waitFor();
  /** Presses something, and tells how long the page took. */
  const timed = async (measured, press) => {
    await page.evaluate(measure, measured);
    await press();
    return page.evaluate(() => window.measured);
  };
  const scans = [];
  for (const { product, code } of codes) {
    const line = `[data-line="${product}"]`;
    scans.push(await timed(['Enter', 'body', line], () => scan(page, code)));
  }
  await page.keyboard.press('F2');
  const strokes = [];
  for (const key of [...TYPED].flatMap((letter) => [letter, 'Backspace'])) {
    await page.waitForTimeout(250);
    const list = [key, '[role=tabpanel]', '.tile'];
    strokes.push(await timed(list, () => page.keyboard.press(key)));
  }
  const results = {
    products: PRODUCTS,
    scan_to_painted_line_ms: figures(scans),
    keystroke_to_painted_list_ms: figures(strokes),
  };
  console.log(JSON.stringify(results, null, 2));
} finally {
  await browser.close();
  await shop.close();
}
