/** A key of the numpad. */
export type NumpadKey = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9' | '.' | 'back';

/** What is typed after one more key. There is at most one point. */
export function afterKey(entry: string, key: NumpadKey): string {
  if (key === 'back') return entry.slice(0, -1);
  return key === '.' && entry.includes('.') ? entry : entry + key;
}
