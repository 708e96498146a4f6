import { abortReason, MeshError, type Clock, type EventSource, type Logger } from '../../../mesh/base/index.ts'
import type { Caller } from './caller.ts'
import { PLACE_WITHIN_MS } from './limits.ts'
import { isMoved } from './moved.ts'
import type { AnyEntry, AnyShape } from './shape.ts'

/** Where the peer is now: in this tab and at work, in another that is known, or on its way. */
export type Place = 'here' | 'there' | 'nowhere'

/** What the desk stands on. */
export interface DeskPorts {
  readonly clock: Clock
  readonly log: Logger
  readonly caller: Caller
  place(): Place
  /** `place()` changed. */
  readonly placeChanges: EventSource<void>
  /** The tab closes. */
  readonly signal: AbortSignal
}

/**
 * Gives every wish to the tab that holds the peer, be it this one. When the peer moves
 * in the middle, the wish is made again where it is then; wishes carry names for what
 * they add, so that one that had been done already is not done twice. What cannot
 * carry a name is `once`: it fails, and the person looks before trying again.
 */
export interface Desk {
  /**
   * The members of a facade that cross, as one calls them from any tab.
   * @param after is awaited before a result of another tab is given out.
   * @throws MeshError those of the facade; `timeout` when no tab came to lead.
   */
  over<Facade extends object>(
    name: string,
    shape: AnyShape,
    here: Facade,
    after: (given: readonly unknown[], result: unknown) => Promise<void>,
  ): Facade
}

/** Makes the desk of one tab. */
export function createDesk(ports: DeskPorts): Desk {
  const { clock, caller } = ports

  /** Resolves once the peer is somewhere. */
  const settled = (signal: AbortSignal | undefined): Promise<Exclude<Place, 'nowhere'>> =>
    new Promise((resolve, reject) => {
      const signals = signal === undefined ? [ports.signal] : [ports.signal, signal]
      const end = (): void => {
        cancel()
        stop()
        for (const each of signals) each.removeEventListener('abort', onAbort)
      }
      const look = (): void => {
        const place = ports.place()
        if (place === 'nowhere') return
        end()
        resolve(place)
      }
      const onAbort = (): void => {
        end()
        reject(abortReason(signals.find(({ aborted }) => aborted)))
      }
      const cancel = clock.schedule(PLACE_WITHIN_MS, () => {
        end()
        reject(new MeshError('timeout', 'No tab of this browser holds the connection right now. Try again.'))
      })
      const stop = ports.placeChanges.subscribe(look)
      for (const each of signals) each.addEventListener('abort', onAbort, { once: true })
      if (signals.some(({ aborted }) => aborted)) onAbort()
      else look()
    })

  const wish = async (
    there: () => Promise<unknown>,
    here: () => unknown,
    { signal, once }: { readonly signal: AbortSignal | undefined; readonly once: boolean },
  ): Promise<{ readonly place: Place; readonly result: unknown }> => {
    for (;;) {
      const place = await settled(signal)
      try {
        return { place, result: place === 'here' ? await here() : await there() }
      } catch (error) {
        if (!isMoved(error) || once) throw error
        ports.log.info('a wish is made again where the peer is now')
        // what failed in this turn is known to the others in the next
        await Promise.resolve()
      }
    }
  }

  return {
    over(name, shape, facade, after) {
      const methods = facade as Record<string, (...given: unknown[]) => unknown>
      const member =
        (key: string, entry: AnyEntry) =>
        async (...given: unknown[]): Promise<unknown> => {
          const options = given[entry.args?.length ?? 0] as { readonly signal?: AbortSignal } | undefined
          const { place, result } = await wish(
            () => caller.call(`${name}.${key}`, entry, given),
            () => methods[key]?.(...given),
            { signal: options?.signal, once: entry.once === true },
          )
          if (place === 'there') await after(given, result)
          return result
        }
      const crossing = Object.entries(shape).filter(([, { kind }]) => kind === 'call' || kind === 'post')
      const posted = (key: string, entry: AnyEntry): ((...given: unknown[]) => unknown) => {
        const ask = member(key, entry)
        if (entry.kind === 'call') return ask
        return (...given) => {
          ask(...given).catch((error: unknown) => {
            ports.log.warn('a wish was not done', { name: `${name}.${key}`, error })
          })
        }
      }
      return Object.fromEntries(crossing.map(([key, entry]) => [key, posted(key, entry)])) as typeof facade
    },
  }
}
