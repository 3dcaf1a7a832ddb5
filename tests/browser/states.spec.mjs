import { damage } from './damage.mjs';
import {
  BIRD,
  CAKESTAND,
  CLOCK,
  MUG,
  SKITTLES,
  Shop,
  Till,
  expect,
  refuseOnce,
  test,
} from './fixtures.mjs';

test.describe('a refusal', () => {
  test('stands on its line with what is left, why, and what to do', async ({ till }) => {
    await till.scan(MUG);
    for (let scans = 0; scans < 3; scans++) await till.scan(CLOCK);
    await expect(till.line(CLOCK)).toContainText('Only 1 left');
    await till.press('F12');
    await expect(till.line(CLOCK).getByRole('alert')).toContainText('Only 1 left of');
    await till.button('Why').click();
    await expect(till.page.getByRole('dialog')).toContainText(/1 delivered.*Event [\d,]+/s);
    await till.button('Close').click();
    await till.button('Remove 2').click();
    await expect(till.line(CLOCK)).toContainText('1×');
    await till.press('F12');
    await expect(till.receipt).toContainText('T1-1');
  });

  test('names the limit of a receipt', async ({ till }) => {
    await till.scan(SKITTLES);
    await till.type('8');
    await till.press('Enter');
    await till.press('F12');
    await expect(till.line(SKITTLES).getByRole('alert')).toContainText('At most 6');
    await till.button('Remove 2').click();
    await till.press('F12');
    await expect(till.receipt).toBeVisible();
  });

  test('is seen coming when nothing is left', async ({ till }) => {
    await till.scan(CAKESTAND);
    await expect(till.line(CAKESTAND)).toContainText('None left');
    await till.button('Remove the line').first().click();
    await expect(till.line(CAKESTAND)).toBeHidden();
  });

  test('comes when another till was faster', async ({ till, shop }) => {
    await till.scan(CLOCK);
    await expect(till.line(CLOCK)).toBeVisible();
    await shop.sellElsewhere(CLOCK.id);
    await till.press('F12');
    await expect(till.line(CLOCK).getByRole('alert')).toContainText('Sold out');
    await expect(till.receipt).toBeHidden();
  });

  test('that passes by itself is tried again with what the customer gave', async ({
    till,
    shop,
  }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await changeRule(till.page, MUG);
    await till.press('F9');
    await till.type('20');
    await till.press('Enter');
    await till.line(MUG).getByRole('button', { name: 'Try again' }).click();
    await expect(till.receipt.getByRole('status')).toContainText('£18.94');
    await till.scan(MUG);
    await changeRule(till.page, MUG);
    await till.press('F10');
    await till.line(MUG).getByRole('button', { name: 'Try again' }).click();
    await expect(till.receipt.getByRole('status')).toContainText('Paid by card');
    const { payments } = await shop.call('receipt', { receipt: 'T1-2' });
    expect(payments).toEqual([{ tender: 'card', amount: 106 }]);
  });

  test('asks for more when what was given is not enough any more', async ({ till }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await changeRule(till.page, MUG);
    await till.press('F9');
    await till.type('2');
    await till.press('Enter');
    await till.scan(BIRD);
    await till.line(MUG).getByRole('button', { name: 'Try again' }).click();
    await expect(till.page.getByRole('heading', { name: 'Cash' })).toBeVisible();
    await till.type('3');
    await till.press('Enter');
    await expect(till.receipt.getByRole('status')).toContainText('£0.25');
  });
});

test.describe('a cart that was sold before', () => {
  test('shows that receipt, and keeps what is not on it for the next', async ({ till, shop }) => {
    for (const product of [MUG, MUG, BIRD]) await till.scan(product);
    await expect(till.line(BIRD)).toBeVisible();
    await shop.sellUnseen();
    await till.press('F12');
    await expect(till.receipt).toContainText(
      '2 lines that are not on the receipt stay in the cart',
    );
    await expect(till.receipt).toContainText('T1-1');
    await till.press('Enter');
    await expect(till.line(MUG)).toContainText('1×');
    await expect(till.line(BIRD)).toBeVisible();
    await till.press('F12');
    await expect(till.receipt).toContainText('T1-2');
    const { total } = await shop.call('sales_report', { by: 'day' });
    expect(total.receipts).toBe(2);
  });

  test('is no sale again if all of it is on the receipt', async ({ till, shop }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await shop.sellUnseen();
    await till.press('F10');
    await expect(till.receipt).toContainText('Take no money for it again');
    await expect(till.receipt).toContainText('£3.94');
    await till.button('Next sale').click();
    await expect(till.page.getByText('Scan or type')).toBeVisible();
  });

  test('is sold if its id was used for something else', async ({ till, shop }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    const { cart } = await shop.call('cart');
    await shop.act('add_customer', { requestId: cart.id, name: 'Ann' });
    await till.press('F12');
    await expect(till.receipt).toContainText('T1-1');
    await expect(till.receipt).not.toContainText('already');
  });
});

test.describe('a product that is not for everyone', () => {
  test('asks for the age when it is scanned, and that is noted on the receipt', async ({
    till,
    shop,
  }) => {
    await shop.act('set_age_rule', { product: MUG.id, minimumAge: 18 });
    await till.scan(MUG);
    await expect(till.line(MUG)).toContainText('Only for 18 and over');
    await till.button('Checked: 18 or over').click();
    await expect(till.line(MUG)).not.toContainText('Only for');
    await expect(till.receipt).toBeHidden();
    await till.page.reload();
    await expect(till.line(MUG)).toBeVisible();
    await till.press('F12');
    await expect(till.receipt).toContainText('T1-1');
    expect((await shop.call('receipt', { receipt: 'T1-1' })).ageChecked).toBe(18);
    await till.scan(MUG);
    await expect(till.line(MUG)).toContainText('Only for 18 and over');
  });

  for (const how of ['clears the cart', 'removes the last row'])
    test(`asks for it again after somebody ${how}`, async ({ till, shop }) => {
      await shop.act('set_age_rule', { product: MUG.id, minimumAge: 18 });
      await till.scan(MUG);
      await till.button('Checked: 18 or over').click();
      await expect(till.line(MUG)).not.toContainText('Only for');
      if (how === 'removes the last row') await till.press('Delete');
      else {
        await till.button('Clear').click();
        await till.button('Clear the cart').click();
      }
      await expect(till.line(MUG)).toBeHidden();
      await till.scan(MUG);
      await expect(till.line(MUG)).toContainText('Only for 18 and over');
    });

  test('is refused until somebody made sure, and then sold for what was given', async ({
    till,
    shop,
  }) => {
    await shop.act('set_age_rule', { product: MUG.id, minimumAge: 18 });
    await till.scan(BIRD);
    await till.scan(MUG);
    await till.press('F9');
    await till.type('20');
    await till.press('Enter');
    await expect(till.line(MUG).getByRole('alert')).toContainText('only for 18 years and over');
    await till.button('Checked: 18 or over').click();
    await expect(till.receipt.getByRole('status')).toContainText('£17.25');
    expect((await shop.call('receipt', { receipt: 'T1-1' })).ageChecked).toBe(18);
  });
});

test.describe('a code that nothing has', () => {
  test('stays until it is removed, and nothing is sold meanwhile', async ({ till }) => {
    await till.scan(MUG);
    await till.scan('4006381333931');
    const row = till.page.getByText('Unknown code');
    await expect(row).toBeVisible();
    await till.press('F12');
    await expect(till.receipt).toBeHidden();
    await till.page.getByRole('listitem').filter({ has: row }).getByText('Remove').click();
    await expect(row).toBeHidden();
    await till.press('F12');
    await expect(till.receipt).toBeVisible();
  });

  test('gives way to the product that is searched for it', async ({ till }) => {
    await till.scan('4006381333931');
    await till.button('Search').click();
    await expect(till.search).toBeFocused();
    await till.type('bird orn');
    await till.press('Enter');
    await expect(till.line(BIRD)).toBeVisible();
    await expect(till.page.getByText('Unknown code')).toBeHidden();
  });

  test('is told apart from one that was misread', async ({ till }) => {
    await till.scan('2000000002812');
    await expect(till.page.getByText('Misread, scan again')).toBeVisible();
  });
});

test.describe('a code that could not be looked up', () => {
  const row = (till) => till.page.getByText('Waiting to be looked up');

  test('is looked up again when somebody says so', async ({ till }) => {
    await refuseOnce(till.page, 'scan', 'lock_timeout');
    await till.scan(MUG);
    await expect(row(till)).toBeVisible();
    await till.button('Look up again').click();
    await expect(till.line(MUG)).toBeVisible();
    await expect(row(till)).toBeHidden();
  });

  test('is looked up when somebody signs in again', async ({ till }) => {
    await refuseOnce(till.page, 'scan', 'signed_out');
    await till.scan(MUG);
    await till.enterPin('Tom Ashby', '4444');
    await expect(till.line(MUG)).toBeVisible();
    await expect(row(till)).toBeHidden();
  });

  test('stays removed if somebody removed it meanwhile', async ({ till }) => {
    let goOn;
    const wait = async (route) => {
      await new Promise((resolve) => (goOn = resolve));
      await route.continue();
    };
    await till.page.route('**/api/call/scan', wait, { times: 1 });
    await till.scan(MUG);
    await expect(row(till)).toBeVisible();
    await till.button('Remove').click();
    goOn();
    await till.scan(BIRD);
    await expect(till.line(BIRD)).toBeVisible();
    await expect(till.line(MUG)).toBeHidden();
  });
});

test.describe('what happens elsewhere', () => {
  test('shows on the tile at once, and no tile moves', async ({ till, shop }) => {
    await expect(till.tile(BIRD)).toContainText('66 left');
    const place = await till.tile(BIRD).boundingBox();
    await shop.sellElsewhere(BIRD.id, 3);
    await expect(till.tile(BIRD)).toContainText('63 left');
    expect(await till.tile(BIRD).boundingBox()).toEqual(place);
  });

  test('changes a price only when the cashier says so', async ({ till, shop }) => {
    await scanBeforeItCostsMore(till, shop);
    await expect(till.line(BIRD)).toContainText('The price is £1.99 now');
    await expect(till.total).toHaveText('£1.69');
    await till.button('Use £1.99').click();
    await expect(till.total).toHaveText('£1.99');
    await till.press('F12');
    await expect(till.receipt).toContainText('£1.99');
  });

  test('sells at the price that was scanned unless it is changed', async ({ till, shop }) => {
    await scanBeforeItCostsMore(till, shop);
    await expect(till.line(BIRD)).toContainText('The price is £1.99 now');
    await till.press('F12');
    await expect(till.receipt).toContainText('£1.69');
  });

  test('makes a price too old to be charged, and the line says the new one', async ({
    till,
    shop,
  }) => {
    await till.scan(BIRD);
    await expect(till.line(BIRD)).toBeVisible();
    // Only the price of before the last change is still charged for a while.
    await shop.act('change_price', { product: BIRD.id, price: 199 }, 'T2');
    await shop.act('change_price', { product: BIRD.id, price: 209 }, 'T2');
    await expect(till.line(BIRD)).toContainText('The price is £2.09 now');
    await till.press('F12');
    await expect(till.line(BIRD).getByRole('alert')).toContainText('costs 2.09 by now, not 1.69');
    await expect(till.receipt).toBeHidden();
    await till.button('Use £2.09').click();
    await expect(till.total).toHaveText('£2.09');
    await till.press('F12');
    await expect(till.receipt).toContainText('£2.09');
  });

  test('can be that the shift is closed, and the cart is kept', async ({ till, shop }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    const { shift } = await shop.call('shift');
    await shop.act('close_shift', { shift: shift.shift, countedCash: 10_000 });
    await expect(till.page.getByText('The shift isn’t open yet')).toBeVisible();
    await expect(till.page.getByText('The cart is kept: 1 line.')).toBeVisible();
    await till.type('100');
    await till.press('Enter');
    await expect(till.line(MUG)).toBeVisible();
  });

  for (const [what, begin] of Object.entries({
    'a quantity': () => undefined,
    'cash given': (till) => till.press('F9'),
  }))
    test(`can be that the shift is closed, and ${what} is nothing for the next`, async ({
      till,
      shop,
    }) => {
      await till.scan(MUG);
      await expect(till.line(MUG)).toBeVisible();
      await begin(till);
      await till.type('12');
      const { shift } = await shop.call('shift');
      await shop.act('close_shift', { shift: shift.shift, countedCash: 10_000 });
      await expect(till.page.getByText('The shift isn’t open yet')).toBeVisible();
      await till.press('Enter');
      await expect(till.button('Open shift: type the cash first')).toBeDisabled();
      await till.type('100');
      await shop.open();
      await expect(till.line(MUG)).toContainText('1×');
      await expect(till.page.getByText('Quantity')).toBeHidden();
    });
});

test.describe('a till whose shift is closed', () => {
  test('is opened with what is in the drawer', async ({ page }) => {
    const shop = Shop.demo();
    const till = new Till(page);
    await till.open(await shop.serve());
    await expect(page.getByText('The shift isn’t open yet')).toBeVisible();
    await till.type('120.5');
    await till.press('Enter');
    await expect(page.getByText('Scan or type')).toBeVisible();
    const { shift } = await shop.call('shift');
    expect(shift.float).toBe(12_050);
    await shop.close();
  });

  test('takes scans, which wait for it', async ({ page }) => {
    const shop = Shop.demo();
    const till = new Till(page);
    await till.open(await shop.serve());
    await till.scan(MUG);
    await expect(page.getByText('The cart is kept: 1 line.')).toBeVisible();
    await till.button('£100').click();
    await page.getByRole('button', { name: 'Open shift with £100' }).click();
    await expect(till.line(MUG)).toBeVisible();
    await shop.close();
  });
});

test.describe('when the backend is lost', () => {
  test('the till says so, keeps what is scanned, and goes on by itself', async ({ till }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await till.page.context().setOffline(true);
    await till.scan(BIRD);
    await expect(till.page.getByText('The till’s program doesn’t answer')).toBeVisible();
    await expect(till.page.getByText('Waiting to be looked up')).toBeVisible();
    await till.page.context().setOffline(false);
    await expect(till.line(BIRD)).toBeVisible();
    await expect(till.page.getByText('The till’s program doesn’t answer')).toBeHidden();
  });

  test('what is scanned while a sale waits is counted, and begins the next', async ({ till }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await till.page.context().setOffline(true);
    await till.press('F12');
    await till.scan(BIRD);
    await expect(till.page.getByText('1 more for the next sale')).toBeVisible();
    await expect(till.button('Clear')).toBeHidden();
    await till.page.context().setOffline(false);
    await expect(till.line(BIRD)).toBeVisible();
    await expect(till.line(MUG)).toBeHidden();
  });

  test('a sale that waits is not changed, and no key for it pays the next', async ({
    till,
    shop,
  }) => {
    await scanBeforeItCostsMore(till, shop);
    await expect(till.button('Use £1.99')).toBeVisible();
    await till.page.context().setOffline(true);
    await till.press('F12');
    await expect(till.button('Waiting')).toBeDisabled();
    await expect(till.button('Use £1.99')).toBeDisabled();
    await expect(till.total).toHaveText('£1.69');
    await till.scan(MUG);
    for (const key of ['F12', 'F10', 'F9']) await till.press(key);
    await till.page.context().setOffline(false);
    await expect(till.line(MUG)).toBeVisible();
    await till.page.waitForTimeout(300);
    await expect(till.line(MUG)).toBeVisible();
    const { total } = await shop.call('sales_report', { by: 'day' });
    expect([total.receipts, total.gross]).toEqual([1, 169]);
  });

  test('a sale that was being paid is finished once, when it is back', async ({ till, shop }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await till.page.context().setOffline(true);
    await till.press('F12');
    await expect(till.page.getByText('The till’s program doesn’t answer')).toBeVisible();
    await till.page.context().setOffline(false);
    await expect(till.receipt).toContainText('T1-1');
    const { total } = await shop.call('sales_report', { by: 'day' });
    expect(total.receipts).toBe(1);
  });

  test('a page of an earlier start says what to do', async ({ till, shop }) => {
    await till.scan(MUG);
    await isKept(shop, { [MUG.id]: 1000 });
    const { port } = new URL(till.page.url());
    await shop.kill();
    const address = await shop.serve('--port', port);
    await expect(till.page.getByText('This page is of an earlier start')).toBeVisible();
    await till.open(address);
    await expect(till.line(MUG)).toBeVisible();
  });
});

test.describe('the cart of before', () => {
  test('comes first, however late it comes, and what was scanned meanwhile is added', async ({
    till,
    shop,
  }) => {
    await till.scan(MUG);
    await isKept(shop, { [MUG.id]: 1000 });
    await till.page.route('**/api/call/cart', async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      await route.continue();
    });
    await till.page.reload();
    await till.tiles.first().waitFor();
    await till.scan(BIRD);
    await till.press('F12');
    await expect(till.receipt).toContainText('£2.75');
  });

  test('is not forgotten if the backend was away just when it was asked for', async ({
    till,
    shop,
  }) => {
    await till.scan(MUG);
    await isKept(shop, { [MUG.id]: 1000 });
    let asked = 0;
    await till.page.route('**/api/call/cart', (route) =>
      asked++ === 0 ? route.abort() : route.continue(),
    );
    await till.page.reload();
    await expect(till.line(MUG)).toBeVisible();
    expect(asked).toBe(2);
  });
});

test('the cart of before is asked for until it is told, and nothing is kept in its place', async ({
  till,
  shop,
}) => {
  await till.scan(MUG);
  await isKept(shop, { [MUG.id]: 1000 });
  await refuseOnce(till.page, 'cart', 'lock_timeout', { message: 'Someone holds the store.' });
  await till.page.reload();
  await till.tiles.first().waitFor();
  await till.scan(BIRD);
  await expect(till.line(BIRD)).toBeVisible();
  await expect(till.line(MUG)).toBeVisible();
  await isKept(shop, { [MUG.id]: 1000, [BIRD.id]: 1000 });
});

test.describe('after a kill', () => {
  test('the cart is there again, to the last scan', async ({ till, shop }) => {
    await till.scan(MUG);
    await till.scan(BIRD);
    await till.type('4');
    await till.press('Enter');
    await isKept(shop, { [MUG.id]: 1000, [BIRD.id]: 4000 });
    await shop.kill();
    await till.open(await shop.serve());
    await expect(till.line(MUG)).toBeVisible();
    await expect(till.line(BIRD)).toContainText('4×');
    await expect(till.total).toHaveText('£7.82');
  });

  test('there is either the cart or the receipt, whenever it came', async ({ till, shop }) => {
    test.setTimeout(90_000);
    for (let round = 1; round <= 8; round++) {
      await till.scan(MUG);
      // What is shown is kept, so the kill may come at once.
      await expect(till.line(MUG)).toBeVisible();
      await till.press('F12');
      await till.page.waitForTimeout(round * 3);
      await shop.kill();
      const { total } = await shop.call('sales_report', { by: 'day' });
      await till.open(await shop.serve());
      const isSold = total.receipts === round;
      if (isSold) await expect(till.line(MUG)).toBeHidden();
      else {
        expect(total.receipts).toBe(round - 1);
        await expect(till.line(MUG)).toContainText('1×');
        await till.press('F12');
        await expect(till.receipt).toContainText(`T1-${round}`);
      }
    }
  });
});

test.describe('a store that is damaged', () => {
  test('while somebody sells is told with what to do, and the cart is kept', async ({
    till,
    shop,
  }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    damage(shop);
    await till.press('F12');
    await expect(till.page.getByText('The shop’s data is damaged')).toBeVisible();
    await expect(till.line(MUG)).toBeVisible();
    await till.button('Try again').click();
    await expect(till.receipt).toBeHidden();
  });

  test('before the till is opened is told in place of it', async ({ page }) => {
    const shop = Shop.demo();
    damage(shop);
    await page.goto(await shop.serveSignedOut());
    await expect(page.getByRole('heading')).toHaveText('The till can’t be opened');
    await shop.close();
  });
});

test.describe('a store that can only be read', () => {
  test('is told with the first sale, shows what is there, and keeps the cart until it is mended', async ({
    page,
  }) => {
    const shop = Shop.demo();
    await shop.open();
    shop.protect();
    const till = new Till(page);
    await till.open(await shop.serve());
    await till.search.fill('alarm');
    await expect(till.tiles).toHaveCount(6);
    await till.search.fill('');
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await till.press('F12');
    await expect(page.getByText('The shop’s data can only be read')).toBeVisible();
    const told = page.getByRole('alert').getByText('give this user the right to write there');
    await expect(told).toBeVisible();
    await till.button('Try again').click();
    await expect(till.receipt).toBeHidden();
    await till.scan(BIRD);
    await expect(till.line(BIRD)).toBeVisible();
    await shop.kill();

    shop.protect(false);
    await till.open(await shop.serve());
    await expect(till.line(MUG)).toBeVisible();
    await till.press('F12');
    await expect(till.receipt).toContainText('£2.75');
    await expect(page.getByText('The shop’s data can only be read')).toBeHidden();
    await shop.close();
  });
});

test('a shop that is not set up says how to begin', async ({ page }) => {
  const shop = Shop.empty();
  await page.goto(await shop.serve());
  await expect(page.getByRole('heading')).toHaveText('This shop isn’t set up yet');
  await shop.close();
});

test('two windows share one cart, and one at a time shows it', async ({ till, context }) => {
  await till.scan(MUG);
  await expect(till.line(MUG)).toBeVisible();
  const other = new Till(await context.newPage());
  await other.page.goto(till.page.url());
  await expect(other.page.getByText('This till is used in another window')).toBeVisible();
  await other.page.getByRole('button', { name: 'Use it here' }).click();
  await expect(other.line(MUG)).toBeVisible();
  await expect(till.page.getByText('This till is used in another window')).toBeVisible();
  await other.press('F12');
  await expect(other.receipt).toContainText('T1-1');
});

test('a window that lost the till signs nobody out', async ({ till, shop, context }) => {
  const { settings } = await shop.call('shop');
  await shop.act('configure_shop', { ...settings, tills: { autoLockSeconds: 4 } });
  const other = new Till(await context.newPage());
  await other.page.goto(till.page.url());
  await other.page.getByRole('button', { name: 'Use it here' }).click();
  for (let signs = 0; signs < 12; signs++) {
    await other.press('Shift');
    await other.page.waitForTimeout(400);
  }
  await other.scan(MUG);
  await expect(other.line(MUG)).toBeVisible();
});

test('the smallest window has room for all that is in the bar', async ({ till }) => {
  await till.page.setViewportSize({ width: 1024, height: 700 });
  const status = await till.page.getByRole('group', { name: 'Status' }).boundingBox();
  const panel = await till.page.getByRole('region', { name: 'Sale' }).boundingBox();
  expect(status.x + status.width).toBeLessThanOrEqual(panel.x);
});

test.describe('long things', () => {
  test('a name of eighty characters and a price of 9,999,999.99 fit', async ({ till, shop }) => {
    const name = 'Hand Painted Vintage Rose Porcelain Teapot With Bamboo Handle And Matching Sieve';
    expect(name).toHaveLength(80);
    const product = { category: 'Home', cost: 0, taxRate: 2000, stocked: false };
    await shop.act('add_product', { sku: 'DEAR', name, price: 999_999_999, ...product });
    await till.search.fill('dear');
    await expect(till.tiles).toHaveCount(1);
    for (const size of [
      { width: 1366, height: 768 },
      { width: 1024, height: 700 },
    ]) {
      await till.page.setViewportSize(size);
      expect(await cutOff(till.page)).toEqual([]);
    }
    await till.press('F2');
    await till.press('Enter');
    await expect(till.line({ id: 'DEAR' })).toContainText('£9,999,999.99');
    await till.press('Escape');
    expect(await cutOff(till.page)).toEqual([]);
    await till.press('F9');
    const lines = await till.button('£10,000,000').evaluate((button) => {
      const range = document.createRange();
      range.selectNodeContents(button);
      return new Set([...range.getClientRects()].map(({ top }) => top)).size;
    });
    expect(lines).toBe(1);
    // More than anyone gives, and then the most that makes sense.
    for (const given of ['99999999', '10000999']) {
      for (let digit = 0; digit < 8; digit++) await till.press('Backspace');
      await till.type(given);
      expect(await cutOff(till.page)).toEqual([]);
    }
    await till.press('Enter');
    await expect(till.receipt).toContainText(name);
    expect(await cutOff(till.page)).toEqual([]);
  });

  test('a cart of five hundred lines takes another', async ({ till, shop }) => {
    const products = await shop.keepLongCart();
    await till.page.reload();
    await expect(till.page.locator('[data-row]')).toHaveCount(500);
    const { id, barcodes } = products[280];
    await till.scan(barcodes[0].slice(1));
    await expect(till.line({ id })).toBeInViewport();
    await till.press('F12');
    await expect(till.page.getByText('left of').first().or(till.receipt)).toBeVisible();
  });
});

/** Scans a bird at £1.69, which costs £1.99 from then on. */
async function scanBeforeItCostsMore(till, shop) {
  await till.scan(BIRD);
  await expect(till.line(BIRD)).toBeVisible();
  await shop.act('change_price', { product: BIRD.id, price: 199 }, 'T2');
}

/** Answers the next checkout as the till does when a rule was changed in that very moment. */
function changeRule(page, product) {
  const message = 'A limit was set just now. Try again.';
  const details = { action: 'try_again', line: 1, product: product.id };
  return refuseOnce(page, 'checkout', 'limit_changed', { message, ...details });
}

/** Waits until the till's cart is safe on disk, with these quantities. */
async function isKept(shop, quantities) {
  const kept = async () => {
    const { cart } = await shop.call('cart');
    return Object.fromEntries(
      cart?.lines.map(({ product, quantity }) => [product, quantity]) ?? [],
    );
  };
  await expect.poll(kept).toEqual(quantities);
}

/** The texts that are wider than the place they have. */
function cutOff(page) {
  return page.evaluate(() =>
    [...document.querySelectorAll('.money, .stock, .amount, .total, .pay button, .given, .change')]
      // What is scrolled away is not laid out either.
      .filter((element) => element.checkVisibility({ contentVisibilityAuto: true }))
      .filter((element) => {
        const box = element.getBoundingClientRect();
        const frame = element.parentElement.getBoundingClientRect();
        return box.right > frame.right + 1 || box.left < frame.left - 1;
      })
      .map((element) => `${element.className}: ${element.textContent}`),
  );
}
