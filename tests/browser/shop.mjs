/**
 * A demo shop in a folder of its own, served by the real `opossum serve`: for tests and pictures.
 */

import { execFile, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The program: as the environment says, or as it was built last. */
export const OPOSSUM = (() => {
  const built = (profile) =>
    fileURLToPath(new URL(`../../target/${profile}/opossum`, import.meta.url));
  const found = process.env.OPOSSUM ?? ['debug', 'release'].map(built).find(existsSync);
  if (!found) throw new Error('opossum is not built; run `cargo build --package cli`');
  return found;
})();

/** How the machine's own browser is started. */
export const LAUNCH = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
    '--disable-quic',
  ],
};

/** A demo shop that every other is a copy of. */
let pattern;

export class Shop {
  /** Its folder. */
  data = mkdtempSync(join(tmpdir(), 'opossum-shop-'));
  #host;

  /** Makes a demo shop. */
  static demo() {
    if (!pattern) {
      pattern = mkdtempSync(join(tmpdir(), 'opossum-demo-'));
      process.on('exit', () => rmSync(pattern, { recursive: true, force: true }));
      execFileSync(OPOSSUM, ['till', '--data', pattern, 'demo']);
    }
    const shop = new Shop();
    cpSync(pattern, shop.data, { recursive: true });
    return shop;
  }

  /** Makes a shop that has no settings yet. */
  static empty() {
    const shop = new Shop();
    execFileSync(OPOSSUM, ['store', 'create', join(shop.data, 'store')]);
    return shop;
  }

  /** Calls an operation from another process, at this till or at another. */
  async call(name, input = {}, till = 'T1') {
    const args = ['till', '--data', this.data, '--till', till, 'call', name];
    const { stdout } = await run(OPOSSUM, [...args, JSON.stringify(input)]);
    return JSON.parse(stdout);
  }

  /** Carries out a command from another process. */
  act(name, input = {}, till = 'T1') {
    return this.call(name, { requestId: randomUUID(), ...input }, till);
  }

  /** Opens a till's shift with this much in the drawer. */
  open(till = 'T1', float = 10_000) {
    return this.act('open_shift', { float }, till);
  }

  /** Pays cash into the drawer of this till's open shift. */
  async payIn(amount) {
    const { shift } = await this.call('shift');
    const cash = { shift: shift.shift, way: 'in', amount, reason: 'more change' };
    return this.act('move_cash', cash);
  }

  /** Has the till find a cart of five hundred lines, of the first 250 products; returns more of these. */
  async keepLongCart() {
    const { products } = await this.call('products', { pageSize: 300 });
    const lines = Array.from({ length: 500 }, (_, index) => {
      const { id, name, price } = products[index % 250];
      return { id: randomUUID(), product: id, quantity: 1000, scannedPrice: price, name };
    });
    await this.call('save_cart', { cart: { id: randomUUID(), lines } });
    return products;
  }

  /** Sells one of a product at another till. */
  async sellElsewhere(product, quantity = 1) {
    const { shift } = await this.call('shift', {}, 'T2');
    if (!shift) await this.open('T2');
    const { price } = await this.call('product', { code: product });
    const lines = [{ product, quantity: quantity * 1000 }];
    const payments = [{ tender: 'card', amount: price * quantity }];
    return this.act('checkout', { lines, payments }, 'T2');
  }

  /** Sells one of the first product in the till's cart under its id, as another window might. */
  async sellUnseen() {
    const { cart } = await this.call('cart');
    const lines = [{ product: cart.lines[0].product, quantity: 1000 }];
    const payments = [{ tender: 'cash', amount: 500 }];
    return this.act('checkout', { requestId: cart.id, lines, payments });
  }

  /** Starts a till's host, with a cashier at it; returns the address of its page. */
  async serve(...options) {
    const address = await this.serveSignedOut(...options);
    await signIn(address, 'Priya Nair');
    return address;
  }

  /** Starts a till's host, where somebody must sign in first if anyone can. */
  async serveSignedOut(...options) {
    const command = [OPOSSUM, 'serve', '--data', this.data, ...options];
    // The superuser may write where it says that nobody may, unless that right is given up.
    if (process.getuid?.() === 0) command.unshift('setpriv', '--bounding-set=-dac_override');
    const [program, ...args] = command;
    this.#host = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    for await (const line of createInterface(this.#host.stdout)) return line;
    throw new Error('the host said nothing and ended');
  }

  /** Lets nobody write to the shop's history, or lets them again. */
  protect(isProtected = true) {
    const store = join(this.data, 'store');
    execFileSync('chmod', ['-R', isProtected ? 'a-w' : 'u+w', store]);
  }

  /** Lets the host answer nothing for a while, as a machine that is too busy would. */
  pause() {
    this.#host.kill('SIGSTOP');
  }

  /** Lets it answer again. */
  goOn() {
    this.#host.kill('SIGCONT');
  }

  /** The host's process. */
  get pid() {
    return this.#host?.pid;
  }

  /** Ends the host as a power cut would. */
  async kill() {
    const host = this.#host;
    if (!host || host.exitCode !== null || host.signalCode !== null) return;
    const ended = new Promise((resolve) => host.once('exit', resolve));
    host.kill('SIGKILL');
    await ended;
  }

  /** Ends the host and removes the folder. */
  async close() {
    await this.kill();
    this.protect(false);
    rmSync(this.data, { recursive: true, force: true });
  }
}

/** Signs someone of the demo's staff in at a host, with the PIN that the demo shows. */
async function signIn(address, who) {
  const { origin, searchParams } = new URL(address);
  const ask = async (name, input) => {
    const response = await fetch(`${origin}/api/call/${name}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${searchParams.get('token')}` },
      body: JSON.stringify(input),
    });
    return response.json();
  };
  const person = (await ask('staff', {})).find(({ name }) => name === who);
  if (person) await ask('sign_in', { user: person.user, pin: person.shownPin });
}

/** When the last code ended, in seconds: nobody scans two things at once. */
let scanned = 0;

/**
 * Types a code as a scanner does: faster than any person, with so much between two keys, and with
 * Enter at the end. A machine that is busy may notice half of it so much later.
 */
export async function scan(page, code, { gapMs = 5, heldUpMs = 0 } = {}) {
  const cdp = await page.context().newCDPSession(page);
  const keys = [...[...code].map((key) => ({ key, text: key })), { key: 'Enter', text: '\r' }];
  const start = Math.max(Date.now() / 1000, scanned + 0.1);
  scanned = start + (keys.length * gapMs) / 1000;
  const press = (key, index) => {
    // The scanner's own time, in seconds: a busy machine makes no pauses in it.
    const timestamp = start + (index * gapMs) / 1000;
    return [
      cdp.send('Input.dispatchKeyEvent', { type: 'keyDown', timestamp, ...key }),
      cdp.send('Input.dispatchKeyEvent', { type: 'keyUp', timestamp, key: key.key }),
    ];
  };
  const half = heldUpMs > 0 ? keys.length >> 1 : 0;
  await Promise.all(keys.slice(0, half).flatMap(press));
  await page.waitForTimeout(heldUpMs);
  await Promise.all(keys.slice(half).flatMap((key, index) => press(key, half + index)));
  await cdp.detach();
}
