/**
 * Makes calls that come thick and fast into few: the first at once, later ones together, no two
 * closer than `gapMs`, and none while one is still under way. The last one is never left out.
 */
export function throttled(act: () => Promise<unknown>, gapMs: number): () => void {
  let busy = false;
  let again = false;
  const run = async () => {
    busy = true;
    again = false;
    const pause = new Promise((resolve) => setTimeout(resolve, gapMs));
    await Promise.allSettled([act(), pause]);
    busy = false;
    if (again) void run();
  };
  return () => {
    if (busy) again = true;
    else void run();
  };
}

/** An act that is under way once at most: whoever does it meanwhile waits for the same end. */
export function oneAtATime<A extends unknown[]>(
  act: (...given: A) => Promise<void>,
): (...given: A) => Promise<void> {
  let running: Promise<void> | undefined;
  return (...given) => (running ??= act(...given).finally(() => (running = undefined)));
}
