import { afterEach, expect, test } from 'vitest'
import type { MeshEvent } from '../../mesh/mesh-types.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { until } from '../kit/wait.ts'

const running: TestPeer[] = []
const start = async (...args: Parameters<typeof startPeer>): Promise<TestPeer> => {
  const peer = await startPeer(...args)
  running.push(peer)
  return peer
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((peer) => peer.stop()))
})

interface Shown {
  readonly words: Promise<string>
  readonly joined: Promise<unknown>
}

function knock(peer: TestPeer, at: TestPeer, signal?: AbortSignal): Shown {
  const shown = Promise.withResolvers<string>()
  const door = { device: at.mesh.self, addresses: at.mesh.addresses() }
  const joined = peer.mesh.knock(door, {
    signal,
    onWords: (words) => {
      shown.resolve(words.join(' '))
    },
  })
  joined.catch(() => undefined)
  return { words: shown.promise, joined }
}

test('a new device shows words, an admitted one types them, sees what it is, and lets it in', async () => {
  const alice = await start('Alice desktop')
  const phone = await start('Amber Heron')
  const { words, joined } = knock(phone, alice)
  const typed = await words
  await until(() => alice.mesh.knocks().length === 1, { what: 'the knock' })
  expect(await alice.mesh.findKnock(typed)).toMatchObject({ device: phone.mesh.self, name: 'Amber Heron' })
  expect(alice.sees(phone)).toBeUndefined()
  await alice.mesh.admitKnock(typed.toUpperCase().replaceAll(' ', ', '))
  await joined
  await alice.untilOnline(phone)
  expect(alice.sees(phone)).toMatchObject({ role: 'owner', person: '' })
  expect(phone.mesh.standing()).toBe('member')
  expect(alice.mesh.knocks()).toEqual([])
})

test('the words may be typed on another device of the mesh than the one that was knocked at', async () => {
  const alice = await start('Alice desktop')
  const laptop = await start('Alice laptop')
  await join(laptop, alice)
  await laptop.untilOnline(alice)
  const events: MeshEvent['type'][] = []
  laptop.mesh.events.subscribe((event) => events.push(event.type))
  const phone = await start('Amber Heron')
  const { words, joined } = knock(phone, alice)
  const typed = await words
  await until(() => laptop.mesh.knocks().length === 1, { what: 'the knock to be told' })
  expect(events).toContain('knocks')
  await laptop.mesh.admitKnock(typed)
  await joined
  expect(
    phone.mesh
      .devices()
      .map((device) => device.id)
      .sort(),
  ).toEqual([alice, laptop, phone].map((peer) => peer.mesh.self).sort())
})

test('wrong words admit nobody, five of them end the guessing, and a device that gave up is forgotten', async () => {
  const alice = await start('Alice desktop')
  const phone = await start('Amber Heron')
  const giveUp = new AbortController()
  const { words, joined } = knock(phone, alice, giveUp.signal)
  await words
  await until(() => alice.mesh.knocks().length === 1, { what: 'the knock' })
  for (let time = 0; time < 5; time++) {
    await expect(alice.mesh.admitKnock('abandon ability able about above absent')).rejects.toMatchObject({
      code: 'invitation-unknown',
    })
  }
  await expect(alice.mesh.admitKnock(await words)).rejects.toMatchObject({ code: 'busy' })
  expect(alice.sees(phone)).toBeUndefined()
  giveUp.abort()
  await expect(joined).rejects.toMatchObject({ code: 'aborted' })
  await until(() => alice.mesh.knocks().length === 0, { what: 'the knock to be forgotten' })
})

test('a device whose words nobody typed is not drawn into the mesh of whoever it knocked at', async () => {
  // the helper that was knocked at admits the device by an invitation of its own making
  const mallory = await start('Mallory')
  const phone = await start('Amber Heron')
  const { words, joined } = knock(phone, mallory)
  await words
  await until(() => mallory.mesh.knocks().length === 1, { what: 'the knock' })
  const { url } = await mallory.mesh.invite({ confirmation: 'in-advance' })
  const twin = await start('Twin', { store: phone.store })
  await twin.mesh.join(url)
  await expect(joined).rejects.toMatchObject({ code: 'integrity' })
  expect(phone.mesh.devices().map((device) => device.id)).toEqual([phone.mesh.self])
  expect(phone.mesh.standing()).toBe('alone')
})
