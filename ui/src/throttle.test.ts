import { expect, test } from 'vitest';
import { oneAtATime } from './throttle';

test('an act that is under way is not begun again, and may be once it has ended', async () => {
  const ends: (() => void)[] = [];
  const act = oneAtATime(() => new Promise<void>((resolve) => ends.push(resolve)));
  const both = [act(), act()];
  expect(ends).toHaveLength(1);
  ends[0]?.();
  await Promise.all(both);
  void act();
  expect(ends).toHaveLength(2);
});

test('an act that failed may be begun again', async () => {
  const act = oneAtATime(() => Promise.reject(new Error('no answer')));
  await expect(act()).rejects.toThrow('no answer');
  await expect(act()).rejects.toThrow('no answer');
});
