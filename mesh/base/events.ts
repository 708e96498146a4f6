/** Something one can listen to. The returned function ends the listening. */
export interface EventSource<Event> {
  subscribe(listener: (event: Event) => void): () => void
}

/** An {@link EventSource} with its sending end. */
export interface EventHub<Event> extends EventSource<Event> {
  emit(event: Event): void
}

/**
 * Delivers each event to every listener, in order of subscription. A listener
 * that throws is told to `onError` and does not keep the others from hearing.
 */
export function createEvents<Event>(onError: (error: unknown) => void): EventHub<Event> {
  const listeners = new Set<(event: Event) => void>()
  return {
    subscribe(listener) {
      // a wrapper, so that one function may be subscribed twice and ended singly
      const own = (event: Event): void => {
        listener(event)
      }
      listeners.add(own)
      return () => listeners.delete(own)
    },
    emit(event) {
      for (const listener of [...listeners]) {
        try {
          listener(event)
        } catch (error) {
          onError(error)
        }
      }
    },
  }
}
