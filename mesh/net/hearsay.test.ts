import type { Connection } from '@libp2p/interface'
import { expect, test } from 'vitest'
import { createVirtualClock } from '../../tests/kit/clock.ts'
import { createMemoryStore } from '../../tests/kit/memory-store.ts'
import {
  HEARSAY_ALL_BURST,
  HEARSAY_DIAL_EVERY_MS,
  HEARSAY_DIALS_BURST,
  HEARSAY_FAR_PRICE,
  HEARSAY_PAUSE_MAX_MS,
  silentLogger,
  type DeviceId,
} from '../base/index.ts'
import type { Membership } from '../identity/index.ts'
import { loadAddressBook } from './address-book.ts'
import { createHearsay, type Hearsay } from './hearsay.ts'

const id = (name: string): DeviceId => `12D3KooW${name.padEnd(44, 'x')}` as DeviceId
const BOB = id('Bob')

/** Hearsay of a device whose mesh has Bob and devices of other people, each named by its first letter. */
async function scene(hints: { teller: DeviceId; addresses: readonly string[] }[] = [], hosts: readonly string[] = []) {
  const clock = createVirtualClock()
  const book = await loadAddressBook(createMemoryStore(), silentLogger)
  const membership = {
    self: id('Alice'),
    admitted: (device: DeviceId) => ({ person: device.slice(8, 9) }),
    subject: () => 'member',
  } as unknown as Membership
  const hearsay = createHearsay({
    ...{ membership, book, clock },
    canDial: () => true,
    hostsOf: () => hosts,
    hintsOf: (device) => (device === BOB ? hints : []),
  })
  return { clock, book, hearsay }
}

/** Dials everything that may be dialled now; nothing answers. */
function dialAll(hearsay: Hearsay, device: DeviceId = BOB): string[] {
  const places = hearsay.places(device)
  const gate = places.gate(new Map(places.addresses.map((address) => [address, address])))
  const dialled = places.addresses.filter((address) => gate.admits(address))
  for (const way of dialled) gate.failed(way)
  return dialled
}

const many = (count: number, network = 0): string[] =>
  Array.from({ length: count }, (_, index) => `/ip4/10.${String(network)}.0.${String(index + 1)}/tcp/7541`)

test('one teller causes few dials of what nobody has proven, and the next come slowly', async () => {
  const { clock, hearsay } = await scene([{ teller: id('Mallory'), addresses: many(240) }])
  expect(dialAll(hearsay)).toHaveLength(HEARSAY_DIALS_BURST)
  expect(dialAll(hearsay)).toHaveLength(0)
  clock.advance(HEARSAY_DIAL_EVERY_MS * 3)
  expect(dialAll(hearsay)).toHaveLength(3)
})

test('many devices of one person are one teller, and all other people together have a share too', async () => {
  const one = await scene([1, 2, 3].map((n) => ({ teller: id(`M${String(n)}`), addresses: many(80, 10 + n) })))
  expect(dialAll(one.hearsay)).toHaveLength(HEARSAY_DIALS_BURST)
  const all = await scene(
    [...'KLMNOPQRST'].map((name, index) => ({ teller: id(name), addresses: many(24, 30 + index) })),
  )
  expect(dialAll(all.hearsay)).toHaveLength(HEARSAY_ALL_BURST)
})

test('what strangers of the person used up leaves the own devices their share', async () => {
  const { hearsay } = await scene([
    ...[...'KLMNOPQRST'].map((name, index) => ({ teller: id(name), addresses: many(24, 30 + index) })),
    { teller: id('Aphone'), addresses: ['/ip4/192.168.7.7/tcp/7541'] },
  ])
  expect(dialAll(hearsay)).toContain('/ip4/192.168.7.7/tcp/7541')
})

test('an address of which an honest device tells too is dialled, whoever else tells it without means', async () => {
  const shared = '/ip4/192.168.7.7/tcp/7541'
  const { hearsay } = await scene([
    { teller: id('Mallory'), addresses: [...many(40), shared] },
    { teller: id('Carol'), addresses: [shared] },
  ])
  expect(dialAll(hearsay)).toContain(shared)
})

test('a public host at which the device was never seen is dear; one at which it is connected is not', async () => {
  const far = Array.from({ length: 40 }, (_, index) => `/ip4/8.8.4.${String(index)}/tcp/7541`)
  const stranger = await scene([{ teller: id('Mallory'), addresses: far }])
  expect(dialAll(stranger.hearsay)).toHaveLength(HEARSAY_DIALS_BURST / HEARSAY_FAR_PRICE)
  const seen = await scene([], ['8.8.4.4'])
  seen.book.told(BOB, ['/ip4/8.8.4.4/tcp/7541', '/ip4/8.8.4.4/tcp/7539/ws', '/ip4/8.8.4.4/tcp/7540'])
  expect(dialAll(seen.hearsay)).toHaveLength(3)
})

test('loopback is believed from who is on this machine, and from nobody else', async () => {
  const { hearsay } = await scene()
  const told = ['/ip4/127.0.0.1/tcp/7541', '/ip4/192.168.7.7/tcp/7541']
  expect(hearsay.believed(told, BOB, ['192.168.7.7'])).toEqual(told.slice(1))
  expect(hearsay.believed(told, BOB, [])).toEqual(told.slice(1))
  expect(hearsay.believed(told, BOB, ['127.0.0.1'])).toEqual(told)
})

test('a told address that led nowhere is left alone for longer and longer; saying it again tries it once', async () => {
  const { clock, book, hearsay } = await scene()
  book.told(BOB, ['/ip4/10.0.0.1/tcp/7541'])
  let dials = 0
  for (let atMs = 0; atMs < 3_600_000; atMs += 1_000) {
    dials += dialAll(hearsay).length
    clock.advance(1_000)
  }
  expect(dials).toBeLessThanOrEqual(Math.ceil(Math.log2(HEARSAY_PAUSE_MAX_MS / 2_000)) + 7)
  expect(hearsay.places(BOB)).toMatchObject({ addresses: [], unknown: false })
  hearsay.lift(BOB, ['/ip4/10.0.0.1/tcp/7541'])
  expect([dialAll(hearsay).length, dialAll(hearsay).length]).toEqual([1, 0])
})

test('where its key answered a device is dialled without a price, and the key of another proves nothing', async () => {
  const { book, hearsay } = await scene()
  book.told(BOB, ['/ip4/10.0.0.1/tcp/7541', '/ip4/10.0.0.2/tcp/7541'])
  const { gate } = hearsay.places(BOB)
  const all = gate(new Map(book.addresses(BOB).map((address) => [address, address])))
  const of = (device: DeviceId): Connection => ({ remotePeer: { toString: () => device } }) as unknown as Connection
  all.worked('/ip4/10.0.0.1/tcp/7541', of(BOB))
  all.worked('/ip4/10.0.0.2/tcp/7541', of(id('Mallory')))
  expect(book.addresses(BOB).map((address) => book.isProven(BOB, address))).toEqual([true, false])
  for (let round = 0; round < 100; round++) expect(dialAll(hearsay)).toContain('/ip4/10.0.0.1/tcp/7541')
})
