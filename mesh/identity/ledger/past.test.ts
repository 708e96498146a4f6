import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { hasPlace, NO_PLACES, unionOf, withPlace, type Places } from './past.ts'

const places = fc.uniqueArray(fc.nat(5_000), { maxLength: 60 })
const setOf = (list: readonly number[]): Places => list.reduce(withPlace, NO_PLACES)

test('a set of places has what was put in and nothing else, and is never changed', () => {
  fc.assert(
    fc.property(places, fc.nat(5_000), (list, other) => {
      const set = setOf(list)
      withPlace(set, other)
      expect(hasPlace(set, other)).toBe(list.includes(other))
      for (const place of list) expect(hasPlace(set, place)).toBe(true)
    }),
  )
})

test('a union has what either has', () => {
  fc.assert(
    fc.property(places, places, fc.array(fc.nat(5_000), { maxLength: 30 }), (one, other, asked) => {
      const union = unionOf(setOf(one), setOf(other))
      for (const place of [...one, ...other, ...asked])
        expect(hasPlace(union, place)).toBe(one.includes(place) || other.includes(place))
    }),
  )
})

test('sets that agree on a page share it', () => {
  const long = setOf(Array.from({ length: 3_000 }, (_, place) => place))
  const next = withPlace(long, 3_000)
  expect(next[0]).toBe(long[0])
  expect(unionOf(long, next)[0]).toBe(long[0])
  expect(unionOf(long, next)[2]).toBe(next[2])
})
