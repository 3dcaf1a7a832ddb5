import { expect, test } from 'vitest';
import { Keeper } from './keeper';

/** A place that holds what was saved, and lets each save end when told. */
function slowPlace() {
  const saved: number[] = [];
  const ends: (() => void)[] = [];
  const save = (value: number) =>
    new Promise<void>((resolve) => {
      ends.push(() => {
        saved.push(value);
        resolve();
      });
    });
  return { saved, ends, save };
}

const soon = () => new Promise((resolve) => setTimeout(resolve));

test('saves run one after the other, and the newest is the last', async () => {
  const { saved, ends, save } = slowPlace();
  const keeper = new Keeper(save);
  [1, 2, 3].forEach((value) => keeper.keep(value));
  expect(ends.length).toBe(1);
  ends[0]?.();
  await soon();
  ends[1]?.();
  await keeper.settled();
  expect(saved).toEqual([1, 3]);
});

test('it is settled only when the newest is saved', async () => {
  const { saved, ends, save } = slowPlace();
  const keeper = new Keeper(save);
  keeper.keep(1);
  let settled = false;
  const settling = keeper.settled().then(() => (settled = true));
  await soon();
  expect(settled).toBe(false);
  ends[0]?.();
  await settling;
  expect(saved).toEqual([1]);
});

test('what could not be saved is tried again and not forgotten', async () => {
  let broken = true;
  const saved: number[] = [];
  const keeper = new Keeper(async (value: number) => {
    if (broken) throw new Error('no answer');
    saved.push(value);
  });
  keeper.keep(1);
  await expect(keeper.settled()).rejects.toThrow('no answer');
  keeper.keep(2);
  await expect(keeper.settled()).rejects.toThrow('no answer');
  broken = false;
  await keeper.settled();
  expect(saved).toEqual([2]);
});

test('with nothing to keep it is settled', async () => {
  await new Keeper(() => Promise.reject(new Error('never called'))).settled();
});

test('what is safe already is not saved again', async () => {
  const { saved, ends, save } = slowPlace();
  const keeper = new Keeper(save);
  keeper.keep(1);
  keeper.keep(1);
  ends[0]?.();
  await keeper.settled();
  keeper.keep(1);
  await keeper.settled();
  expect([ends.length, saved]).toEqual([1, [1]]);
  keeper.keep(2);
  expect(ends.length).toBe(2);
});
