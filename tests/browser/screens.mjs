/**
 * The two places that a till is measured in: a page of `opossum serve` in Chromium, and the window of
 * the desktop app on a screen that nobody sees. Both are looked into and operated alike:
 *
 * - `open(shop)` starts the till on a shop, with its owner at it; `pid` is its process then;
 * - `run(act, argument)` runs a function in the page and returns what it promises;
 * - `press(key)` and `scan(code)` are the keyboard and the scanner;
 * - `shut()` ends the till, `close()` the place.
 */

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from '@playwright/test';
import { LAUNCH, scan } from './shop.mjs';

const SIZE = { width: 1366, height: 768 };

/** Chromium, which is there before the till is. */
export class InBrowser {
  #browser;
  #shop;
  #page;

  static async start() {
    const place = new InBrowser();
    place.#browser = await chromium.launch(LAUNCH);
    return place;
  }

  async open(shop) {
    this.#shop = shop;
    const address = await shop.serveSignedOut('--user', 'owner');
    await this.visit(address);
  }

  /** Opens any page in place of the till's. */
  async visit(address) {
    await this.#page?.close();
    this.#page = await this.#browser.newPage({ viewport: SIZE });
    await this.#page.goto(address);
  }

  get pid() {
    return this.#shop.pid;
  }

  run(act, argument) {
    return this.#page.evaluate(act, argument);
  }

  press(key) {
    return this.#page.keyboard.press(key);
  }

  scan(code) {
    return scan(this.#page, code);
  }

  async shut() {
    await this.#page.close();
    this.#page = undefined;
    await this.#shop.kill();
  }

  close() {
    return this.#browser.close();
  }
}

/** The app in a release build. */
const APP = fileURLToPath(new URL('../../target/release/opossum-pos', import.meta.url));

/** Keys as WebDriver calls them. */
const KEYS = {
  Enter: '\ue007',
  Backspace: '\ue003',
  F2: '\ue032',
  F12: '\ue03c',
};

/** The desktop app's own window, by WebKit's driver. */
export class InWindow {
  #home = mkdtempSync(join(tmpdir(), 'opossum-desk-'));
  #programs = [];
  #driver;
  #session;
  pid;

  static async start() {
    if (!existsSync(APP)) throw new Error('the app is not built; run `make app`');
    const place = new InWindow();
    const size = `${SIZE.width}x${SIZE.height}x24`;
    const display = await place.#start('Xvfb', '-displayfd', '1', '-screen', '0', size);
    const bus = ['--session', '--nofork', '--nopidfile', '--print-address=1'];
    const environment = {
      PATH: process.env.PATH,
      HOME: place.#home,
      DISPLAY: `:${display}`,
      DBUS_SESSION_BUS_ADDRESS: await place.#start('dbus-daemon', ...bus),
      NO_AT_BRIDGE: '1', // this bus has no screen readers to wait for
      TAURI_WEBVIEW_AUTOMATION: 'true',
    };
    const port = await freePort();
    place.#programs.push(
      spawn('WebKitWebDriver', [`--port=${port}`], {
        env: environment,
        stdio: 'ignore',
      }),
    );
    place.#driver = `http://127.0.0.1:${port}`;
    while (!(await place.#ask('GET', '/status').catch(() => undefined))) await moment();
    return place;
  }

  async open(shop) {
    const options = {
      binary: APP,
      args: ['--owner', 'owner', '--data', shop.data],
    };
    const alwaysMatch = { 'webkitgtk:browserOptions': options };
    const { sessionId } = await this.#ask('POST', '/session', {
      capabilities: { alwaysMatch },
    });
    this.#session = `/session/${sessionId}`;
    this.pid = processOn(shop.data);
  }

  visit(address) {
    return this.#ask('POST', `${this.#session}/url`, { url: address });
  }

  run(act, argument = null) {
    const script = `
      const [argument, done] = arguments;
      Promise.resolve((${act})(argument)).then((answer) => done(answer ?? null));`;
    return this.#ask('POST', `${this.#session}/execute/async`, {
      script,
      args: [argument],
    });
  }

  press(key) {
    return this.#type([KEYS[key] ?? key]);
  }

  scan(code) {
    return this.#type([...code, KEYS.Enter]);
  }

  async shut() {
    await this.#ask('DELETE', this.#session);
    // Only then may a new one start.
    while (existsSync(`/proc/${this.pid}`)) await moment();
  }

  close() {
    for (const program of this.#programs) program.kill();
    rmSync(this.#home, { recursive: true, force: true });
  }

  #type(keys) {
    const actions = keys.flatMap((value) => [
      { type: 'keyDown', value },
      { type: 'keyUp', value },
    ]);
    const keyboard = { type: 'key', id: 'keyboard', actions };
    return this.#ask('POST', `${this.#session}/actions`, {
      actions: [keyboard],
    });
  }

  async #ask(method, path, body) {
    const request = { method, body: body && JSON.stringify(body) };
    const { value } = await (await fetch(`${this.#driver}${path}`, request)).json();
    if (value?.error) throw new Error(`${path}: ${value.error}: ${value.message}`);
    return value;
  }

  /** Starts a program that says on its first line that it is ready, and returns that line. */
  async #start(program, ...args) {
    const started = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#programs.push(started);
    for await (const line of createInterface(started.stdout)) return line;
    throw new Error(`${program} did not start`);
  }
}

/** The process of the app on a folder. */
function processOn(folder) {
  const found = readdirSync('/proc').find((id) => {
    if (!/^\d+$/.test(id) || !existsSync(`/proc/${id}/cmdline`)) return false;
    const [program, ...rest] = readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0');
    return program === APP && rest.includes(folder);
  });
  return Number(found);
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function moment() {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
