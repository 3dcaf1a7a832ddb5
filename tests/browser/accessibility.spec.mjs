import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { BIRD, CLOCK, MUG, Shop, expect, test } from './fixtures.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The main states, and how to get there. */
const states = {
  'an empty cart': async () => {},
  'an empty cart after a sale': async (till) => {
    await till.scan(MUG);
    await till.scan(CLOCK);
    await till.press('F12');
    await till.button('Next sale').click();
    await expect(till.recent.first()).toContainText('None left');
  },
  'a cart': async (till) => {
    await till.scan(MUG);
    await till.scan(BIRD);
    await expect(till.line(BIRD)).toBeVisible();
  },
  'a search': async (till) => {
    await till.search.fill('alarm');
    await expect(till.tiles).toHaveCount(6);
  },
  'a search for nothing': async (till) => {
    await till.search.fill('zebra');
    await expect(till.page.getByText('Nothing is called')).toBeVisible();
  },
  'counting cash': async (till) => {
    await till.scan(MUG);
    await till.press('F9');
    await till.type('5');
  },
  'a receipt': async (till) => {
    await till.scan(MUG);
    await till.press('F12');
    await expect(till.receipt).toBeVisible();
  },
  'a refusal': async (till) => {
    await till.scan(CLOCK);
    await till.scan(CLOCK);
    await till.press('F12');
    await expect(till.button('Why')).toBeVisible();
  },
  'the reasons of a refusal': async (till) => {
    await states['a refusal'](till);
    await till.button('Why').click();
    await expect(till.page.getByRole('dialog')).toBeVisible();
  },
  'a check of age': async (till, shop) => {
    await shop.act('set_age_rule', { product: MUG.id, minimumAge: 18 });
    await till.scan(MUG);
    await expect(till.line(MUG)).toContainText('Only for 18 and over');
  },
  'a cart that was sold before': async (till, shop) => {
    await till.scan(MUG);
    await till.scan(BIRD);
    await expect(till.line(BIRD)).toBeVisible();
    await shop.sellUnseen();
    await till.press('F12');
    await expect(till.receipt).toContainText('paid already');
  },
  'an unknown code': async (till) => {
    await till.scan('4006381333931');
    await expect(till.page.getByText('Unknown code')).toBeVisible();
  },
  'a lost backend': async (till) => {
    await till.scan(MUG);
    await till.page.context().setOffline(true);
    await till.scan(BIRD);
    await expect(till.page.getByText('doesn’t answer')).toBeVisible();
  },
  'a closed shift': async (till, shop) => {
    const { shift } = await shop.call('shift');
    await shop.act('close_shift', { shift: shift.shift, countedCash: 10_000 });
    await expect(till.page.getByText('The shift isn’t open yet')).toBeVisible();
  },
};

for (const [name, reach] of Object.entries(states)) {
  test(`axe finds nothing in ${name}, in light and in dark`, async ({ till, shop }) => {
    await reach(till, shop);
    for (const colorScheme of ['light', 'dark']) {
      await till.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      expect(await faults(till.page)).toEqual([]);
    }
  });

  test(`all that is touched in ${name} is large enough`, async ({ till, shop }) => {
    await reach(till, shop);
    const small = await till.page.evaluate(() =>
      [...document.querySelectorAll('button, input, [tabindex="0"]')]
        .map((element) => ({ element, box: element.getBoundingClientRect() }))
        .filter(({ element, box }) => element.offsetParent && (box.width < 44 || box.height < 46))
        .map(({ element, box }) => `${element.textContent} ${box.width}×${box.height}`),
    );
    expect(small).toEqual([]);
  });
}

test('axe finds nothing in a shop that is not set up', async ({ page }) => {
  const shop = Shop.empty();
  await page.goto(await shop.serve());
  await page.getByRole('heading').waitFor();
  expect(await faults(page)).toEqual([]);
  await shop.close();
});

test('the colours can be chosen, and are remembered', async ({ till }) => {
  const { page } = till;
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: 'light' });
  const light = await ground();
  await page.getByRole('button', { name: 'Colours' }).click();
  expect(await ground()).toBe(light);
  await page.getByRole('button', { name: 'Colours' }).click();
  const dark = await ground();
  expect(dark).not.toBe(light);
  await page.reload();
  await till.tiles.first().waitFor();
  expect(await ground()).toBe(dark);
});

test('the focus can be seen wherever it goes', async ({ till }) => {
  await till.scan(MUG);
  for (let presses = 0; presses < 24; presses++) {
    await till.press('Tab');
    const isSeen = await till.page.evaluate(() => {
      const { activeElement: it } = document;
      if (it === document.body) return true;
      const frame = it.closest('.field') ?? it;
      const { outlineStyle, boxShadow } = getComputedStyle(frame);
      return outlineStyle !== 'none' || boxShadow !== 'none';
    });
    expect(isSeen).toBe(true);
  }
});

/** What axe finds, in words. */
async function faults(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document));
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)}\n${failureSummary}`),
  );
}
