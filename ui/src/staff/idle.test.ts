import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { whenIdle } from './idle';

/** A page of which only what `whenIdle` needs is there. */
class Page extends EventTarget {
  setTimeout = setTimeout;
  clearTimeout = clearTimeout;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('a page that nobody touches for long enough is idle, once', () => {
  const [act, seen] = [vi.fn(), vi.fn()];
  const page = new Page();
  whenIdle(page as unknown as Window, 1000, act, seen);
  vi.advanceTimersByTime(900);
  page.dispatchEvent(new Event('keydown'));
  expect(seen).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(999);
  expect(act).not.toHaveBeenCalled();
  vi.advanceTimersByTime(5000);
  expect(act).toHaveBeenCalledTimes(1);
});

test('after it is stopped nothing happens', () => {
  const act = vi.fn();
  const stop = whenIdle(new Page() as unknown as Window, 1000, act);
  stop();
  vi.advanceTimersByTime(5000);
  expect(act).not.toHaveBeenCalled();
});
