import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8');

/** The colour of each token, in light and in dark. */
const colours = new Map(
  [...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(
    ([, name = '', light = '', dark = '']) => [name, { light, dark }],
  ),
);

type Theme = 'light' | 'dark';

function channels(token: string, theme: Theme): number[] {
  const hex = colours.get(token)?.[theme];
  if (!hex) throw new Error(`no colour is called ${token}`);
  return [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
}

/** Relative luminance as WCAG 2.2 defines it. */
function luminance(rgb: number[]): number {
  const [r = 0, g = 0, b = 0] = rgb.map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: number[], b: number[]): number {
  const [dark = 0, light = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light + 0.05) / (dark + 0.05);
}

describe.each<Theme>(['light', 'dark'])('in %s', (theme) => {
  const text: [string, string[]][] = [
    ['ink', ['ground', 'surface', 'raised', 'sunken', 'accent-soft', 'bad-soft', 'warn-soft']],
    ['ink-quiet', ['ground', 'surface', 'raised', 'sunken', 'accent-soft']],
    ['on-accent', ['accent', 'accent-strong']],
    ['on-accent-soft', ['accent-soft']],
    ['accent', ['surface', 'ground']],
    ...['good', 'warn', 'bad', 'info'].map((meaning): [string, string[]] => [
      meaning,
      ['surface', 'ground', `${meaning}-soft`],
    ]),
  ];

  test.each(text)('%s can be read on what it stands on', (ink, grounds) => {
    for (const ground of grounds) {
      const ratio = contrast(channels(ink, theme), channels(ground, theme));
      expect(ratio, `${ink} on ${ground}`).toBeGreaterThanOrEqual(4.5);
    }
  });

  test('edges can be seen', () => {
    for (const ground of ['ground', 'surface', 'raised']) {
      const ratio = contrast(channels('edge', theme), channels(ground, theme));
      expect(ratio, ground).toBeGreaterThanOrEqual(3);
    }
  });

  test('what stands on a tinted tile can be read', () => {
    const share = Number(/--tint-share: (\d+)%/.exec(css)?.[1]) / 100;
    for (let tint = 1; tint <= 10; tint++) {
      const over = channels('surface', theme);
      const tile = channels(`tint-${tint}`, theme).map(
        (channel, index) => channel * share + (over[index] ?? 0) * (1 - share),
      );
      for (const ink of ['ink', 'ink-quiet', 'warn', 'bad']) {
        const ratio = contrast(channels(ink, theme), tile);
        expect(ratio, `${ink} on tint ${tint}`).toBeGreaterThanOrEqual(4.5);
      }
    }
  });
});
