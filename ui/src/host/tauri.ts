import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import { Refusal, isTillError, type Connection, type Host } from './host';
import type { Operations } from './types';

/** The backend that the app's window is part of. */
export class TauriHost implements Host {
  async call<N extends keyof Operations>(
    name: N,
    input: Operations[N]['input'],
  ): Promise<Operations[N]['output']> {
    try {
      return await invoke<Operations[N]['output']>('call', { name, input });
    } catch (failure) {
      if (isTillError(failure)) throw new Refusal(failure);
      // The backend cannot be away, so waiting for it would not help.
      throw new Refusal({ code: 'io', message: String(failure), details: { because: [] } });
    }
  }

  onChange(listener: (head: number) => void): () => void {
    const stop = listen<{ head: number }>('changes', (event) => listener(event.payload.head));
    return () => void stop.then((unlisten) => unlisten());
  }

  /** The two live and die together. */
  onConnection(listener: (connection: Connection) => void): () => void {
    listener('up');
    return () => undefined;
  }
}
