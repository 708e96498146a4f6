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
 * operations under one has one of them counted, the same everywhere: that of the smallest entry, of those
 * that are there. So it follows from the set, whatever came first, and whatever is erased later.
 */
export interface Versions {
  /** Those that count. */
  readonly standing: ReadonlyMap<string, Version>
  add(id: string, version: Version, change: VersionChange): void
  /** The entry was erased. */
  remove(entry: string, change: VersionChange): void
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
  readonly all: Map<string, Version>
  /** The one that counts. */
  readonly first: Newest<Version>
}

/** Nothing yet. */
export function createVersions(): Versions {
  const standing = new Map<string, Version>()
  /** Of ids with several; of others nothing, for that is all but never. */
  const rivals = new Map<string, Rivals>()
  const idOf = new Map<string, string>()

  const rivalsOf = (id: string, known: Version): Rivals => {
    const before = rivals.get(id)
    if (before !== undefined) return before
    const first = createNewest<Version>(1, (a, b) => (a.entry > b.entry ? -1 : 1))
    first.add(known)
    const made = { all: new Map([[known.entry, known]]), first }
    rivals.set(id, made)
    return made
  }

  /** Nobody hears of one that came or went and does not count. */
  const stand = (id: string, { first }: Rivals, change: VersionChange, company: 'as before' | 'other'): void => {
    const [version] = first.items
    if (version === undefined || (version === standing.get(id) && company === 'as before')) return
    standing.set(id, version)
    change.erased.add(id)
    change.added.add(id)
  }

  return {
    standing,
    add(id, version, change) {
      if (idOf.has(version.entry)) return
      idOf.set(version.entry, id)
      const known = standing.get(id)
      if (known === undefined) {
        standing.set(id, version)
        change.added.add(id)
        return
      }
      const several = rivalsOf(id, known)
      several.all.set(version.entry, version)
      several.first.add(version)
      stand(id, several, change, several.all.size === 2 ? 'other' : 'as before')
    },
    remove(entry, change) {
      const id = idOf.get(entry)
      if (id === undefined) return
      idOf.delete(entry)
      const several = rivals.get(id)
      const version = several?.all.get(entry)
      if (several === undefined || version === undefined) {
        standing.delete(id)
        change.added.delete(id)
        change.erased.add(id)
        return
      }
      several.all.delete(entry)
      several.first.remove(version)
      if (several.all.size === 1) rivals.delete(id)
      stand(id, several, change, several.all.size === 1 ? 'other' : 'as before')
    },
    isAlone: (id) => standing.has(id) && !rivals.has(id),
    allOf(id) {
      const known = standing.get(id)
      return [...(rivals.get(id)?.all.values() ?? (known === undefined ? [] : [known]))]
    },
  }
}
