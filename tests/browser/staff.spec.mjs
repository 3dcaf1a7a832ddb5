import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import {
  BIRD,
  MUG,
  Shop,
  Till,
  expect,
  loseAnswer,
  reach,
  refuseOnce,
  slowDown,
  test,
} from './fixtures.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const question = (till) => till.page.getByRole('heading', { name: 'Who is at the till?' });

test.describe('who is at the till', () => {
  test('signs in by name and PIN, and the demo says which', async ({ page }) => {
    const shop = Shop.demo();
    await shop.open();
    const till = new Till(page);
    await page.goto(await shop.serveSignedOut());
    await expect(question(till)).toBeVisible();
    await expect(page.getByText('Maya Thornton 1111')).toBeVisible();
    await expect(till.tiles.first()).toBeHidden();
    await till.enterPin('Priya Nair', '3333');
    await till.tiles.first().waitFor();
    await expect(page.getByText('T1 · Priya Nair')).toBeVisible();
    await till.scan(MUG);
    await till.press('F12');
    await expect(till.receipt).toContainText('T1-1');
    await shop.close();
  });

  test('locks the till and finds the cart as it was', async ({ till }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await till.button('Lock the till').click();
    await expect(question(till)).toBeVisible();
    await till.press('F12');
    await till.enterPin('Tom Ashby', '4444');
    await expect(question(till)).toBeHidden();
    await expect(till.page.getByText('T1 · Tom Ashby')).toBeVisible();
    await expect(till.line(MUG)).toBeVisible();
    await till.press('F12');
    await expect(till.receipt).toContainText(MUG.name);
  });

  test('is told when the PIN is wrong, and to wait after three times', async ({ till }) => {
    await till.button('Lock the till').click();
    await till.enterPin('Owen Price', '0000');
    await expect(till.page.getByText('2 more before it is locked')).toBeVisible();
    await till.enterPin('Owen Price', '0000');
    await expect(till.page.getByText('1 more before it is locked')).toBeVisible();
    await till.enterPin('Owen Price', '0000');
    await expect(till.page.getByText(/Try again in \d+ s/)).toBeVisible();
    await expect(till.button('Sign in')).toBeDisabled();
    // The right one, too early, takes the reason away from nobody.
    await till.type('2222');
    await till.press('Enter');
    await expect(till.page.getByText(/Try again in \d+ s/)).toBeVisible();
    await till.enterPin('Priya Nair', '3333');
    await expect(question(till)).toBeHidden();
  });

  test('is nobody after a while in which nobody touched it', async ({ till, shop }) => {
    await lockAfter(shop, 1);
    await expect(question(till)).toBeVisible();
    await till.enterPin('Priya Nair', '3333');
    await expect(question(till)).toBeHidden();
    await expect(question(till)).toBeVisible();
  });

  test('is asked over whatever else is, and then that goes on', async ({ till, shop }) => {
    const dialog = till.page.getByRole('dialog', { name: 'Count the drawer' });
    const fifties = dialog.getByLabel('£50', { exact: true });
    await till.page.getByRole('button', { name: 'Open since' }).click();
    await fifties.fill('1');
    await lockAfter(shop, 2);
    await expect(question(till)).toBeVisible();
    await expect(dialog).toBeHidden();
    await reach(till, 'Priya Nair');
    await till.press('Enter');
    await till.type('3333');
    await till.press('Enter');
    await expect(question(till)).toBeHidden();
    await expect(fifties).toHaveValue('1');
    await expect(question(till)).toBeVisible();
    await till.enterPin('Tom Ashby', '4444');
    await expect(question(till)).toBeHidden();
    await expect(fifties).toHaveValue('1');
  });

  test('is told that a scan has to wait, and no code is taken for a PIN', async ({ till }) => {
    await till.button('Lock the till').click();
    await till.page.getByRole('button', { name: 'Priya Nair' }).click();
    await till.type('33');
    for (const product of [MUG, BIRD, MUG]) await till.scan(product);
    const told = till.page.getByText(`${MUG.code}, ${BIRD.code}, ${MUG.code} were scanned`);
    await expect(told).toContainText('Sign in, then scan them again.');
    await till.type('33');
    await till.press('Enter');
    await expect(question(till)).toBeHidden();
    await expect(till.page.getByText('Scan or type')).toBeVisible();
  });

  test('is one button or another by keys, and Enter means the one that was reached', async ({
    till,
  }) => {
    await till.button('Lock the till').click();
    await till.page.getByRole('button', { name: 'Priya Nair' }).click();
    await till.type('3333');
    await reach(till, 'Tom Ashby');
    await till.press('Enter');
    await expect(till.page.getByText('PIN of Tom Ashby')).toBeVisible();
    await till.type('4444');
    await till.press('Enter');
    await expect(till.page.getByText('T1 · Tom Ashby')).toBeVisible();
  });

  test('may be someone new, and is told when the backend is away', async ({ till, shop }) => {
    await till.button('Lock the till').click();
    await expect(question(till)).toBeVisible();
    await shop.act('add_staff', { name: 'Nora New', role: 'cashier' });
    await expect(till.page.getByRole('button', { name: 'Nora New' })).toBeVisible();
    await till.page.context().setOffline(true);
    await till.enterPin('Priya Nair', '3333');
    const screen = till.page.getByRole('main', { name: 'Who is at the till?' });
    await expect(screen).toContainText('The till’s program doesn’t answer');
    await till.page.context().setOffline(false);
    await expect(screen).not.toContainText('The till’s program doesn’t answer');
    await till.enterPin('Priya Nair', '3333');
    await expect(question(till)).toBeHidden();
  });

  test('asks nothing that axe would complain about', async ({ till }) => {
    await till.button('Lock the till').click();
    await expect(question(till)).toBeVisible();
    await till.page.evaluate(AXE);
    const { violations } = await till.page.evaluate(() => window.axe.run(document));
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`)).toEqual([]);
  });
});

test('what a cashier may not do alone goes on with the PIN of who may', async ({ till, shop }) => {
  await mayNotSellAlone(till, shop);
  const dialog = till.page.getByRole('dialog', { name: 'Who approves?' });
  await expect(dialog).toContainText('You may not sell alone.');
  await expect(dialog.getByRole('button', { name: 'Priya Nair' })).toBeHidden();
  await expect(dialog.getByRole('button', { name: 'Maya Thornton' })).toBeFocused();
  await till.enterPin('Owen Price', '1234', 'Approve');
  await expect(dialog.getByText('That is not the PIN.')).toBeVisible();
  await till.enterPin('Owen Price', '2222', 'Approve');
  await expect(dialog).toBeHidden();
  await expect(till.receipt).toContainText('T1-1');
});

test('a shift is opened, and cash dropped, with the PIN of who may', async ({ till, shop }) => {
  await shop.payIn(90_000);
  await shop.act('change_role', { role: 'cashier', permissions: ['sell'], discountLimit: 0 });
  await till.button('Record a drop').click();
  await till.page.getByLabel('How much').fill('300');
  await till.button('Drop £300').click();
  const dialog = till.page.getByRole('dialog');
  await expect(dialog).toContainText('You may not take cash to the safe alone.');
  await till.enterPin('Owen Price', '1234', 'Approve');
  await expect(dialog.getByText('That is not the PIN.')).toBeVisible();
  await till.enterPin('Owen Price', '2222', 'Approve');
  await expect(dialog).toBeHidden();
  expect((await shop.call('x_report')).expected).toBe(70_000);

  const { shift, head } = await shop.call('shift');
  const count = { shift: shift.shift, asOf: head, countedCash: 70_000, denominations: [] };
  await shop.act('close_shift', count);
  await expect(till.page.getByText('Shift closed')).toBeVisible();
  await till.type('50');
  await till.press('Enter');
  await expect(till.page.getByText('You may not open and close a shift alone.')).toBeVisible();
  await till.button('Get approval').click();
  await till.enterPin('Owen Price', '2222', 'Approve');
  await expect(till.page.getByText('Scan or type')).toBeVisible();
  expect((await shop.call('shift')).shift.float).toBe(5_000);
});

test('a receipt names who sold it, whoever is at the till and whoever has left', async ({
  till,
  shop,
}) => {
  await till.scan(MUG);
  await till.press('F12');
  await expect(till.receipt).toContainText('Served by Priya Nair');
  const { cashier } = await shop.call('receipt', { receipt: 'T1-1' });
  await till.button('Lock the till').click();
  await till.enterPin('Tom Ashby', '4444');
  await expect(till.page.getByText('T1 · Tom Ashby')).toBeVisible();
  await shop.act('remove_staff', { user: cashier });
  await till.page.reload();
  await expect(till.receipt).toContainText('Served by Priya Nair');
});

test('codes that are scanned while somebody approves are all named, and no PIN', async ({
  till,
  shop,
}) => {
  await mayNotSellAlone(till, shop);
  const dialog = till.page.getByRole('dialog', { name: 'Who approves?' });
  await dialog.getByRole('button', { name: 'Owen Price' }).click();
  await till.type('22');
  for (const product of [BIRD, MUG]) await till.scan(product);
  await expect(dialog).toContainText(`${BIRD.code}, ${MUG.code} were scanned and are not`);
  await till.type('22');
  await till.press('Enter');
  await expect(till.receipt).toContainText('T1-1');
});

test('a wrong PIN and “Not now” leave the cart to be sold', async ({ till, shop }) => {
  await mayNotSellAlone(till, shop);
  await till.enterPin('Owen Price', '1234', 'Approve');
  await expect(till.page.getByText('That is not the PIN.')).toBeVisible();
  await till.button('Not now').click();
  await expect(till.button('Get approval')).toBeVisible();
  await shop.act('change_role', { role: 'cashier', permissions: ['sell'], discountLimit: 0 });
  await till.press('F12');
  await expect(till.receipt).toContainText('T1-1');
});

test('an approved sale whose answer is lost is finished once', async ({ till, shop }) => {
  await mayNotSellAlone(till, shop);
  await loseAnswer(till.page, 'checkout');
  await till.enterPin('Owen Price', '2222', 'Approve');
  await expect(till.page.getByRole('dialog')).toBeHidden();
  await expect(till.receipt).toContainText('T1-1');
  const { total } = await shop.call('sales_report', { by: 'day' });
  expect(total.receipts).toBe(1);
});

test('a scan while an approved sale is sent begins the next sale', async ({ till, shop }) => {
  await mayNotSellAlone(till, shop);
  let goOn;
  await till.page.route('**/api/call/checkout', async (route) => {
    await new Promise((resolve) => (goOn = resolve));
    await route.continue();
  });
  await till.enterPin('Owen Price', '2222', 'Approve');
  await expect.poll(() => goOn).toBeDefined();
  await till.scan(BIRD);
  await till.page.waitForTimeout(300);
  goOn();
  await expect(till.line(BIRD)).toBeVisible();
  await expect(till.line(MUG)).toBeHidden();
  await expect(till.total).toHaveText('£1.69');
  const { lines } = await shop.call('receipt', { receipt: 'T1-1' });
  expect(lines.map(({ product }) => product)).toEqual([MUG.id]);
});

test('much cash in the drawer asks for a drop to the safe', async ({ till, shop }) => {
  await shop.payIn(25_000);
  await till.button('Record a drop').click();
  await till.page.getByLabel('How much').fill('300');
  await till.button('Drop £300').click();
  await expect(till.page.getByText('A lot of cash is in the drawer')).toBeHidden();
});

test('a drop is recorded once, and no key too many asks for another', async ({ till, shop }) => {
  await shop.payIn(90_000);
  const dialog = till.page.getByRole('dialog', { name: 'Cash to the safe' });
  await expect(till.button('Record a drop')).toBeVisible();
  await slowDown(till.page, 'shop');
  await reach(till, 'Record a drop');
  await till.press('Enter');
  await dialog.getByLabel('How much').fill('800');
  await till.button('Drop £800').dblclick();
  await expect(dialog).toBeHidden();
  await till.press('Enter');
  await till.page.waitForTimeout(300);
  await expect(dialog).toBeHidden();
  expect((await shop.call('x_report')).expected).toBe(20_000);
});

test('a shift is closed once, however often that is touched', async ({ till, shop }) => {
  const before = await shop.call('z_report');
  await till.page.getByRole('button', { name: 'Open since' }).click();
  await till.page.getByRole('dialog').getByLabel('£50', { exact: true }).fill('2');
  await slowDown(till.page, 'shop');
  const asked = [];
  till.page.on('request', (request) => {
    if (request.url().endsWith('/close_shift')) asked.push(request.url());
  });
  await till.button('Close the shift').dblclick();
  await expect(till.page.getByRole('dialog')).toContainText('The shift is closed');
  expect(asked).toHaveLength(1);
  expect((await shop.call('z_report')).z).toBe(before.z + 1);
});

test('a shift is closed by a blind count, and one that is off goes on with a PIN', async ({
  till,
  shop,
}) => {
  await till.scan(MUG);
  await till.press('F12');
  await expect(till.receipt).toContainText('T1-1');
  await till.page.getByRole('button', { name: 'Open since' }).click();
  const dialog = till.page.getByRole('dialog', { name: 'Count the drawer' });
  await expect(dialog).not.toContainText('101.06');
  await dialog.getByLabel('£50', { exact: true }).fill('1');
  await dialog.getByLabel('£20', { exact: true }).fill('2');
  await expect(dialog.getByLabel('Counted')).toHaveText('£90.00');
  await till.button('Close the shift').click();
  await expect(dialog).toContainText('You may not close a shift whose cash is off by that much');
  await till.enterPin('Owen Price', '2222', 'Approve');
  const done = till.page.getByRole('dialog', { name: 'The shift is closed' });
  await expect(done).toContainText('£11.06');
  await expect(done).toContainText('Z report');
  await till.button('Done').click();
  await expect(till.page.getByText('Shift closed')).toBeVisible();
  const { journal, variance } = await shop.call('z_report');
  expect(variance).toBe(-1106);
  expect(journal.hash).toMatch(/^[0-9a-f]{64}$/);
});

test('a count is of whole numbers, and at least one of them is typed', async ({ till, shop }) => {
  await till.page.getByRole('button', { name: 'Open since' }).click();
  const dialog = till.page.getByRole('dialog', { name: 'Count the drawer' });
  const close = till.button('Close the shift');
  await expect(dialog).toContainText('Enter at least one number');
  await expect(close).toBeDisabled();
  const fifties = dialog.getByLabel('£50', { exact: true });
  for (const nonsense of ['abc--2', '-2', '1.5', '99999999999999']) {
    await fifties.fill(nonsense);
    await expect(fifties).toHaveValue(nonsense);
    await expect(fifties).toHaveAttribute('aria-invalid', 'true');
    await expect(dialog).toContainText('Only whole numbers up to 999,999 count');
    await expect(close).toBeDisabled();
  }
  await fifties.fill('2');
  await expect(fifties).toHaveAttribute('aria-invalid', 'false');
  await slowDown(till.page, 'shop');
  await close.click();
  const done = till.page.getByRole('dialog', { name: 'The shift is closed' });
  await expect(done).toContainText('Nothing missing');
  await till.press('Enter');
  await expect(done).toBeHidden();
  // The next shift is not opened by a key too many.
  await till.press('Enter');
  await till.press('Enter');
  await expect(till.page.getByRole('button', { name: /^Open shift/ })).toBeDisabled();
  expect((await shop.call('shift')).shift ?? null).toBeNull();
  await till.type('0');
  await till.press('Enter');
  await expect(till.page.getByText('Scan or type')).toBeVisible();
  expect((await shop.call('shift')).shift.float).toBe(0);
});

test('what is sold after the drawer was counted has it counted again', async ({ till, shop }) => {
  await till.page.getByRole('button', { name: 'Open since' }).click();
  const dialog = till.page.getByRole('dialog', { name: 'Count the drawer' });
  await dialog.getByLabel('£50', { exact: true }).fill('2');
  const lines = [{ product: MUG.id, quantity: 1000 }];
  await shop.act('checkout', { lines, payments: [{ tender: 'cash', amount: 106 }] });
  await till.button('Close the shift').click();
  await expect(dialog).toContainText('Count it again.');
  await dialog.getByLabel('£1', { exact: true }).fill('1');
  await dialog.getByLabel('£0.05', { exact: true }).fill('1');
  await dialog.getByLabel('£0.01', { exact: true }).fill('1');
  await till.button('Close the shift').click();
  await expect(till.page.getByRole('dialog')).toContainText('The shift is closed');
});

test('a count that was left is of when it was made, and has to be made again after a sale', async ({
  till,
  shop,
}) => {
  const dialog = till.page.getByRole('dialog', { name: 'Count the drawer' });
  const open = till.page.getByRole('button', { name: 'Open since' });
  await open.click();
  await dialog.getByLabel('£50', { exact: true }).fill('2');
  await till.button('Not now').click();
  await till.scan(MUG);
  await till.press('F12');
  await expect(till.receipt).toContainText('T1-1');
  await open.click();
  await expect(dialog.getByLabel('£50', { exact: true })).toHaveValue('2');
  await till.button('Close the shift').click();
  await expect(dialog).toContainText('Count it again.');
  await expect(till.button('Close the shift')).toBeDisabled();
  await till.button('Nothing is different').click();
  await expect(till.button('Close the shift')).toBeEnabled();
  for (const kind of ['£1', '£0.05', '£0.01'])
    await dialog.getByLabel(kind, { exact: true }).fill('1');
  await till.button('Close the shift').click();
  await expect(till.page.getByRole('dialog')).toContainText('Nothing missing');
});

test('a count that could not begin says so, and begins again', async ({ till }) => {
  await refuseOnce(till.page, 'shift', 'lock_timeout');
  await till.page.getByRole('button', { name: 'Open since' }).click();
  const dialog = till.page.getByRole('dialog', { name: 'Count the drawer' });
  await expect(dialog.getByRole('alert')).toContainText('Begin again before you count.');
  await till.button('Begin again').click();
  await dialog.getByLabel('£50', { exact: true }).fill('2');
  await till.button('Close the shift').click();
  await expect(till.page.getByRole('dialog')).toContainText('Nothing missing');
});

test('no field of a count moves while somebody types', async ({ till }) => {
  await till.page.getByRole('button', { name: 'Open since' }).click();
  const fifties = till.page.getByRole('dialog').getByLabel('£50', { exact: true });
  const place = await fifties.boundingBox();
  await fifties.fill('1');
  expect(await fifties.boundingBox()).toEqual(place);
});

test.describe('an act whose answer was lost', () => {
  const isOpen = (till) => expect(till.page.getByText('Scan or type')).toBeVisible();
  const isClosed = (till) => expect(till.page.getByText('The shift isn’t open yet')).toBeVisible();

  async function close(shop) {
    const { shift } = await shop.call('shift');
    await shop.act('close_shift', { shift: shift.shift, countedCash: shift.float });
  }

  test('is not taken for the next: the till opens again, with the same float or another', async ({
    till,
    shop,
  }) => {
    await close(shop);
    await isClosed(till);
    await loseAnswer(till.page, 'open_shift');
    await till.type('100');
    await till.press('Enter');
    await isOpen(till);
    for (const float of [100, 120]) {
      await close(shop);
      await isClosed(till);
      await till.type(String(float));
      await till.press('Enter');
      await isOpen(till);
      expect((await shop.call('shift')).shift.float).toBe(float * 100);
    }
  });

  test('is given again when the shift is closed once more in the same dialog', async ({
    till,
    shop,
  }) => {
    const before = await shop.call('z_report');
    await till.page.getByRole('button', { name: 'Open since' }).click();
    const dialog = till.page.getByRole('dialog');
    await dialog.getByLabel('£50', { exact: true }).fill('2');
    await loseAnswer(till.page, 'close_shift');
    await till.button('Close the shift').click();
    await expect(dialog).toContainText('No answer came. Try again');
    await isClosed(till);
    await till.button('Close the shift').click();
    await expect(dialog).toContainText('The shift is closed');
    expect((await shop.call('z_report')).z).toBe(before.z + 1);
  });

  test('is one drop when it is sent again, and as much once more is another', async ({
    till,
    shop,
  }) => {
    await shop.payIn(90_000);
    const inDrawer = async () => (await shop.call('x_report')).expected;
    await till.button('Record a drop').click();
    await loseAnswer(till.page, 'drop_cash');
    await till.page.getByLabel('How much').fill('100');
    await till.button('Drop £100').click();
    await expect(till.page.getByRole('dialog')).toContainText('No answer came. Try again');
    // It is still the same drop when the dialog was left meanwhile.
    await till.button('Not now').click();
    await till.button('Record a drop').click();
    await expect(till.page.getByRole('dialog')).toContainText('No answer came. Try again');
    await till.button('Drop £100').click();
    await expect(till.page.getByRole('dialog')).toBeHidden();
    expect(await inDrawer()).toBe(90_000);
    await till.button('Record a drop').click();
    await till.page.getByLabel('How much').fill('100');
    await till.button('Drop £100').click();
    await expect(till.page.getByRole('dialog')).toBeHidden();
    expect(await inDrawer()).toBe(80_000);
  });
});

/** Has tills locked when nobody touched them for so many seconds. */
async function lockAfter(shop, seconds) {
  const { settings } = await shop.call('shop');
  await shop.act('configure_shop', { ...settings, tills: { autoLockSeconds: seconds } });
}

/** A cashier who scanned a mug and may not sell it, while somebody is asked to approve it. */
async function mayNotSellAlone(till, shop) {
  await shop.act('change_role', { role: 'cashier', permissions: [], discountLimit: 0 });
  await till.scan(MUG);
  await expect(till.line(MUG)).toBeVisible();
  await till.press('F12');
  await till.button('Get approval').click();
}
