/** What somebody does who is there. */
const SIGNS = ['pointerdown', 'keydown', 'wheel', 'touchstart'] as const;

/**
 * Acts when nobody touched the page for so long, and tells of each sign of somebody; returns how to
 * stop.
 */
export function whenIdle(
  page: Window,
  idleMs: number,
  act: () => void,
  seen: () => void = () => undefined,
): () => void {
  let timer = page.setTimeout(act, idleMs);
  const begin = () => {
    seen();
    page.clearTimeout(timer);
    timer = page.setTimeout(act, idleMs);
  };
  SIGNS.forEach((sign) => page.addEventListener(sign, begin, { capture: true, passive: true }));
  return () => {
    page.clearTimeout(timer);
    SIGNS.forEach((sign) => page.removeEventListener(sign, begin, { capture: true }));
  };
}
