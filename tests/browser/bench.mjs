/**
 * How long a cashier waits, in a shop of 50,000 products and a history of a million events. Prints a
 * table, with what it should be beside what it is. `node bench.mjs browser window` measures in both;
 * `--events=N` makes the history shorter.
 *
 * A scan is measured from the Enter that ends it to the frame in which its line is painted, a
 * keystroke from the key to the frame in which the list that answers it is, paying from the key to
 * the frame with the receipt, by when the sale is durable. A start is measured from the moment at
 * which the program is called; a browser is open by then.
 */

import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { InBrowser, InWindow } from './screens.mjs';
import { OPOSSUM, Shop } from './shop.mjs';

const PLACES = { browser: InBrowser, window: InWindow };
const PRODUCTS = 50_000;
const SCANS = 40;
const SALES = 120;
const STARTS = 5;
/** Each letter alone, and away again: every stroke changes the list. */
const TYPED = 'rvspemlbwcdt';
/** How often all of it is typed: enough strokes that a few slow ones don't make the 95th percentile. */
const ROUNDS = 5;
/** The most events that are appended at once. */
const COMMIT = 10_000;

/**
 * Runs in the page: begins to measure from the next such key until what it changes is painted;
 * `awaited` is a selector of what must be there then, within `where`.
 */
function measure([key, where, awaited]) {
  window.measured = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`${key} changed nothing in ${where}`)), 10_000);
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

/** A demo shop with many more products, some of them on the shelf, and a long history. */
async function largeShop(codes, events) {
  const shop = Shop.demo();
  const kinds = ['Red Mug', 'Vintage Lantern', 'Small Basket', 'Paper Bag', 'Enamel Bowl'];
  const row = (_, n) =>
    `N${n},${kinds[n % 5]} ${n},${kinds[n % 5]},${((n % 900) / 100 + 1).toFixed(2)},${barcode(500_000 + n)}`;
  const rows = ['sku,name,category,price,barcode', ...Array.from({ length: PRODUCTS }, row)];
  const file = join(shop.data, 'products.csv');
  writeFileSync(file, rows.join('\n'));
  execFileSync(OPOSSUM, ['till', '--data', shop.data, 'import', 'products', file]);
  await shop.open();
  await shop.act('receive_stock', {
    lines: codes.map(({ product }) => ({ product, quantity: 1_000_000 })),
  });
  await sellInThePast(shop, events);
  return shop;
}

/** Records a sale over and over, each as a sale of another product, up to so many events. */
async function sellInThePast(shop, events) {
  const store = join(shop.data, 'store');
  const opossum = (command, input, ...args) =>
    execFileSync(OPOSSUM, ['store', command, store, ...args], {
      input,
      encoding: 'utf8',
    });
  await shop.sellElsewhere('N0');
  const { head } = JSON.parse(opossum('stats', ''));
  const query = {
    items: [{ types: ['SaleCompleted', 'ProductSold', 'PaymentTaken'] }],
  };
  const sale = opossum('read', '', '--query', JSON.stringify(query), '--backwards', '--limit', '3');
  const recorded = sale
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .reverse();
  const template = recorded
    .map(({ type, tags, data, metadata }) => JSON.stringify({ type, tags, data, metadata }))
    .join('\n');
  const { sale: id, number } = recorded[0].data;
  let commit = [];
  for (let n = 1; n <= (events - head) / 3; n++) {
    const copy = template
      .replaceAll(id, randomUUID())
      .replaceAll(/\bN0\b/g, `N${n % PRODUCTS}`)
      .replaceAll(`"number":${number}`, `"number":${number + n}`);
    commit.push(copy);
    if (commit.length * 3 + 3 <= COMMIT && n + 1 <= (events - head) / 3) continue;
    opossum('append', commit.join('\n'), '--flush', 'off');
    commit = [];
  }
}

/** Presses something, and tells how long the page took. */
async function timed(place, measured, press) {
  await place.run(measure, measured);
  await press();
  return place.run(() => window.measured);
}

/** Scans a code that is not in the cart yet. */
function timedScan(place, { product, code }) {
  return timed(place, ['Enter', 'body', `[data-line="${product}"]`], () => place.scan(code));
}

function timedPayment(place) {
  const receipt = ['F12', 'body', 'section[aria-label=Receipt]'];
  return timed(place, receipt, () => place.press('F12'));
}

/** Starts the till, and tells when it is called up, shows its tiles, and has taken a scan. */
async function timedStart(place, shop, code) {
  const start = performance.now();
  await place.open(shop);
  const opened = performance.now();
  const isReady = () => place.run(() => document.querySelector('.tile') !== null);
  while (!(await isReady().catch(() => false))) await pause(5);
  const ready = performance.now();
  await timedScan(place, code);
  return {
    all: performance.now() - start,
    opened: opened - start,
    ready: ready - start,
  };
}

/** What this way of measuring comes to where a key changes one word and nothing is asked. */
async function floor(place) {
  await place.visit('data:text/html,<body>page</body>');
  await place.run(() =>
    addEventListener('keydown', ({ key }) => (document.body.textContent = key)),
  );
  const times = [];
  for (const key of TYPED) {
    await pause(250);
    times.push(await timed(place, [key, 'body', ''], () => place.press(key)));
  }
  return times;
}

/** Everything, in one place. */
async function measureIn(place, shop, codes) {
  const starts = [];
  for (let n = 0; n < STARTS; n++) {
    if (n > 0) await place.shut();
    starts.push(await timedStart(place, shop, codes[n]));
  }
  await timedPayment(place);
  const scans = [];
  for (const code of codes) scans.push(await timedScan(place, code));
  await timedPayment(place);
  const payments = [];
  for (let n = 0; n < SALES; n++) {
    await timedScan(place, codes[n % SCANS]);
    payments.push(await timedPayment(place));
  }
  await place.press('Enter');
  await place.press('F2');
  const strokes = [];
  for (const key of [...TYPED.repeat(ROUNDS)].flatMap((letter) => [letter, 'Backspace'])) {
    await pause(250);
    strokes.push(await timed(place, [key, '[role=tabpanel]', '.tile'], () => place.press(key)));
  }
  const memory = memoryOf(place.pid);
  const floors = await floor(place);
  await place.shut();
  const part = (name) => starts.map((start) => start[name]);
  return {
    'scan to painted line, p95': [at(0.95, scans), 30, 'ms', `median ${ms(at(0.5, scans))}`],
    'keystroke to painted list, p95': [
      at(0.95, strokes),
      30,
      'ms',
      `median ${ms(at(0.5, strokes))}`,
    ],
    'a key on an empty page, p95': [at(0.95, floors), , 'ms', `median ${ms(at(0.5, floors))}`],
    'pay to receipt (durable), p99': [
      at(0.99, payments),
      100,
      'ms',
      `median ${ms(at(0.5, payments))}`,
    ],
    'start to first scan accepted, median': [
      at(0.5, part('all')),
      1_000,
      'ms',
      `up after ${ms(at(0.5, part('opened')))}, tiles after ${ms(at(0.5, part('ready')))}`,
    ],
    'memory of the till’s process': [memory.all, 150, 'MB', `its own ${ms(memory.own)}`],
  };
}

/**
 * What a process has in memory, in megabytes: all of it, and what is its own. The rest are files that
 * it reads, such as the store and the program itself, whose memory the system takes back when it likes.
 */
function memoryOf(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const part = (name) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)[1]) / 1000;
  return { all: part('VmRSS'), own: part('RssAnon') };
}

function at(share, times) {
  return times.toSorted((a, b) => a - b)[Math.ceil(share * times.length) - 1];
}

function ms(time) {
  return time.toFixed(time < 100 ? 1 : 0);
}

function pause(time) {
  return new Promise((resolve) => setTimeout(resolve, time));
}

const { values, positionals } = parseArgs({
  options: { events: { type: 'string', default: '1000000' } },
  allowPositionals: true,
});
const codes = Array.from({ length: SCANS }, (_, n) => {
  const at = Math.floor((n * PRODUCTS) / SCANS);
  return { product: `N${at}`, code: barcode(500_000 + at) };
});
console.log(`${PRODUCTS} products, ${values.events} events\n`);
console.log('| where | what | measured | bar | met | |\n|---|---|---|---|---|---|');
for (const where of positionals.length > 0 ? positionals : ['browser']) {
  const shop = await largeShop(codes, Number(values.events));
  const place = await PLACES[where].start();
  try {
    for (const [what, row] of Object.entries(await measureIn(place, shop, codes))) {
      const [measured, bar, unit, more] = row;
      const target = bar === undefined ? '' : `≤ ${bar} ${unit}`;
      const met = bar === undefined ? '' : measured <= bar ? 'yes' : '**no**';
      console.log(`| ${[where, what, `${ms(measured)} ${unit}`, target, met, more].join(' | ')} |`);
    }
  } finally {
    await place.close();
    await shop.close();
  }
}
