import { describe, expect, it } from 'vitest'
import { randomInt, type DeviceId } from '../../base/index.ts'
import { createSeededRandom } from '../../../tests/kit/random.ts'
import { createVersions, noChange, type Version, type Versions } from './versions.ts'

const author = '12D3KooWMallory' as DeviceId
const version = (entry: string): Version => ({ bytes: new Uint8Array([1]), author, at: 0, entry })
const standing = (versions: Versions): [string, string, boolean][] =>
  [...versions.standing].map(([id, { entry }]): [string, string, boolean] => [id, entry, versions.isAlone(id)]).sort()

describe('operations under one id', () => {
  it('are counted by what is there, in whatever order entries come and go, and those who listen know the same', () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = createSeededRandom(`versions ${String(seed)}`)
      const versions = createVersions()
      const here = new Map<string, string>()
      const heard = new Map<string, string>()
      for (let step = 0; step < 40; step++) {
        const entry = `entry ${String(randomInt(random, 8))}`
        const change = noChange()
        if (here.delete(entry)) versions.remove(entry, change)
        else {
          const id = `id ${String(randomInt(random, 3))}`
          here.set(entry, id)
          versions.add(id, version(entry), change)
        }
        for (const id of change.erased) heard.delete(id)
        for (const id of change.added) heard.set(id, versions.standing.get(id)?.entry ?? '')
        const fresh = createVersions()
        for (const [each, id] of [...here].sort(() => randomInt(random, 3) - 1))
          fresh.add(id, version(each), noChange())
        expect(standing(versions)).toEqual(standing(fresh))
        expect([...heard].sort()).toEqual(standing(fresh).map(([id, first]) => [id, first]))
      }
    }
  })

  it('are counted by rank where they have one, also when it is another later', () => {
    for (let seed = 0; seed < 50; seed++) {
      const random = createSeededRandom(`ranks ${String(seed)}`)
      const ranks = new Map<string, number>()
      const rankOf = (entry: string): number => ranks.get(entry) ?? Infinity
      const versions = createVersions({ rankOf })
      const here = new Set<string>()
      for (let step = 0; step < 40; step++) {
        const entry = `entry ${String(randomInt(random, 8))}`
        const change = noChange()
        const before = versions.standing.get('id')?.entry
        if (randomInt(random, 3) === 0) {
          ranks.set(entry, randomInt(random, 4))
          versions.rankAnew(change)
          expect(change.added.has('id')).toBe(before !== versions.standing.get('id')?.entry)
        } else if (here.delete(entry)) versions.remove(entry, change)
        else {
          versions.add('id', version(entry), change)
          here.add(entry)
        }
        const [first] = [...here].sort((a, b) => (rankOf(a) < rankOf(b) || (rankOf(a) === rankOf(b) && a < b) ? -1 : 1))
        expect(versions.standing.get('id')?.entry).toBe(first)
      }
    }
  })

  it('that do not count are told to nobody', () => {
    const versions = createVersions()
    for (const entry of ['a', 'b']) versions.add('id', version(entry), noChange())
    const change = noChange()
    versions.add('id', version('c'), change)
    versions.remove('c', change)
    expect(change).toEqual(noChange())
  })
})
