/**
 * A till has one cart, so one window at a time shows it. Windows of the same till share its host
 * and find each other through a lock of the browser; whoever asks last may take it over.
 */
export class Claim {
  /** Whether this window has the till; `undefined` until that is known. */
  held = $state<boolean>();
  readonly #name: string;

  constructor(till: string) {
    this.#name = `till ${till}`;
  }

  /** Takes the till if no other window has it. */
  ask(): void {
    this.#request({ ifAvailable: true });
  }

  /** Takes the till from the window that has it. */
  take(): void {
    this.#request({ steal: true });
  }

  #request(options: LockOptions): void {
    // Where there are no such locks there are no further windows either.
    if (!('locks' in navigator)) {
      this.held = true;
      return;
    }
    const untilTaken = (lock: Lock | null): Promise<void> | undefined => {
      this.held = lock !== null;
      return lock ? new Promise<void>(() => undefined) : undefined;
    };
    navigator.locks.request(this.#name, options, untilTaken).catch(() => (this.held = false));
  }
}
