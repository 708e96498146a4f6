import type { StoredOperation } from './document.ts'
import { createNewest, type Newest } from './newest.ts'

/** An operation in the entry of the document it came in. */
export interface Version extends StoredOperation {
  /** Unique for ever. */
  readonly entry: string
}

/** What other operations stand under their ids now. One that is another than before is among both. */
export interface VersionChange {
  readonly added: Set<string>
  readonly erased: Set<string>
}

/**
 * The operations of a document by their ids. An honest device gives an id once; who signs several
 * operations under one has one of them counted, the same everywhere: that which was told first where the
 * author may not write any more, else that of the smallest entry, of those that are there. So it follows
 * from the set, whatever came first, and whatever is erased later.
 */
export interface Versions {
  /** Those that count. */
  readonly standing: ReadonlyMap<string, Version>
  add(id: string, version: Version, change: VersionChange): void
  /** The entry was erased. */
  remove(entry: string, change: VersionChange): void
  /** Ranks may be others. */
  rankAnew(change: VersionChange): void
  /**
   * Timings may be others: of all there is, or, where something more was told of those alone, of what is
   * late in these chains of the document.
   */
  judgeAnew(change: VersionChange, chains?: ReadonlySet<number>): void
  /** True where there is one under this id and no more. */
  isAlone(id: string): boolean
  /** All under this id, whether they count or not. */
  allOf(id: string): readonly Version[]
}

/** No change yet. */
export function noChange(): VersionChange {
  return { added: new Set(), erased: new Set() }
}

/** All versions under one id. */
interface Rivals {
  readonly all: Map<string, { readonly version: Version; readonly ranked: Ranked }>
  /** The one that counts. */
  first: Newest<Ranked>
}

/** Without what is in it: it may stay for a while after it was erased. */
interface Ranked {
  readonly entry: string
  readonly rank: number
}

const firstOf = (all: Iterable<Ranked>): Newest<Ranked> => {
  const first = createNewest<Ranked>(1, (a, b) => b.rank - a.rank || (a.entry > b.entry ? -1 : 1))
  for (const one of all) first.add(one)
  return first
}

/**
 * How entries are judged. The smaller rank goes first; Infinity for what was not told by anybody.
 */
export interface VersionPorts {
  rankOf?(entry: string): number
  timingOf?(entry: string): StoredOperation['timing']
  /** The chain an entry is in. */
  chainOf?(entry: string): number | undefined
}

/** Nothing yet. */
export function createVersions({
  rankOf = () => Infinity,
  timingOf = () => undefined,
  chainOf = () => undefined,
}: VersionPorts = {}): Versions {
  const standing = new Map<string, Version>()
  /** Of ids with several; of others nothing, for that is all but never. */
  const rivals = new Map<string, Rivals>()
  const idOf = new Map<string, string>()
  /** Entries that are late, by their chain. */
  const late = new Map<number | undefined, Set<string>>()

  const ranked = ({ entry }: Version): Ranked => ({ entry, rank: Math.min(rankOf(entry), Number.MAX_VALUE) })

  const rivalsOf = (id: string, known: Version): Rivals => {
    const before = rivals.get(id)
    if (before !== undefined) return before
    const only = { version: known, ranked: ranked(known) }
    const made = { all: new Map([[known.entry, only]]), first: firstOf([only.ranked]) }
    rivals.set(id, made)
    return made
  }

  /** Nobody hears of one that came or went and does not count. */
  const stand = (id: string, { all, first }: Rivals, change: VersionChange, company: 'as before' | 'other'): void => {
    const version = all.get(first.items[0]?.entry ?? '')?.version
    if (version === undefined || (version === standing.get(id) && company === 'as before')) return
    standing.set(id, version)
    change.erased.add(id)
    change.added.add(id)
  }

  const noteLate = (entry: string): void => {
    const chain = chainOf(entry)
    late.set(chain, (late.get(chain) ?? new Set()).add(entry))
  }

  const forgetLate = (entry: string): void => {
    if (late.size === 0) return
    const chain = chainOf(entry)
    const ofChain = late.get(chain)
    if (ofChain?.delete(entry) === true && ofChain.size === 0) late.delete(chain)
  }

  const judge = (entry: string, change: VersionChange): void => {
    const id = idOf.get(entry) ?? ''
    const one = rivals.get(id)?.all.get(entry)
    const known = one?.version ?? standing.get(id)
    const timing = timingOf(entry)
    if (known === undefined || known.timing === timing) return
    const version: Version = { ...known, timing }
    if (timing === 'late') noteLate(entry)
    else forgetLate(entry)
    if (one !== undefined) rivals.get(id)?.all.set(entry, { ...one, version })
    if (standing.get(id) !== known) return
    standing.set(id, version)
    change.erased.add(id)
    change.added.add(id)
  }

  return {
    standing,
    add(id, given, change) {
      if (idOf.has(given.entry)) return
      const timing = timingOf(given.entry)
      const version: Version = timing === undefined ? given : { ...given, timing }
      if (timing === 'late') noteLate(version.entry)
      idOf.set(version.entry, id)
      const known = standing.get(id)
      if (known === undefined) {
        standing.set(id, version)
        change.added.add(id)
        return
      }
      const several = rivalsOf(id, known)
      const one = { version, ranked: ranked(version) }
      several.all.set(version.entry, one)
      several.first.add(one.ranked)
      stand(id, several, change, several.all.size === 2 ? 'other' : 'as before')
    },
    remove(entry, change) {
      const id = idOf.get(entry)
      if (id === undefined) return
      idOf.delete(entry)
      forgetLate(entry)
      const several = rivals.get(id)
      const one = several?.all.get(entry)
      if (several === undefined || one === undefined) {
        standing.delete(id)
        change.added.delete(id)
        change.erased.add(id)
        return
      }
      several.all.delete(entry)
      several.first.remove(one.ranked)
      if (several.all.size === 1) rivals.delete(id)
      stand(id, several, change, several.all.size === 1 ? 'other' : 'as before')
    },
    rankAnew(change) {
      for (const [id, several] of rivals) {
        const before = [...several.all.values()]
        const now = before.map(({ version }) => ({ version, ranked: ranked(version) }))
        if (now.every(({ ranked: { rank } }, index) => rank === before[index]?.ranked.rank)) continue
        for (const one of now) several.all.set(one.version.entry, one)
        several.first = firstOf(now.map((one) => one.ranked))
        stand(id, several, change, 'as before')
      }
    },
    judgeAnew(change, chains) {
      if (chains === undefined) for (const entry of idOf.keys()) judge(entry, change)
      else for (const chain of chains) for (const entry of [...(late.get(chain) ?? [])]) judge(entry, change)
    },
    isAlone: (id) => standing.has(id) && !rivals.has(id),
    allOf(id) {
      const known = standing.get(id)
      const several = rivals.get(id)
      if (several !== undefined) return [...several.all.values()].map(({ version }) => version)
      return known === undefined ? [] : [known]
    },
  }
}
