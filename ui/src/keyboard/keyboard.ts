/**
 * The keyboard of the whole app: the scanner first, then keys with a meaning of their own, then what
 * is typed outside of any field. Whoever came to the front last hears it.
 */

import { createContext } from 'svelte';
import type { Scanner } from './scanner';

/** Who hears the keyboard while nobody came in front. */
export interface Listener {
  /** A code was scanned. */
  scanned(code: string): void;
  /** Keys that are no code; without it they are left to whatever has the focus. */
  keys?: {
    /** Something was typed outside of any field. */
    typed(text: string): void;
    /** A key was pressed that is no text; tells whether it meant something. */
    pressed(event: KeyboardEvent): boolean;
  };
}

/** Remembers something that the first keys of a code may change; returns how to put it back. */
export type Memory = () => () => void;

export class Keyboard {
  readonly scanner: Scanner;
  readonly #page: Window;
  readonly #listeners: Listener[] = [];
  readonly #memories = new Set<Memory>();
  /** Typed outside of a field, and not yet told because it may still become a code. */
  #held = '';
  #timer = 0;
  #undo: () => void = () => undefined;
  /** Whether the last sign of somebody was a key, not a touch. */
  #isByKeys = false;
  #reached: EventTarget | null = null;

  /** The keyboard of a page, as long as that is open. */
  constructor(page: Window, scanner: Scanner) {
    this.#page = page;
    this.scanner = scanner;
    page.addEventListener('keydown', (event) => this.#press(event), { capture: true });
    const touched = () => {
      this.#isByKeys = false;
      this.#reached = null;
    };
    page.addEventListener('pointerdown', touched, { capture: true });
    page.addEventListener('focusin', ({ target }) => {
      this.#reached = this.#isByKeys ? target : null;
    });
  }

  /** Lets someone hear the keyboard in place of whoever did so far; returns how to stop. */
  hear(listener: Listener): () => void {
    this.#listeners.push(listener);
    return () => void this.#listeners.splice(this.#listeners.indexOf(listener), 1);
  }

  /** Keeps something safe from codes that are typed where they don't belong; returns how to stop. */
  spare(memory: Memory): () => void {
    this.#memories.add(memory);
    return () => this.#memories.delete(memory);
  }

  /**
   * Whether Enter means this button: somebody went there with the keyboard, and did nothing else since.
   * A button that was touched keeps the focus, and nobody thinks of it any more.
   */
  isReached(target: EventTarget | null): boolean {
    return target instanceof HTMLButtonElement && target === this.#reached;
  }

  #press(event: KeyboardEvent): void {
    const front = this.#listeners.at(-1);
    if (!front) return;
    this.#isByKeys = true;
    const verdict = this.scanner.press(event);
    if (verdict.is === 'code') {
      take(event);
      clearTimeout(this.#timer);
      this.#held = '';
      this.#undo();
      front.scanned(verdict.code);
    } else if (verdict.is === 'other') this.#pressOther(event, front);
    else this.#type(event, front, verdict.is === 'first');
  }

  /** Takes a key that is text, and the first of a burst or a further one. */
  #type(event: KeyboardEvent, front: Listener, isFirst: boolean): void {
    const field = fieldOf(event.target);
    if (isFirst) {
      this.#release();
      this.#undo = field ? rememberField(field) : this.#remember();
    }
    const pressesButton = event.key === ' ' && isFirst;
    if (field || pressesButton) return;
    this.#reached = null;
    // Within a code a space is text, whatever button has the focus.
    if (front.keys || event.key === ' ') event.preventDefault();
    if (!front.keys) return;
    this.#held += event.key;
    clearTimeout(this.#timer);
    this.#timer = this.#page.setTimeout(() => this.#release(), this.scanner.patienceMs);
  }

  #pressOther(event: KeyboardEvent, front: Listener): void {
    if (event.key === 'Shift') return;
    if (event.key === 'Backspace') this.#reached = null;
    this.#release();
    // A key that is held down must not do the next thing too.
    const repeatsAnAct = event.repeat && (event.key === 'Enter' || /^F\d/.test(event.key));
    if (!repeatsAnAct && !front.keys?.pressed(event)) return;
    this.#reached = null;
    take(event);
  }

  /** Tells what was held, as it is no code. */
  #release(): void {
    clearTimeout(this.#timer);
    const text = this.#held;
    this.#held = '';
    if (text !== '') this.#listeners.at(-1)?.keys?.typed(text);
  }

  #remember(): () => void {
    const undos = [...this.#memories].map((remember) => remember());
    return () => undos.forEach((undo) => undo());
  }
}

/** The app's keyboard. */
export const [keyboard, provideKeyboard] = createContext<Keyboard>();

/** The text field that is typed into, if it is one. */
export function fieldOf(target: EventTarget | null): HTMLInputElement | undefined {
  return target instanceof HTMLInputElement ? target : undefined;
}

/** Lets an event do nothing else. */
function take(event: KeyboardEvent): void {
  event.preventDefault();
  event.stopPropagation();
}

/** Remembers what is in a field; returns how to put it back. */
function rememberField(field: HTMLInputElement): () => void {
  const { value, selectionStart, selectionEnd } = field;
  return () => {
    field.value = value;
    field.setSelectionRange(selectionStart, selectionEnd);
    field.dispatchEvent(new Event('input', { bubbles: true }));
  };
}
