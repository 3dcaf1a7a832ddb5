/**
 * Keeps something safe with every change, one save after the other. While one is under way only
 * the newest change waits: what came between is out of date.
 */
export class Keeper<T> {
  readonly #save: (value: T) => Promise<unknown>;
  #waiting: { value: T } | undefined;
  #running: Promise<void> | undefined;
  #failure: unknown;
  /** The newest that was taken, as JSON, unless it failed: saving it again would change nothing. */
  #newest = '';

  /** Saves by this function. */
  constructor(save: (value: T) => Promise<unknown>) {
    this.#save = save;
  }

  /** Takes a newer value to be saved. Returns at once. */
  keep(value: T): void {
    const text = JSON.stringify(value);
    if (text === this.#newest) return;
    this.#newest = text;
    this.#waiting = { value };
    this.#running ??= this.#run();
  }

  /** Resolves when the newest value is saved; rejects if it could not be. */
  async settled(): Promise<void> {
    await this.#running;
    if (this.#waiting) this.#running ??= this.#run();
    await this.#running;
    if (this.#waiting) throw this.#failure;
  }

  /** Saves until nothing waits, or until it fails; what failed goes on waiting. */
  async #run(): Promise<void> {
    while (this.#waiting) {
      const saving = this.#waiting;
      this.#waiting = undefined;
      try {
        await this.#save(saving.value);
      } catch (failure) {
        this.#failure = failure;
        this.#newest = '';
        this.#waiting ??= saving;
        break;
      }
    }
    this.#running = undefined;
  }
}
