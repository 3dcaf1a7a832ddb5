import type { Host } from './host';
import { TauriHost } from './tauri';
import { WebHost } from './web';

/** Opens the door of wherever the app runs. */
export function openHost(): Host {
  return '__TAURI_INTERNALS__' in window
    ? new TauriHost()
    : new WebHost(new URLSearchParams(location.search).get('token') ?? '');
}

export { Refusal, Unreachable, type Connection, type Host } from './host';
export type * from './types';
