import { BIRD, MUG, Shop, Till, expect, reach, slowDown, test } from './fixtures.mjs';

test.describe('selling', () => {
  test('takes one scan and one key for exact cash', async ({ till }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toContainText('£1.06');
    await till.press('F12');
    await expect(till.receipt).toContainText('T1-1');
    await expect(till.receipt).toContainText(MUG.name);
    await expect(till.receipt).toContainText('Served by Priya Nair at T1');
    await expect(till.receipt.getByRole('status')).toContainText('£0.00');
  });

  test('charges what the label of a scale says, each on its line, also after a restart', async ({
    till,
    shop,
  }) => {
    const cheese = { id: 'CHEDDAR' };
    for (const code of ['2300001008332', '2100001004507']) await till.scan(code);
    await expect(till.line(cheese)).toHaveCount(2);
    await till.page.reload();
    await expect(till.line(cheese).first()).toContainText('£8.33');
    await expect(till.line(cheese).last()).toContainText('0.45');
    await till.scan('2100001000004');
    await expect(till.page.getByRole('alert')).toContainText('says 0. Weigh it again.');
    await till.button('Remove').click();
    await till.press('F12');
    await expect(till.receipt).toContainText('£16.66');
    const { lines } = await shop.call('receipt', { receipt: 'T1-1' });
    expect(lines.map(({ quantity, labelPrice }) => [quantity, labelPrice])).toEqual([
      [450, 833],
      [450, undefined],
    ]);
  });

  for (const [key, tender] of [
    ['F10', 'card'],
    ['F12', 'cash'],
  ])
    test(`takes by ${tender} what the label of a scale says, not what its weight comes to`, async ({
      till,
      shop,
    }) => {
      await till.scan('2300001008325');
      await expect(till.line({ id: 'CHEDDAR' })).toContainText('£8.32');
      await expect(till.total).toHaveText('£8.32');
      await till.press(key);
      await expect(till.receipt).toContainText('T1-1');
      const { gross, payments } = await shop.call('receipt', { receipt: 'T1-1' });
      expect({ gross, payments }).toMatchObject({
        gross: 832,
        payments: [{ tender, amount: 832 }],
      });
    });

  test('takes Pay, 5, 0, Enter for cash that is given', async ({ till }) => {
    await till.scan(MUG);
    await till.scan(BIRD);
    await expect(till.total).toHaveText('£2.75');
    await till.press('F9');
    await till.type('50');
    await expect(till.page.getByText('£47.25')).toBeVisible();
    await till.press('Enter');
    await expect(till.receipt.getByRole('status')).toContainText('£47.25');
  });

  test('takes one key for a card', async ({ till, shop }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await till.press('F10');
    await expect(till.receipt.getByRole('status')).toContainText('Paid by card');
    const { payments } = await shop.call('receipt', { receipt: 'T1-1' });
    expect(payments).toEqual([{ tender: 'card', amount: 106 }]);
  });

  test('goes on with the next sale at the next scan, and the change stays until then', async ({
    till,
  }) => {
    await till.scan(MUG);
    await till.press('F9');
    await till.type('5');
    await till.press('Enter');
    await expect(till.receipt.getByRole('status')).toContainText('£3.94');
    await till.page.waitForTimeout(500);
    await expect(till.receipt.getByRole('status')).toContainText('£3.94');
    await till.scan(BIRD);
    await expect(till.receipt).toBeHidden();
    await expect(till.line(BIRD)).toBeVisible();
    await expect(till.line(MUG)).toBeHidden();
    await expect(till.total).toHaveText('£1.69');
  });

  test('waits for a scan that was not looked up yet', async ({ till, shop }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    shop.pause();
    await till.scan(BIRD);
    await till.press('F12');
    await expect(till.page.getByText('Waiting to be looked up')).toBeVisible();
    shop.goOn();
    await expect(till.receipt).toContainText(BIRD.name);
    await expect(till.receipt).toContainText('£2.75');
  });

  test('takes keys in their order, however late the lines come', async ({ till, shop }) => {
    await expect(till.page.getByText('Scan or type')).toBeVisible();
    shop.pause();
    await till.scan(MUG);
    await till.type('4');
    await till.press('Enter');
    await till.scan(BIRD);
    await till.press('F9');
    await till.type('20');
    await till.press('Enter');
    shop.goOn();
    await expect(till.receipt).toContainText('£5.93');
    await expect(till.receipt.getByRole('status')).toContainText('£14.07');
  });

  test('shows the last receipt again when the cart is empty', async ({ till }) => {
    await till.scan(MUG);
    await till.press('F12');
    await till.button('Next sale').click();
    await till.page.getByRole('button', { name: 'Last receipt T1-1' }).click();
    await expect(till.receipt).toContainText(MUG.name);
  });

  test('offers what was sold last for the next cart, also after a restart', async ({
    till,
    shop,
  }) => {
    const begin = till.page.getByText('Scan or type');
    await expect(till.page.getByText('Nothing yet')).toBeVisible();
    const place = await begin.boundingBox();
    await till.scan(MUG);
    await till.scan(BIRD);
    await till.press('F12');
    await till.button('Next sale').click();
    await expect(till.recent).toContainText([BIRD.name, MUG.name]);
    expect(await begin.boundingBox()).toEqual(place);
    await shop.kill();
    await till.open(await shop.serve());
    // Nobody may have seen the receipt.
    await till.button('Next sale').click();
    await expect(till.recent).toContainText([BIRD.name, MUG.name]);
    await expect(till.recent.first()).toContainText('£1.69');
    await till.recent.first().click();
    await expect(till.line(BIRD)).toContainText('1×');
    await expect(till.recent).toHaveCount(0);
    await till.press('Delete');
    await till.recent.last().focus();
    await till.press('Enter');
    await expect(till.line(MUG)).toContainText('1×');
    await expect(till.total).toHaveText('£1.06');
  });

  test('looks up what was sold last when the tiles are there, and never while something is in the cart', async ({
    till,
  }) => {
    const calls = [];
    const note = (what) => (call) => {
      const { pathname } = new URL(call.url());
      if (pathname.startsWith('/api/call/')) calls.push(`${what} ${pathname.slice(10)}`);
    };
    till.page.on('request', note('asked'));
    till.page.on('response', note('told'));
    await till.page.reload();
    await expect(till.page.getByText('Nothing yet')).toBeVisible();
    const isTold = calls.indexOf('told search');
    expect(isTold).toBeGreaterThanOrEqual(0);
    expect(calls.indexOf('asked recently_sold')).toBeGreaterThan(isTold);
    calls.length = 0;
    await till.scan(MUG);
    await till.scan(BIRD);
    await expect(till.line(BIRD)).toBeVisible();
    expect(calls).toContain('asked scan');
    expect(calls).not.toContain('asked recently_sold');
  });

  test('refuses less cash than the total before anything is sent', async ({ till }) => {
    await till.scan(MUG);
    await till.press('F9');
    await till.type('1');
    await expect(till.page.getByText('Still to pay')).toBeVisible();
    await till.press('Enter');
    await expect(till.receipt).toBeHidden();
    await till.press('Escape');
    await expect(till.line(MUG)).toBeVisible();
  });

  test('takes no more cash than anyone gives, and no digits beyond that', async ({ till }) => {
    const tooMuch = till.page.getByText('That is more than anyone gives: check the amount');
    await till.scan(MUG);
    await till.press('F9');
    await till.type('10001.07');
    await expect(tooMuch).toBeVisible();
    await expect(till.page.getByRole('button', { name: /^Take/ })).toBeDisabled();
    await till.press('Enter');
    await expect(till.receipt).toBeHidden();
    for (let digit = 0; digit < 8; digit++) await till.press('Backspace');
    await till.type('99999999');
    await expect(till.button('Take £99,999')).toBeDisabled();
    for (let digit = 0; digit < 5; digit++) await till.press('Backspace');
    await till.type('10001.06');
    await expect(tooMuch).toBeHidden();
    await till.press('Enter');
    await expect(till.receipt.getByRole('status')).toContainText('£10,000.00');
  });

  test('keeps what is typed until it is taken, and pays nothing before', async ({ till }) => {
    await till.scan(MUG);
    await till.type('12');
    for (const key of ['F12', 'F10', 'F9']) await till.press(key);
    await expect(till.page.getByText('To pay, press Qty first', { exact: true })).toBeVisible();
    await expect(till.button('Exact cash')).toBeDisabled();
    await till.press('Enter');
    await expect(till.line(MUG)).toContainText('12×');
    await till.press('F9');
    await till.type('20');
    for (const key of ['F12', 'F10']) await till.press(key);
    await expect(till.page.getByText('£7.28')).toBeVisible();
    await till.press('Enter');
    await expect(till.receipt.getByRole('status')).toContainText('£7.28');
  });

  test('shows the cash that was given until the sale is answered', async ({ till }) => {
    await till.scan(MUG);
    await till.press('F9');
    await till.type('50');
    await slowDown(till.page, 'checkout');
    await till.press('Enter');
    await till.type('7');
    await expect(till.page.getByText('£48.94')).toBeVisible();
    await expect(till.page.getByText('Quantity')).toBeHidden();
    await expect(till.receipt.getByRole('status')).toContainText('£48.94');
  });

  test('sells a product that costs nothing', async ({ till, shop }) => {
    const gift = { sku: 'GIFT', name: 'Gift Bag', category: '', price: 0, cost: 0, taxRate: 0 };
    await shop.act('add_product', { ...gift, stocked: false });
    await till.search.fill('gift');
    await till.press('Enter');
    await expect(till.line({ id: 'GIFT' })).toBeVisible();
    await till.press('F12');
    await expect(till.receipt).toContainText('Gift Bag');
  });
});

test.describe('the cart', () => {
  test('takes the same product again onto the same line', async ({ till }) => {
    for (let scans = 0; scans < 3; scans++) await till.scan(MUG);
    await expect(till.line(MUG)).toContainText('3×');
    await expect(till.total).toHaveText('£3.18');
  });

  test('keeps ten quick scans in their order', async ({ till, shop }) => {
    const { products } = await shop.call('products', { category: 'Home', pageSize: 10 });
    for (const { barcodes } of products) await till.scan(barcodes[0].slice(1));
    await expect(till.page.locator('[data-line]')).toHaveCount(10);
    const lines = till.page.locator('[data-line]');
    const ids = await lines.evaluateAll((all) => all.map((line) => line.dataset.line));
    expect(ids).toEqual(products.map(({ id }) => id));
  });

  test('lets a quantity be typed, stepped and taken away', async ({ till }) => {
    await till.scan(MUG);
    await till.scan(BIRD);
    await till.type('12');
    await expect(till.page.getByText('Quantity 12')).toBeVisible();
    await till.press('Enter');
    await expect(till.line(BIRD)).toContainText('12×');
    await till.type('-');
    await expect(till.line(BIRD)).toContainText('11×');
    await till.press('ArrowUp');
    await till.type('+');
    await expect(till.line(MUG)).toContainText('2×');
    await till.press('Delete');
    await expect(till.line(MUG)).toBeHidden();
    await expect(till.line(BIRD)).toBeVisible();
  });

  test('takes more digits than a quantity has for a code', async ({ till }) => {
    const lines = { tin: till.line({ id: '21217' }), bird: till.line(BIRD) };
    await till.scan(MUG);
    await till.type('21217');
    await expect(till.page.getByText('Code 21217')).toBeVisible();
    await expect(till.button('Qty: take what is typed')).toBeHidden();
    await expect(till.button('Find: take what is typed')).toBeEnabled();
    await till.press('Enter');
    await expect(lines.tin).toContainText('1×');
    await till.type(BIRD.code);
    await till.press('Enter');
    await expect(lines.bird).toContainText('1×');
    await till.type('9999');
    await till.press('Enter');
    await expect(lines.bird).toContainText('9,999×');
    await till.type('4006381333931');
    await till.press('Enter');
    await expect(till.page.getByText('Unknown code')).toBeVisible();
    await expect(lines.bird).toContainText('9,999×');
    await expect(till.line(MUG)).toContainText('1×');
  });

  test('takes a point for nothing, and 0 for none', async ({ till }) => {
    await till.scan(MUG);
    await till.type('.');
    await till.press('Enter');
    await expect(till.line(MUG)).toContainText('1×');
    await till.type('0');
    await till.press('Enter');
    await expect(till.line(MUG)).toBeHidden();
  });

  test('tells which line is chosen', async ({ till }) => {
    await till.scan(MUG);
    await till.scan(BIRD);
    await expect(till.line(BIRD)).toBeVisible();
    await till.press('ArrowUp');
    const said = till.page.getByRole('status').filter({ hasText: `1 × ${MUG.name}, £1.06` });
    await expect(said).toHaveCount(1);
  });

  test('is emptied only when asked twice', async ({ till }) => {
    await till.scan(MUG);
    await till.page.getByRole('button', { name: 'Clear', exact: true }).click();
    await till.button('Keep').click();
    await expect(till.line(MUG)).toBeVisible();
    await till.page.getByRole('button', { name: 'Clear', exact: true }).click();
    await till.button('Clear the cart').click();
    await expect(till.line(MUG)).toBeHidden();
    await expect(till.page.getByText('Scan or type')).toBeVisible();
  });

  test('says what leaves it when it is emptied', async ({ till }) => {
    const dialog = till.page.getByRole('dialog');
    const clear = till.page.getByRole('button', { name: 'Clear', exact: true });
    await till.scan('4006381333931');
    await clear.click();
    await expect(dialog).toContainText('1 code without a product leaves the cart.');
    await till.button('Keep').click();
    await till.scan(MUG);
    await till.scan(MUG);
    await clear.click();
    await expect(dialog).toContainText('2 items and 1 code without a product leave the cart.');
  });
});

test.describe('search', () => {
  test('finds from the first letter, and Enter takes the best', async ({ till }) => {
    const marked = till.page.locator('.tile[aria-current=true]');
    await expect(marked).toHaveCount(0);
    await till.tiles.last().scrollIntoViewIfNeeded();
    await expect(till.tiles.first()).not.toBeInViewport();
    await till.press('F2');
    await till.type('c');
    await expect(till.tiles.first()).toContainText(/\bC/i);
    await expect(till.tiles.first()).toBeInViewport();
    await expect(till.tiles.first()).toHaveAttribute('aria-current', 'true');
    await till.type('akestand');
    await expect(till.tiles).toHaveCount(1);
    await expect(marked).toHaveAttribute('data-product', '22423');
    await till.press('Enter');
    await expect(till.line({ id: '22423' })).toBeVisible();
    await expect(till.search).toHaveValue('');
    await expect(marked).toHaveCount(0);
  });

  test('takes the best of the category that is chosen', async ({ till, shop }) => {
    const input = { text: 'r', category: 'Garden' };
    const { products } = await shop.call('search', input);
    const everywhere = await shop.call('search', { text: 'r', limit: 1 });
    expect(products[0].id).not.toBe(everywhere.products[0].id);
    await till.press('F2');
    await till.type('r');
    await till.page.getByRole('tab', { name: 'Garden' }).click();
    const marked = till.page.locator('.tile[aria-current=true]');
    await expect(marked).toHaveAttribute('data-product', products[0].id);
    await till.press('F2');
    await till.press('Enter');
    await expect(till.line(products[0])).toBeVisible();
  });

  test('takes the one that is marked, also when another has become more popular', async ({
    till,
    shop,
  }) => {
    await till.press('F2');
    await till.type('alarm');
    await expect(till.tiles).toHaveCount(6);
    const second = await till.tiles.nth(1).getAttribute('data-product');
    await shop.sellElsewhere(second);
    // It stays in its place, and is the best now.
    await expect(till.tiles.nth(1)).toHaveAttribute('aria-current', 'true');
    await expect(till.tiles.nth(1)).toHaveAttribute('data-product', second);
    await till.press('Enter');
    await expect(till.line({ id: second })).toBeVisible();
  });

  test('asks once for each key', async ({ till }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await till.press('F2');
    const asked = [];
    till.page.on('request', (request) => {
      if (request.url().includes('/api/call/')) asked.push(request.postDataJSON());
    });
    await till.type('mug');
    await expect(till.tiles.first()).toContainText('Mug');
    expect(asked).toEqual([{ text: 'm' }, { text: 'mu' }, { text: 'mug' }]);
  });

  test('begins when letters are typed anywhere', async ({ till }) => {
    await till.type('alarm');
    await expect(till.search).toHaveValue('alarm');
    await expect(till.search).toBeFocused();
    await expect(till.tiles).toHaveCount(6);
  });

  test('takes what is typed when Enter comes before the list', async ({ till }) => {
    await till.press('F2');
    await till.page.keyboard.insertText('85014B');
    await till.press('Enter');
    await expect(till.line({ id: '85014B' })).toBeVisible();
  });

  test('is left when something was found, so that a quantity and cash can be typed', async ({
    till,
  }) => {
    await till.press('F2');
    await till.type('drink me');
    await till.press('Enter');
    await expect(till.line(MUG)).toBeVisible();
    await till.type('3');
    await till.press('Enter');
    await expect(till.line(MUG)).toContainText('3×');
    await till.press('F2');
    await till.press('F9');
    await till.type('50');
    await till.press('Enter');
    await expect(till.receipt.getByRole('status')).toContainText('£46.82');
    await till.press('F2');
    await till.press('Enter');
    await expect(till.page.getByText('Scan or type')).toBeVisible();
  });

  test('takes digits for a code, never for part of a name', async ({ till }) => {
    const marked = till.page.locator('.tile[aria-current=true]');
    await till.type('12');
    await expect(till.search).toHaveValue('12');
    await expect(till.tiles.first()).toContainText('12');
    await expect(marked).toHaveCount(0);
    await till.press('Enter');
    await expect(till.page.getByText('Unknown code')).toBeVisible();
    await expect(till.page.locator('[data-line]')).toHaveCount(0);
    await expect(till.search).toHaveValue('');
    // It is chosen now, and nothing that a quantity could be of.
    await till.type(MUG.id);
    await till.press('Enter');
    await expect(till.line(MUG)).toBeVisible();
    await expect(till.search).toHaveValue('');
  });

  test('stays as it is when a tile is touched, for a second touch, until something else is typed', async ({
    till,
  }) => {
    await till.press('F2');
    await till.type('alarm');
    await expect(till.tiles).toHaveCount(6);
    const id = await till.tiles.nth(1).getAttribute('data-product');
    await till.tiles.nth(1).dblclick();
    await expect(till.line({ id })).toContainText('2×');
    await expect(till.page.locator('[data-line]')).toHaveCount(1);
    await expect(till.search).toHaveValue('alarm');
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await expect(till.search).toHaveValue('alarm');
    await till.type('bird orn');
    await expect(till.search).toHaveValue('bird orn');
    await till.tile(BIRD).click();
    await till.press('F2');
    await till.type('cake');
    await expect(till.search).toHaveValue('cake');
    await till.tiles.first().click();
    await till.press('Escape');
    await expect(till.search).toHaveValue('');
    await till.button('Clear').click();
    await till.button('Clear the cart').click();
    await till.type('drink me');
    await till.tile(MUG).click();
    await till.press('F12');
    await expect(till.receipt).toBeVisible();
    await expect(till.search).toHaveValue('');
  });

  test('lets arrows go on from the tile that was touched', async ({ till }) => {
    await till.type('alarm');
    await expect(till.tiles).toHaveCount(6);
    await till.tiles.nth(2).click();
    await till.press('ArrowRight');
    await expect(till.tiles.nth(3)).toBeFocused();
  });

  test('says so when it finds nothing', async ({ till }) => {
    await till.search.fill('zebra');
    await expect(till.page.getByText('Nothing is called “zebra”')).toBeVisible();
  });

  test('says that there are more than are shown', async ({ till }) => {
    const more = till.page.getByText('Only the first 50 are shown');
    await expect(more).toBeAttached();
    await till.page.getByRole('tab', { name: 'Garden' }).click();
    await expect(more).toHaveCount(0);
  });

  test('is left for a category by its tab', async ({ till, shop }) => {
    const { products } = await shop.call('products', { category: 'Garden' });
    const all = Math.min(products.length, 50);
    await till.page.getByRole('tab', { name: 'Garden' }).click();
    await expect(till.tiles).toHaveCount(all);
    await till.tiles.last().scrollIntoViewIfNeeded();
    await till.page.getByRole('tab', { name: 'All' }).click();
    await expect(till.tiles).toHaveCount(50);
    await expect(till.tiles.first()).toBeInViewport();
    await till.page.getByRole('tab', { name: 'Garden' }).click();
    await expect(till.tiles).toHaveCount(all);
    await expect(till.tile(BIRD)).toBeVisible();
  });
});

test.describe('the scanner', () => {
  test('leaves a field that is typed into as it was', async ({ till }) => {
    await till.press('F2');
    await till.type('bird');
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await expect(till.search).toHaveValue('bird');
    await expect(till.search).toBeFocused();
    await till.type('s');
    await expect(till.search).toHaveValue('birds');
  });

  test('is known even if the machine is too busy to hear all of a code at once', async ({
    till,
  }) => {
    await till.scan(MUG);
    await till.scan(BIRD, { heldUpMs: 400 });
    await expect(till.line(BIRD)).toContainText('1×');
    await expect(till.line(MUG)).toContainText('1×');
    await expect(till.search).toHaveValue('');
    await expect(till.search).not.toBeFocused();
    await till.type('4');
    await till.press('Enter');
    await expect(till.line(BIRD)).toContainText('4×');
  });

  test('is never taken for a quantity', async ({ till }) => {
    await till.scan(MUG);
    await till.type('3');
    await till.scan(BIRD);
    await expect(till.line(BIRD)).toContainText('1×');
    await expect(till.line(MUG)).toContainText('1×');
    await expect(till.page.getByText('Quantity')).toBeHidden();
  });

  test('is heard while cash is counted, and the cart is shown again', async ({ till }) => {
    await till.scan(MUG);
    await till.press('F9');
    await till.type('5');
    await till.scan(BIRD);
    await expect(till.line(BIRD)).toBeVisible();
    await expect(till.total).toHaveText('£2.75');
  });

  test('may be slow, where that is set', async ({ till }) => {
    const slowly = { gapMs: 100 };
    await till.search.fill('zebra');
    await till.scan(BIRD, slowly);
    // Nobody can tell it from a person who types.
    await expect(till.search).toHaveValue(`zebra${BIRD.code}`);
    await expect(till.line(BIRD)).toBeHidden();
    await till.page.evaluate(() => localStorage.setItem('scanner-gap-ms', '150'));
    await till.page.reload();
    await till.search.fill('zebra');
    await till.scan(BIRD, slowly);
    await expect(till.line(BIRD)).toContainText('1×');
    await expect(till.search).toHaveValue('zebra');
  });

  test('changes nothing behind a dialog, which says so', async ({ till }) => {
    await till.scan(MUG);
    const dialog = till.page.getByRole('dialog');
    for (const open of ['Clear', 'Open since']) {
      await till.page.getByRole('button', { name: open }).click();
      await expect(dialog).not.toContainText('was scanned');
      await till.scan(BIRD);
      await expect(dialog).toContainText(`${BIRD.code} was scanned and is not in the cart.`);
      await till.press('Escape');
      await expect(dialog).toBeHidden();
      await expect(till.line(BIRD)).toBeHidden();
      await expect(till.line(MUG)).toContainText('1×');
    }
    await till.scan(BIRD);
    await expect(till.line(BIRD)).toContainText('1×');
  });

  test('is heard wherever the focus is', async ({ till }) => {
    await till.tile({ id: '22726' }).focus();
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await expect(till.line({ id: '22726' })).toBeHidden();
    await till.page.getByRole('tab', { name: 'All' }).focus();
    await till.scan(BIRD);
    await expect(till.line(BIRD)).toBeVisible();
    await till.button('Lock the till').focus();
    await till.scan('LOT 7 A');
    await expect(till.page.getByText('LOT 7 A', { exact: true })).toBeVisible();
    await expect(till.page.getByText('Who is at the till?')).toBeHidden();
  });
});

test.describe('with touch alone', () => {
  test.use({ hasTouch: true });

  test('a sale goes from the tile to the next sale', async ({ till }) => {
    await till.tile({ id: '16016' }).or(till.tiles.first()).first().tap();
    await till.button('One more').tap();
    await till.button('5').tap();
    await till.page.getByRole('button', { name: 'Qty' }).tap();
    await expect(till.page.locator('[data-line]')).toContainText('5×');
    await till.button('Pay').tap();
    await till.button('9').tap();
    await till.button('0').tap();
    await till.page.getByRole('button', { name: 'Take £90' }).tap();
    await expect(till.receipt).toContainText('T1-1');
    await till.button('Next sale').tap();
    await expect(till.page.getByText('Scan or type')).toBeVisible();
  });

  test('a code that is typed is looked up', async ({ till }) => {
    await till.tile(MUG).or(till.tiles.first()).first().tap();
    for (const digit of '21217') await till.button(digit).tap();
    await till.button('Find: take what is typed').tap();
    await expect(till.line({ id: '21217' })).toContainText('1×');
  });

  test('the numpad stays in its place while a sale goes on', async ({ till }) => {
    const place = () => till.button('5').boundingBox();
    const first = await place();
    await till.tiles.first().tap();
    expect(await place()).toEqual(first);
    await till.button('5').tap();
    expect(await place()).toEqual(first);
    await till.button('Qty: take what is typed').tap();
    await till.button('Pay').tap();
    expect(await place()).toEqual(first);
  });
});

test.describe('with the keyboard alone', () => {
  test('a product is found, sold and the next sale begun', async ({ till }) => {
    await till.press('F2');
    await till.type('alarm');
    await expect(till.tiles).toHaveCount(6);
    await till.press('ArrowDown');
    await expect(till.tiles.nth(0)).toBeFocused();
    await till.press('ArrowRight');
    await expect(till.tiles.nth(1)).toBeFocused();
    await till.press('ArrowUp');
    await expect(till.search).toBeFocused();
    await till.press('ArrowDown');
    await till.press('Enter');
    await expect(till.page.locator('[data-line]')).toHaveCount(1);
    await till.press('F9');
    await till.type('20');
    await till.press('Enter');
    await expect(till.receipt).toBeVisible();
    await till.press('Enter');
    await expect(till.page.getByText('Scan or type')).toBeVisible();
  });

  test('Enter means the button that was reached, or else what was typed', async ({ till }) => {
    await till.scan(MUG);
    await till.press('F9');
    await till.type('5');
    await reach(till, 'Back');
    await till.press('Enter');
    await expect(till.page.getByRole('heading', { name: 'Cart' })).toBeVisible();
    await expect(till.receipt).toBeHidden();
    // A button that was touched keeps the focus, and is done with.
    await till.tiles.first().click();
    await till.press('Enter');
    await expect(till.page.locator('[data-line]').last()).toContainText('1×');
    await reach(till, 'One more');
    await till.type('3');
    await till.press('Enter');
    await expect(till.page.locator('[data-line]').last()).toContainText('3×');
  });

  test('a shift is opened with no less than what was typed or chosen', async ({ page }) => {
    const shop = Shop.demo();
    const till = new Till(page);
    await till.open(await shop.serve());
    await till.type('12');
    await reach(till, '£50');
    await till.press('Enter');
    await expect(till.button('Open shift with £50')).toBeVisible();
    expect((await shop.call('shift')).shift ?? null).toBeNull();
    await shop.close();
  });

  test('all that can be touched can be reached', async ({ till }) => {
    await till.scan(MUG);
    const reached = new Set();
    for (let presses = 0; presses < 40; presses++) {
      await till.press('Tab');
      const name = await till.page.evaluate(() => {
        const { activeElement: it } = document;
        return it.getAttribute('aria-label') ?? it.textContent.trim().replace(/\s+/g, ' ');
      });
      if (reached.has(name)) break;
      reached.add(name);
    }
    const wanted = ['Search products', 'All', 'One more', 'Delete the last digit'];
    expect([...reached]).toEqual(expect.arrayContaining(wanted));
    expect([...reached].join('|')).toMatch(/Card.*Pay.*Exact cash/);
    expect([...reached].join('|')).toContain(MUG.name);
  });
});

test.describe('a shop with rules of its own', () => {
  async function configure(shop, rules) {
    const { settings } = await shop.call('shop');
    await shop.act('configure_shop', { ...settings, ...rules });
  }

  test('takes in cash what coins can pay, and on a card to the penny', async ({ till, shop }) => {
    await configure(shop, { smallestCoin: 5 });
    await till.scan(MUG);
    await till.scan(BIRD);
    await till.type('3');
    await till.press('Enter');
    await expect(till.total).toHaveText('£6.13');
    await expect(till.page.getByText('in cash £6.15')).toBeVisible();
    await till.press('F12');
    await expect(till.receipt.getByRole('status')).toContainText('£0.00');
    const first = await shop.call('receipt', { receipt: 'T1-1' });
    expect(first.payments).toEqual([{ tender: 'cash', amount: 615, given: 615, change: 0 }]);
    expect(first.rounding).toBe(2);
    await till.scan(MUG);
    await till.press('F9');
    await expect(till.button('Take £1.05')).toBeVisible();
    await till.type('2');
    await expect(till.page.getByText('£0.95')).toBeVisible();
    await till.press('Enter');
    await expect(till.receipt.getByRole('status')).toContainText('£0.95');
    await till.scan(MUG);
    await till.press('F10');
    await expect(till.receipt.getByRole('status')).toContainText('£1.06');
  });

  test('takes nothing in cash for what no coin can pay', async ({ till, shop }) => {
    await configure(shop, { smallestCoin: 5 });
    const bag = { sku: 'BAG', name: 'Paper Bag', category: '', price: 2, cost: 0, taxRate: 0 };
    await shop.act('add_product', { ...bag, stocked: false });
    await till.search.fill('paper bag');
    await expect(till.tile({ id: 'BAG' })).toBeVisible();
    await till.press('Enter');
    await expect(till.page.getByText('in cash £0.00')).toBeVisible();
    await till.press('F12');
    await expect(till.receipt).toContainText('T1-1');
    expect((await shop.call('receipt', { receipt: 'T1-1' })).rounding).toBe(-2);
  });

  test('takes the tax of a whole receipt on a card, also after the till was left', async ({
    till,
    shop,
  }) => {
    await configure(shop, { taxMode: 'excluded', taxRounding: 'receipt' });
    const penny = { category: '', price: 3, cost: 0, taxRate: 2000, stocked: false };
    for (const sku of ['PEN', 'PIN', 'PEG'])
      await shop.act('add_product', { sku, name: `Single ${sku}`, ...penny });
    for (const sku of ['PEN', 'PIN', 'PEG']) {
      await till.search.fill(sku);
      await expect(till.tile({ id: sku })).toBeVisible();
      await till.press('Enter');
      await expect(till.line({ id: sku })).toBeVisible();
    }
    // A fifth of 9 is 2; a fifth of 3 would be 1 on each line.
    await expect(till.total).toHaveText('£0.11');
    const unknown = { code: 'not_found', message: 'Not now.', details: { because: [] } };
    const answer = (route) => route.fulfill({ status: 404, json: unknown });
    await till.page.route('**/api/call/product', answer);
    await till.page.reload();
    await expect(till.total).toHaveText('£0.11');
    await till.press('F10');
    await expect(till.receipt.getByRole('status')).toContainText('£0.11');
  });
});

test.describe('a second tap at the same spot', () => {
  /** Taps twice where a button is, as a hand does that trembles or is in doubt. */
  async function tapTwice(till, button, pause = 150) {
    const { x, y, width, height } = await button.boundingBox();
    // On the right of it: there the next thing lies.
    const spot = [x + width * 0.7, y + height / 2];
    await till.page.mouse.click(...spot);
    await till.page.waitForTimeout(pause);
    await till.page.mouse.click(...spot);
    await till.page.waitForTimeout(300);
  }

  const receipts = async (shop) => (await shop.call('sales_report', { by: 'day' })).total.receipts;

  test('neither pays nor goes back', async ({ till, shop }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await tapTwice(till, till.button('Pay'));
    await expect(till.page.getByText('Cash given')).toBeVisible();
    await tapTwice(till, till.button('Back'));
    await expect(till.line(MUG)).toBeVisible();
    expect(await receipts(shop)).toBe(0);
  });

  test('leaves the change on the screen', async ({ till, shop }) => {
    await till.scan(MUG);
    await expect(till.line(MUG)).toBeVisible();
    await tapTwice(till, till.button('Exact cash'));
    await expect(till.receipt).toBeVisible();
    expect(await receipts(shop)).toBe(1);
  });

  test('goes through no dialog, and closes none that it opened', async ({ till }) => {
    await tapTwice(till, till.page.getByRole('button', { name: 'Open since' }));
    const dialog = till.page.getByRole('dialog', { name: 'Count the drawer' });
    await expect(dialog).toBeVisible();
    await tapTwice(till, till.button('Not now'));
    await expect(dialog).toBeHidden();
    await expect(till.page.getByText('Scan or type')).toBeVisible();
  });

  test('takes out one row, and types a digit twice', async ({ till }) => {
    for (const code of ['4006381333931', '96385074']) {
      await till.scan(code);
      await expect(till.page.getByText(code, { exact: true })).toBeVisible();
    }
    await tapTwice(till, till.button('Remove').first());
    await expect(till.button('Remove')).toHaveCount(1);
    await till.button('Remove').click();
    await tapTwice(till, till.button('5'), 60);
    await expect(till.page.getByText('Code 55')).toBeVisible();
  });
});
