/**
 * Tells a barcode scanner from a person. A scanner is a keyboard that types a whole code within a
 * fraction of a second and ends it with Enter or Tab; both send the same key presses, so only
 * their rhythm gives it away.
 *
 * Deliberately absent: the page. Whoever listens to it says what was pressed and when, and undoes
 * what the first keys of a code did wherever they went.
 */

/** What makes a burst of keys a code. */
export interface ScannerSettings {
  /** The longest pause between two keys of a code, in milliseconds; slow scanners need up to 150. */
  gapMs: number;
  /** The fewest characters of a code. */
  minLength: number;
}

/** The longest pause that may be set. */
const MAX_GAP_MS = 150;
/** So many keys in time prove that no person types them. */
const PROOF = 4;

export const DEFAULT_SCANNER: ScannerSettings = { gapMs: 50, minLength: 6 };

/** The settings with the pause that was set on this machine, if it makes sense. */
export function scannerSettings(gapMs: string | null): ScannerSettings {
  const gap = /^\d{2,3}$/.test(gapMs ?? '') ? Number(gapMs) : DEFAULT_SCANNER.gapMs;
  return { ...DEFAULT_SCANNER, gapMs: Math.min(Math.max(gap, 20), MAX_GAP_MS) };
}

/** A key press, as `KeyboardEvent` tells it. */
export interface KeyPress {
  key: string;
  /** When it happened, in milliseconds; the clock of the input device, not of the handler. */
  timeStamp: number;
  /** Held down: no scanner does that, however fast the keys come. */
  repeat?: boolean;
  ctrlKey?: boolean;
  altKey?: boolean;
  metaKey?: boolean;
}

/** What a key press turned out to be. */
export type Verdict =
  /** The first key of what may become a code: now is the time to remember what it may spoil. */
  | { is: 'first' }
  /** A further key of what may become a code. */
  | { is: 'more' }
  /** The end of a code; the key that ended it means nothing else. */
  | { is: 'code'; code: string }
  /** Something else, typed by a person. */
  | { is: 'other' };

const ENDS = new Set(['Enter', 'Tab']);
/** Keys that come with capital letters and are no characters themselves. */
const SILENT = new Set(['Shift', 'CapsLock', 'AltGraph']);

export class Scanner {
  #settings: ScannerSettings;
  #code = '';
  #last = 0;

  constructor(settings: ScannerSettings = DEFAULT_SCANNER) {
    this.#settings = settings;
  }

  /** Takes a key press and says what it is. */
  press(press: KeyPress): Verdict {
    if (SILENT.has(press.key)) return { is: 'other' };
    const inTime = this.#code !== '' && press.timeStamp - this.#last <= this.patienceMs;
    if (press.repeat || press.ctrlKey || press.altKey || press.metaKey) return this.#stop();
    if (ENDS.has(press.key)) {
      const code = this.#code;
      this.#stop();
      return inTime && code.length >= this.#settings.minLength
        ? { is: 'code', code }
        : { is: 'other' };
    }
    // One character: letters, digits and punctuation are; `F12` and `ArrowUp` are not.
    if ([...press.key].length !== 1) return this.#stop();
    this.#last = press.timeStamp;
    this.#code = inTime ? this.#code + press.key : press.key;
    return { is: inTime ? 'more' : 'first' };
  }

  /**
   * How long the next key may take, in milliseconds: until then, what was typed may still become a
   * code, and a screen should not show it. Once it is proven that a scanner types, a busy machine
   * may hold up a key for longer; half a code must not be taken for something else.
   */
  get patienceMs(): number {
    return this.suspects ? MAX_GAP_MS : this.#settings.gapMs;
  }

  /** Whether what came so far is faster than a person types. */
  get suspects(): boolean {
    return this.#code.length >= PROOF;
  }

  /** Whether a text that came in one burst is too long to be a number that a person typed. */
  isTooLongToType(burst: string): boolean {
    return burst.length >= this.#settings.minLength;
  }

  #stop(): Verdict {
    this.#code = '';
    return { is: 'other' };
  }
}
