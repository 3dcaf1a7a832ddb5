import { describe, expect, test } from 'vitest';
import { Scanner, type KeyPress, type Verdict } from './scanner';

/** Presses the keys, each `gap` milliseconds after the one before; tells the last verdict. */
function type(scanner: Scanner, keys: string[], gap: number, start = 1000): Verdict {
  let verdict: Verdict = { is: 'other' };
  keys.forEach((key, index) => {
    verdict = scanner.press({ key, timeStamp: start + index * gap });
  });
  return verdict;
}

const EAN = '4006381333931';

describe('a scanner', () => {
  test.each(['Enter', 'Tab'])('types fast and ends its code with %s', (end) => {
    expect(type(new Scanner(), [...EAN, end], 8)).toEqual({ is: 'code', code: EAN });
  });

  test('may take fifty milliseconds between two keys and no more', () => {
    expect(type(new Scanner(), [...EAN, 'Enter'], 50)).toEqual({ is: 'code', code: EAN });
    expect(type(new Scanner(), [...EAN, 'Enter'], 51)).toEqual({ is: 'other' });
  });

  test('that has proven itself may be held up by a busy machine', () => {
    const scanner = new Scanner();
    type(scanner, [...EAN.slice(0, 6)], 8, 0);
    expect(type(scanner, [...EAN.slice(6), 'Enter'], 8, 170)).toEqual({ is: 'code', code: EAN });
  });

  test('may be slower when the till is set to it', () => {
    const slow = new Scanner({ gapMs: 150, minLength: 6 });
    expect(type(slow, [...EAN, 'Enter'], 150)).toEqual({ is: 'code', code: EAN });
  });

  test('sends six characters or more', () => {
    expect(type(new Scanner(), [...'12345', 'Enter'], 8)).toEqual({ is: 'other' });
    expect(type(new Scanner(), [...'123456', 'Enter'], 8)).toEqual({ is: 'code', code: '123456' });
  });

  test('presses Shift for capital letters', () => {
    const keys = ['8', '5', '0', '1', '4', 'Shift', 'B', 'Enter'];
    expect(type(new Scanner(), keys, 8)).toEqual({ is: 'code', code: '85014B' });
  });

  test('sends one code after the other', () => {
    const scanner = new Scanner();
    expect(type(scanner, [...EAN, 'Enter'], 8, 0).is).toBe('code');
    expect(type(scanner, [...'96385074', 'Enter'], 8, 120)).toEqual({
      is: 'code',
      code: '96385074',
    });
  });

  test('is not mixed up with what was typed before it', () => {
    const scanner = new Scanner();
    type(scanner, ['1', '2'], 8, 0);
    expect(type(scanner, [...EAN, 'Enter'], 8, 200)).toEqual({ is: 'code', code: EAN });
  });
});

describe('a person', () => {
  test('types with pauses, and Enter is just Enter', () => {
    expect(type(new Scanner(), [...'123456', 'Enter'], 120)).toEqual({ is: 'other' });
  });

  test('who pauses before Enter has typed a number, not a code', () => {
    const scanner = new Scanner();
    type(scanner, [...'123456'], 20, 0);
    expect(scanner.press({ key: 'Enter', timeStamp: 400 })).toEqual({ is: 'other' });
  });

  test('holds keys down and presses combinations', () => {
    const presses: Partial<KeyPress>[] = [{ repeat: true }, { ctrlKey: true }, { metaKey: true }];
    for (const held of presses) {
      const scanner = new Scanner();
      for (let at = 0; at < 10; at++) scanner.press({ key: '0', timeStamp: at * 30, ...held });
      expect(scanner.press({ key: 'Enter', timeStamp: 310 })).toEqual({ is: 'other' });
    }
  });

  test('moves about between digits, which then make no code', () => {
    const keys = [...'1234', 'ArrowLeft', ...'5678', 'Enter'];
    expect(type(new Scanner(), keys, 8)).toEqual({ is: 'other' });
  });
});

test('only the first key of a burst asks to remember what it may spoil', () => {
  const scanner = new Scanner();
  const verdicts = [...'4006'].map(
    (key, index) => scanner.press({ key, timeStamp: index * 10 }).is,
  );
  expect(verdicts).toEqual(['first', 'more', 'more', 'more']);
  expect(scanner.suspects).toBe(true);
  expect(scanner.press({ key: '1', timeStamp: 500 })).toEqual({ is: 'first' });
  expect(scanner.suspects).toBe(false);
});
