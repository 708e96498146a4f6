import type { Chain } from './chain.ts'
import { tellsEnds } from './chains.ts'
import type { Envelope } from './envelope.ts'
import { readLogEntry, type LoggedEnvelope } from './log-entry.ts'
import type { Options } from './options.ts'
import type { ReplicaState } from './replica-state.ts'

/** Places looked up at once: few at first, for a frame may be full after them. */
const LOOK_UP_MIN = 4
const LOOK_UP_MAX = 128
/** Entries between two that are wanted which are rather read than left out. */
const GAP_MAX = 8

/** One envelope that a device lacks, by where it lies. */
interface Place {
  readonly chain: Chain
  readonly sequence: number
  readonly position: number
  /** It tells ends, and they count. */
  readonly isFirst: boolean
}

/**
 * The envelopes a device lacks of the chains it takes, oldest in the log first, so that it can take each:
 * an author erases its own alone. Before them go the chains in which those who may write now tell ends of others, by
 * which it judges those; the ends of others count for nothing, and nobody moves a chain forward by them.
 * `lastOf` says up to which sequence it has a chain; undefined for none of the rest. What it does not lack
 * is not read, and little of the rest before it is asked for: a question costs what its answer brings.
 * In the document's turn.
 */
export async function* missingEnvelopes(
  state: ReplicaState,
  lastOf: (chain: number) => number | undefined,
  options: Options,
): AsyncGenerator<Envelope, void, undefined> {
  for await (const { envelope } of missingEntries(state, lastOf, options)) yield envelope
}

/** The same, with what the log says of each. */
export async function* missingEntries(
  state: ReplicaState,
  lastOf: (chain: number) => number | undefined,
  options: Options,
): AsyncGenerator<LoggedEnvelope, void, undefined> {
  const line = createLine(state, lastOf)
  for (let size = LOOK_UP_MIN; ; size = Math.min(size * 2, LOOK_UP_MAX)) {
    const places = line.take(size)
    if (places.length === 0) return
    for (const run of runsOf(places)) yield* readRun(state, run, options)
  }
}

/** True when there is any. */
export function isAnyMissing({ chains }: ReplicaState, lastOf: (chain: number) => number | undefined): boolean {
  for (const { number, sequence } of chains.all.values()) if (sequence > (lastOf(number) ?? sequence)) return true
  return false
}

/** The next place of each chain, the oldest last. */
function createLine(
  { chains, ports, name }: ReplicaState,
  lastOf: (chain: number) => number | undefined,
): { take(count: number): Place[] } {
  const placeAt = (chain: Chain, sequence: number): Place | undefined => {
    const position = chain.positions[sequence - 1]
    const isFirst = tellsEnds(chain) && ports.writers.mayWrite(chain.author, name.scope)
    return position === undefined ? undefined : { chain, sequence, position, isFirst }
  }
  const line = [...chains.all.values()]
    .flatMap((chain) => placeAt(chain, (lastOf(chain.number) ?? chain.sequence) + 1) ?? [])
    .sort((a, b) => orderOf(b) - orderOf(a))

  const insert = (place: Place): void => {
    let low = 0
    let high = line.length
    while (low < high) {
      const middle = (low + high) >> 1
      const other = line[middle]
      if (other !== undefined && orderOf(other) > orderOf(place)) low = middle + 1
      else high = middle
    }
    line.splice(low, 0, place)
  }

  return {
    take(count) {
      const places: Place[] = []
      while (places.length < count) {
        const place = line.pop()
        if (place === undefined) break
        // its chain may have ended meanwhile
        if (lastOf(place.chain.number) === undefined) continue
        places.push(place)
        const next = placeAt(place.chain, place.sequence + 1)
        if (next !== undefined) insert(next)
      }
      return places
    },
  }
}

function orderOf({ position, isFirst }: Place): number {
  return isFirst ? position - Number.MAX_SAFE_INTEGER : position
}

/** Places that lie close together. */
function runsOf(places: readonly Place[]): Place[][] {
  const runs: Place[][] = []
  for (const place of places) {
    const run = runs.at(-1)
    const last = run?.at(-1)
    const gap = place.position - (last?.position ?? place.position)
    if (run === undefined || gap < 0 || gap > GAP_MAX + 1) runs.push([place])
    else run.push(place)
  }
  return runs
}

async function* readRun(
  { log }: ReplicaState,
  run: readonly Place[],
  options: Options,
): AsyncGenerator<LoggedEnvelope, void, undefined> {
  const first = run[0]?.position ?? 0
  const through = run.at(-1)?.position ?? first
  const entries = new Map<number, Uint8Array | undefined>()
  for (const { sequence, bytes } of await log.read(first - 1, { ...options, through })) entries.set(sequence, bytes)
  for (const { chain, sequence, position } of run) {
    const bytes = entries.get(position)
    const logged = bytes === undefined ? undefined : readLogEntry(bytes)
    if (logged?.envelope.chain === chain.number && logged.envelope.head.sequence === sequence) yield logged
  }
}
