/**
 * The keyboard of the sell screen: the scanner first, then keys with a meaning of their own, then
 * what is typed outside of any field.
 */

import type { Scanner } from './scanner';

/** What the keyboard does on the screen. */
export interface Keys {
  scanner: Scanner;
  /** Whether keys mean anything here just now. */
  listening(): boolean;
  /** A code was scanned. */
  scanned(code: string): void;
  /** A code was scanned while a dialog is open, behind which nobody would see what it does. */
  missed(code: string, dialog: Element): void;
  /** Something was typed outside of any field, and it was no code. */
  typed(text: string): void;
  /** What `typed` has done can be undone with this, if it turns out to belong to a code. */
  remember(): () => void;
  /** A key was pressed that is no text; tells whether it meant something. */
  pressed(event: KeyboardEvent): boolean;
}

const DIALOG = '[role=dialog], [role=alertdialog]';

/** Listens to the whole page; returns how to stop. */
export function listenToKeys(page: Window, keys: Keys): () => void {
  /** Typed outside of a field, and not yet told because it may still become a code. */
  let held = '';
  let timer = 0;
  let undo: () => void = () => undefined;

  const release = () => {
    clearTimeout(timer);
    const text = held;
    held = '';
    if (text !== '') keys.typed(text);
  };

  const onKey = (event: KeyboardEvent) => {
    if (!keys.listening()) return;
    const field = fieldOf(event.target);
    const verdict = keys.scanner.press(event);
    if (verdict.is === 'code') {
      event.preventDefault();
      event.stopPropagation();
      clearTimeout(timer);
      held = '';
      undo();
      const dialog = page.document.querySelector(DIALOG);
      if (dialog) keys.missed(verdict.code, dialog);
      else keys.scanned(verdict.code);
      return;
    }
    if (verdict.is === 'first') {
      release();
      undo = field ? rememberField(field) : keys.remember();
    }
    if (verdict.is !== 'other') {
      const isTyped = !field && !isInDialog(event.target) && event.key !== ' ';
      if (!isTyped) return;
      event.preventDefault();
      held += event.key;
      clearTimeout(timer);
      timer = page.setTimeout(release, keys.scanner.patienceMs);
      return;
    }
    if (event.key === 'Shift') return;
    release();
    // A key that is held down must not do the next thing too.
    const repeatsAnAct = event.repeat && (event.key === 'Enter' || /^F\d/.test(event.key));
    if (repeatsAnAct || keys.pressed(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  };

  page.addEventListener('keydown', onKey, { capture: true });
  return () => {
    clearTimeout(timer);
    page.removeEventListener('keydown', onKey, { capture: true });
  };
}

/** The text field that is typed into, if it is one. */
export function fieldOf(target: EventTarget | null): HTMLInputElement | undefined {
  return target instanceof HTMLInputElement ? target : undefined;
}

/** Whether a dialog is open over the page and has the focus. */
export function isInDialog(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest(DIALOG) !== null;
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
