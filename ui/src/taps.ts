/**
 * Taps that were meant for something that is gone. Whoever taps twice, or a trembling hand, means the
 * same thing twice: the second tap must not act on a button or a tile that came into the place of what
 * the first one changed.
 */

/** So soon after a tap, in milliseconds, another one at the same spot is its second half. */
const AGAIN_MS = 500;
/** So close together, in pixels, two taps are at the same spot: less than between two keys. */
const SPOT_PX = 24;

/** What follows from a tap and makes something act. */
const CONSEQUENCES = ['pointerup', 'mousedown', 'mouseup', 'click'] as const;

/** Lets no second tap hit anything but what the first one hit; returns how to stop. */
export function guardTaps(page: Window): () => void {
  let last: { hit: Element | null; x: number; y: number; at: number } | undefined;
  let isStray = false;

  const onDown = (event: PointerEvent): void => {
    const { clientX: x, clientY: y, timeStamp: at } = event;
    const hit = controlAt(event.target);
    isStray =
      last !== undefined &&
      hit !== last.hit &&
      at - last.at < AGAIN_MS &&
      Math.hypot(x - last.x, y - last.y) < SPOT_PX;
    if (isStray) stop(event);
    last = { hit: isStray && last ? last.hit : hit, x, y, at };
  };
  const onConsequence = (event: Event): void => {
    // A click that no pointer made is one of the keyboard.
    const isByKeys = event.type === 'click' && (event as MouseEvent).detail === 0;
    if (isStray && !isByKeys) stop(event);
  };

  // Who pressed a key or scanned something meanwhile does not tap twice.
  const onKey = (): void => {
    last = undefined;
  };

  page.addEventListener('pointerdown', onDown, { capture: true });
  page.addEventListener('keydown', onKey, { capture: true });
  CONSEQUENCES.forEach((type) => page.addEventListener(type, onConsequence, { capture: true }));
  return () => {
    page.removeEventListener('pointerdown', onDown, { capture: true });
    page.removeEventListener('keydown', onKey, { capture: true });
    CONSEQUENCES.forEach((type) =>
      page.removeEventListener(type, onConsequence, { capture: true }),
    );
  };
}

/** What a tap there means: the button around it, or else the very element. */
function controlAt(target: EventTarget | null): Element | null {
  return target instanceof Element ? (target.closest('button, label, a') ?? target) : null;
}

function stop(event: Event): void {
  event.preventDefault();
  event.stopImmediatePropagation();
}
