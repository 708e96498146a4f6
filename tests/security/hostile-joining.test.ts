import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { PICTURE_TRIES_MAX, type DeviceId, type EntryHash, type PersonId } from '../../mesh/base/index.ts'
import {
  admissionProof,
  checkConsent,
  commitmentOf,
  comparePictures,
  formatInvitation,
  invitationIdOfKey,
  invitationKey,
  inviteDraft,
  openEntry,
  parseInvitation,
  signEntry,
  type EntryFields,
  type InvitationLink,
  type SignedCertificate,
} from '../../mesh/identity/index.ts'
import type { JoinOptions, JoinProgress } from '../../mesh/mesh-types.ts'
import { COMPARE } from '../../mesh/net/protocols/compare/messages.ts'
import { JOIN } from '../../mesh/net/protocols/join/messages.ts'
import { frameStream, type FrameStream } from '../../mesh/net/stream.ts'
import { earlierStore } from '../kit/earlier-mesh.ts'
import { settle } from '../kit/clock.ts'
import { createMemoryStore, type MemoryStore } from '../kit/memory-store.ts'
import { join, startPeer, type TestPeer } from '../kit/peers.ts'
import { readFrame, startRawNode, type Frame, type RawNode } from '../kit/raw-node.ts'
import { until } from '../kit/wait.ts'

// Who stands between an invitation and the one who opened it, with a program of their own.

const stops: (() => Promise<void>)[] = []
let alice: TestPeer
let bob: TestPeer
let mallory: RawNode

const start = async (...args: Parameters<typeof startPeer>): Promise<TestPeer> => {
  const peer = await startPeer(...args)
  stops.push(() => peer.stop())
  return peer
}

beforeEach(() => begin())

async function begin(store?: MemoryStore): Promise<void> {
  alice = await start('Alice', store === undefined ? {} : { store })
  bob = await start('Bob')
  mallory = await startRawNode()
  stops.push(() => mallory.stop())
}

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()))
})

const addressOf = (node: RawNode): string => {
  const address =
    node.node
      .getMultiaddrs()
      .find((one) => one.toString().includes('/ws'))
      ?.toString() ?? ''
  return address.includes('/p2p/') ? address : `${address}/p2p/${node.id}`
}
const changed = (url: string, change: Partial<InvitationLink>): string =>
  `#${formatInvitation({ ...parseInvitation(url), ...change })}`

/** A disk that stands still between `gate` and what that gave; `reached` once somebody waits for it. */
function slowDisk(): { store: MemoryStore; gate: () => () => void; reached: Promise<undefined> } {
  const store = createMemoryStore()
  const reached = Promise.withResolvers<undefined>()
  let gate: Promise<undefined> | undefined
  const slow = async (): Promise<void> => {
    if (gate !== undefined) reached.resolve(undefined)
    await gate
  }
  return {
    store: {
      ...store,
      put: (...given) => slow().then(() => store.put(...given)),
      append: (...given) => slow().then(() => store.append(...given)),
    },
    gate() {
      const { promise, resolve } = Promise.withResolvers<undefined>()
      gate = promise
      return () => {
        gate = undefined
        resolve(undefined)
      }
    },
    reached: reached.promise,
  }
}

/** Serves joins as it likes. */
async function serveJoins(node: RawNode, serve: (said: Frame, stream: FrameStream) => Promise<void>): Promise<void> {
  await node.node.handle(JOIN.id, async (stream, connection) => {
    const peer = connection.remotePeer.toString() as DeviceId
    const frames = frameStream(stream, peer, { clock: systemClock, maxFrameBytes: JOIN.maxFrameBytes })
    await serve(await readFrame(frames), frames).catch(() => undefined)
  })
}

/** Mallory as a person of Alice's mesh, with the ledger that was given at the door. */
async function malloryComes(): Promise<{ entries: Uint8Array[]; person: PersonId; stream: FrameStream }> {
  const { url } = await alice.mesh.invite({ confirmation: 'in-advance', person: 'Mallory' })
  const connection = await mallory.dial(alice)
  const given = await readFrame(await mallory.prove(connection, url))
  const { stream } = await mallory.hello(connection)
  const person = alice.mesh.people().find(({ name }) => name === 'Mallory')?.id as PersonId
  return { entries: given['entries'] as Uint8Array[], person, stream }
}

/** Writes on top of a ledger. */
async function written(url: string, entries: readonly Uint8Array[], fields: EntryFields): Promise<Uint8Array[]> {
  const { mesh } = parseInvitation(url)
  const last = entries.at(-1) ?? new Uint8Array()
  const { hash } = await openEntry(last, mesh)
  const parents: EntryHash[] = [hash]
  return [...entries, (await signEntry(mallory.key, fields, { parents, at: Date.now(), mesh })).bytes]
}

test('a device that shows words agrees to no mesh but the one it is told of, and is led to no other', async () => {
  const { entries } = await malloryComes()
  const told: Frame[] = []
  await serveJoins(mallory, async (said, stream) => {
    told.push(said)
    await stream.write({ type: 'mesh', mesh: new Uint8Array(32).fill(7) })
    told.push(await readFrame(stream))
    await stream.write({ type: 'entries', entries })
    await stream.write({ type: 'end' })
  })
  const door = { device: mallory.id, addresses: [addressOf(mallory)] }
  await expect(bob.mesh.knock(door, { onWords: () => undefined })).rejects.toMatchObject({ code: 'integrity' })
  expect(told.map((frame) => frame['type'])).toEqual(['knock', 'consent'])
  expect(bob.mesh.standing()).toBe('alone')
})

describe.each([
  ['in a mesh of this version', undefined],
  ['in a mesh where devices were let in without their word', earlierStore],
] as const)('a helper of somebody else, named as a door, %s', (_mesh, storeOf) => {
  beforeEach(async () => {
    if (storeOf === undefined) return
    await Promise.all(stops.splice(0).map((stop) => stop()))
    await begin(await storeOf())
  })

  test('makes a joiner no device of its own person', async () => {
    const { entries, person } = await malloryComes()
    const { url } = await alice.mesh.invite({ confirmation: 'in-advance', person: 'Bob' })
    await serveJoins(mallory, async (said, stream) => {
      const certificate = said['certificate'] as SignedCertificate
      const stolen = await written(url, entries, { type: 'admit', certificate, person })
      await stream.write({ type: 'entries', entries: stolen })
      await stream.write({ type: 'end' })
    })
    const before = bob.mesh.ledger()
    const led = changed(url, { addresses: [addressOf(mallory)] })
    await expect(bob.mesh.join(led)).rejects.toMatchObject({ code: 'integrity' })
    expect(bob.mesh.standing()).toBe('alone')
    expect(bob.mesh.ledger()[0]).toEqual(before[0])
    // what is not joined is not kept either
    expect([...bob.store.data.logs.keys()].filter((name) => name.includes(parseInvitation(url).mesh))).toEqual([])
  })

  test('nor by an invitation of its own, and the honest door beside it still lets the joiner in', async () => {
    const shelf = await start('Shelf')
    await join(shelf, alice)
    await shelf.untilOnline(alice)
    const { entries, person } = await malloryComes()
    const { url } = await alice.mesh.invite({ confirmation: 'in-advance', person: 'Bob' })
    const { mesh } = parseInvitation(url)
    let tries = 0
    await serveJoins(mallory, async (said, stream) => {
      tries += 1
      const certificate = said['certificate'] as SignedCertificate
      const secret = new Uint8Array(16).fill(7)
      const { privateKey, publicKey } = invitationKey(secret)
      const terms = {
        person,
        role: 'member',
        confirmation: 'in-advance',
        now: Date.now(),
        lifetimeMs: 600_000,
      } as const
      const invited = await written(url, entries, inviteDraft(secret, mallory.id, terms))
      const invitation = { key: publicKey, proof: admissionProof(privateKey, mesh, certificate) }
      const stolen = await written(url, invited, { type: 'admit', certificate, person, invitation })
      await stream.write({ type: 'entries', entries: stolen })
      await stream.write({ type: 'end' })
    })
    const honest = shelf.mesh.addresses().filter((address) => address.includes('/ws'))
    await until(() => shelf.mesh.invitations().some(({ person: who }) => who === 'Bob'), { what: 'the invitation' })
    await bob.mesh.join(changed(url, { addresses: [addressOf(mallory), ...honest] }))
    expect(tries).toBe(1)
    expect(bob.mesh.people().find(({ own }) => own)?.name).toBe('Bob')
    await until(() => alice.sees(bob), { what: 'the admission' })
    expect(alice.sees(bob)).toMatchObject({ person: 'Bob' })
  })

  test('is not named while the inviter has a helper of its own person', async () => {
    const shelf = await start('Shelf')
    const carol = await start('A helper of Carol')
    await join(carol, alice, 'Carol')
    await alice.untilOnline(carol)
    const doors = async (): Promise<string> =>
      parseInvitation((await alice.mesh.invite({ confirmation: 'in-advance' })).url).addresses.join(' ')
    expect(await doors()).toContain(carol.mesh.self)
    await join(shelf, alice)
    await alice.untilOnline(shelf)
    expect(await doors()).toContain(shelf.mesh.self)
    expect(await doors()).not.toContain(carol.mesh.self)
  })
})

test.each([
  ['a new person where it is a device of the inviter', {}, { person: 'Bob' }],
  ['a device of the inviter where it is a new person', { person: 'Bob' }, { person: '' }],
  ['another person', { person: 'Bob' }, { person: 'Robert' }],
  ['a member where it is a guest', { person: 'Bob', role: 'guest' }, { role: 'member' }],
  ['a guest where it is a member', { person: 'Bob' }, { role: 'guest' }],
  ['pictures where there are none', { person: 'Bob' }, { confirmation: 'pictures' }],
] as const)('a link that says %s joins nothing', async (_what, options, lie) => {
  const { url } = await alice.mesh.invite({ confirmation: 'in-advance', ...options })
  // what the device agreed to is not what the invitation is for: nobody is asked, and nothing is written down
  await expect(bob.mesh.join(changed(url, lie))).rejects.toMatchObject({ code: 'integrity' })
  expect(bob.mesh.standing()).toBe('alone')
  expect(alice.sees(bob)).toBeUndefined()
  expect(alice.mesh.pendingJoins()).toEqual([])
})

test('a link that names another inviter than the invitation has joins nothing', async () => {
  const shelf = await start('Shelf')
  await join(shelf, alice)
  await shelf.untilOnline(alice)
  const { url } = await alice.mesh.invite({ confirmation: 'in-advance' })
  await until(() => shelf.mesh.invitations().some(({ state }) => state === 'open'), { what: 'the invitation' })
  const addresses = shelf.mesh.addresses().filter((address) => address.includes('/ws'))
  const led = changed(url, { inviter: shelf.mesh.self, addresses })
  await expect(bob.mesh.join(led)).rejects.toMatchObject({ code: 'integrity' })
  expect(bob.mesh.standing()).toBe('alone')
})

describe('pictures', () => {
  /** Joins, and hands on what is shown. */
  const follow = (peer: TestPeer, url: string, options: JoinOptions = {}) => {
    const seen: JoinProgress[] = []
    const joined = peer.mesh.join(url, { ...options, onProgress: (progress) => seen.push(progress) })
    joined.catch(() => undefined)
    const pictures = () => until(() => seen.find((one) => one.pictures !== undefined), { what: 'the pictures' })
    return { joined, pictures }
  }

  test('of a join at a helper of another person are made by the inviter’s own device', async () => {
    const carol = await start('A helper of Carol')
    await join(carol, alice, 'Carol')
    await carol.untilOnline(alice)
    const { url, id } = await alice.mesh.invite({ confirmation: 'pictures' })
    const addresses = carol.mesh.addresses().filter((address) => address.includes('/ws'))
    await until(() => carol.mesh.invitations().some((one) => one.id === id), { what: 'the invitation' })
    const { joined, pictures } = follow(bob, changed(url, { addresses }))
    const shown = await pictures()
    const pending = await until(() => alice.mesh.pendingJoins()[0], { what: 'the join to wait' })
    expect(pending.pictures).toEqual(shown.pictures)
    expect(carol.mesh.pendingJoins()).toEqual([])
    await alice.mesh.settleJoin(id, true)
    await joined
    await until(() => alice.mesh.pendingJoins().length === 0, { what: 'the join to be over' })
  })

  test('that were compared are enough, also where the helper hears of the admission after the comparison is over', async () => {
    const { store, gate, reached } = slowDisk()
    const carol = await start('A helper of Carol', { store })
    await join(carol, alice, 'Carol')
    await carol.untilOnline(alice)
    const { url, id } = await alice.mesh.invite({ confirmation: 'pictures' })
    const addresses = carol.mesh.addresses().filter((address) => address.includes('/ws'))
    await until(() => carol.mesh.invitations().some((one) => one.id === id), { what: 'the invitation' })
    const { joined } = follow(bob, changed(url, { addresses }))
    await until(() => alice.mesh.pendingJoins()[0], { what: 'the join to wait' })
    const open = gate()
    await alice.mesh.settleJoin(id, true)
    await reached
    await until(() => alice.mesh.pendingJoins().length === 0, { what: 'the join to be over at Alice' })
    // what ended the comparison comes by another stream, some turns later
    await settle(50)
    open()
    await joined
    expect(alice.mesh.devices().some(({ id: device }) => device === bob.mesh.self)).toBe(true)
  })

  test('are shown to nobody by the word of another person’s device, which could have searched for them', async () => {
    const { stream } = await malloryComes()
    const { url } = await alice.mesh.invite({ confirmation: 'pictures' })
    const { secret, mesh } = parseInvitation(url)
    const { privateKey, publicKey } = invitationKey(secret)
    const thief = await startRawNode()
    stops.push(() => thief.stop())
    const joiner = {
      invitation: invitationIdOfKey(publicKey),
      certificate: thief.certificate,
      proof: admissionProof(privateKey, mesh, thief.certificate),
      path: 'direct',
    }
    // as earlier versions told it
    await stream.write({ type: 'pending', joins: [{ ...joiner, nonce: new Uint8Array(16).fill(9) }] })
    const connection = await mallory.dial(alice)
    const numbers = { joinerNonce: new Uint8Array(32).fill(1), inviterNonce: new Uint8Array(32).fill(2) }
    const told = await mallory.open(connection, COMPARE)
    await told.write({ type: 'exchanged', ...joiner, ...numbers })
    await expect(readFrame(told)).rejects.toMatchObject({ code: 'unauthorized' })
    // bound to one number, it opens another, which it found after it knew the other side's
    const bound = await mallory.open(connection, COMPARE)
    const commitment = commitmentOf(thief.nonce, thief.comparison(url))
    await bound.write({ type: 'waits', ...joiner, commitment })
    expect(await readFrame(bound)).toMatchObject({ type: 'compare' })
    await bound.write({ type: 'open', nonce: new Uint8Array(32).fill(3) })
    await expect(readFrame(bound)).rejects.toMatchObject({ code: 'integrity' })
    expect(alice.mesh.pendingJoins()).toEqual([])
    // and with its true number the pictures are what neither side chose
    const honest = await mallory.open(connection, COMPARE)
    await honest.write({ type: 'waits', ...joiner, commitment })
    const inviter = (await readFrame(honest))['nonce'] as Uint8Array
    await honest.write({ type: 'open', nonce: thief.nonce })
    const pending = await until(() => alice.mesh.pendingJoins()[0], { what: 'the join to wait' })
    expect(pending.pictures).toEqual(comparePictures(thief.comparison(url), { joiner: thief.nonce, inviter }))
  })

  test('a joiner that opens another number than the one it was bound to does not come to be compared', async () => {
    const { url } = await alice.mesh.invite({ confirmation: 'pictures' })
    const stream = await mallory.prove(await mallory.dial(alice), url)
    expect(await readFrame(stream)).toMatchObject({ type: 'compare' })
    await stream.write({ type: 'open', nonce: new Uint8Array(32).fill(1) })
    await expect(readFrame(stream)).rejects.toMatchObject({ code: 'integrity' })
    expect(alice.mesh.pendingJoins()).toEqual([])
  })

  test('a door that wants to exchange numbers twice is left', async () => {
    const { url } = await alice.mesh.invite({ confirmation: 'pictures' })
    const opened: Frame[] = []
    await serveJoins(mallory, async (_said, stream) => {
      for (const byte of [1, 2]) {
        await stream.write({ type: 'compare', nonce: new Uint8Array(32).fill(byte) })
        opened.push(await readFrame(stream))
      }
    })
    const { joined } = follow(bob, changed(url, { addresses: [addressOf(mallory)] }))
    await expect(joined).rejects.toMatchObject({ code: 'malformed' })
    // a consent comes by itself; a second number never
    expect(opened.filter((frame) => frame['type'] === 'open')).toHaveLength(1)
  })

  test('are made a few times for one invitation, and then no more', async () => {
    const { url } = await alice.mesh.invite({ confirmation: 'pictures' })
    for (let at = 0; at < PICTURE_TRIES_MAX; at++) {
      const stream = await mallory.prove(await mallory.dial(alice), url)
      await mallory.exchange(stream)
      await until(() => alice.mesh.pendingJoins().length === 1, { what: 'the join to wait' })
    }
    const stream = await mallory.prove(await mallory.dial(alice), url)
    await expect(readFrame(stream)).rejects.toMatchObject({ code: 'invitation-used' })
    // another link is as good as ever
    const next = await alice.mesh.invite({ confirmation: 'pictures' })
    await mallory.exchange(await mallory.prove(await mallory.dial(alice), next.url))
    await until(() => alice.mesh.pendingJoins().some(({ invitation }) => invitation === next.id), { what: 'the join' })
  })

  describe('of a device that has something to lose', () => {
    beforeEach(async () => {
      const shelf = await start('Bob’s shelf')
      await join(shelf, bob)
      await bob.untilOnline(shelf)
    })

    test('are compared on both sides, also where the inviter confirmed in advance', async () => {
      const { url, id } = await alice.mesh.invite({ confirmation: 'in-advance' })
      expect(await bob.mesh.preview(url, { opened: 'by-hand' })).toMatchObject({
        compares: 'both',
        atStake: { devices: 1 },
      })
      const before = bob.mesh.ledger()
      const { joined, pictures } = follow(bob, url, { opened: 'by-hand' })
      expect(await pictures()).toMatchObject({ asks: true })
      const pending = await until(() => alice.mesh.pendingJoins()[0], { what: 'the join to wait' })
      expect(pending.pictures).toEqual((await pictures()).pictures)
      // the inviter, who may be the attacker, is not enough
      await alice.mesh.settleJoin(id, true)
      // her person has answered, and nothing is written down before this one's has
      expect(alice.mesh.pendingJoins()).toEqual([])
      expect(alice.sees(bob)).toBeUndefined()
      // of the same mesh still
      expect(bob.mesh.ledger()[0]).toEqual(before[0])
      await bob.mesh.agreeToJoin(url, true)
      await joined
      expect(bob.sees(alice)).toBeDefined()
    })

    test('that differ end the invitation and join nothing', async () => {
      const { url, id } = await alice.mesh.invite({ confirmation: 'pictures' })
      const { joined, pictures } = follow(bob, url)
      await pictures()
      await until(() => alice.mesh.pendingJoins().length === 1, { what: 'the join to wait' })
      await bob.mesh.agreeToJoin(url, false)
      await expect(joined).rejects.toMatchObject({ code: 'refused' })
      await until(() => alice.mesh.invitations().find((one) => one.id === id)?.state === 'revoked', {
        what: 'the invitation to be over',
      })
      expect(alice.mesh.pendingJoins()).toEqual([])
      expect(alice.sees(bob)).toBeUndefined()
    })

    test('are not spared by an inviter that does not want them', async () => {
      const thief = await start('Thief')
      const { url } = await thief.mesh.invite({ confirmation: 'in-advance' })
      // the thief's helper admits at once, and says nothing of pictures
      await serveJoins(mallory, async (_said, stream) => {
        await stream.write({ type: 'entries', entries: [] })
        await stream.write({ type: 'end' })
      })
      const led = changed(url, { addresses: [addressOf(mallory)] })
      await expect(bob.mesh.join(led, { opened: 'by-hand' })).rejects.toMatchObject({ code: 'integrity' })
      await expect(bob.mesh.join(led, { opened: 'by-hand' })).rejects.toThrow('were not compared')
      expect(bob.sees(thief)).toBeUndefined()
    })

    test('are spared only for the device that answers at the very place this page came from', async () => {
      const ws = (peer: TestPeer): string =>
        (peer.mesh.addresses().find((address) => address.includes('/ws')) ?? '').replace(/\/p2p\/.*$/, '')
      const carol = await start('Carol')
      const { url } = await alice.mesh.invite({ confirmation: 'in-advance' })
      const compares = async (options: JoinOptions): Promise<string> => (await bob.mesh.preview(url, options)).compares
      expect(await compares({ opened: 'by-hand', page: ws(alice) })).toBe('nowhere')
      expect(await compares({ opened: 'by-hand', page: ws(carol) })).toBe('both')
      for (const opened of ['unknown', 'elsewhere'] as const)
        expect(await compares({ opened, page: ws(alice) })).toBe('both')
      await bob.mesh.join(url, { opened: 'by-hand', page: ws(alice) })
      expect(bob.sees(alice)).toBeDefined()
    })
  })

  test('come before this device’s signature, which is for just this link, and only after its person’s yes', async () => {
    const { url } = await alice.mesh.invite({ confirmation: 'in-advance', person: 'Bob' })
    const heard: Frame[] = []
    await serveJoins(mallory, async (said, stream) => {
      heard.push(said)
      await stream.write({ type: 'compare', nonce: new Uint8Array(32).fill(1) })
      for (;;) heard.push(await readFrame(stream))
    })
    const led = changed(url, { addresses: [addressOf(mallory)] })
    const types = (): unknown[] => heard.map((frame) => frame['type'])
    const no = follow(bob, led, { opened: 'elsewhere' })
    await no.pictures()
    await bob.mesh.agreeToJoin(led, false)
    await expect(no.joined).rejects.toMatchObject({ code: 'refused' })
    await until(() => heard.length >= 3, { what: 'the no' })
    expect(types()).toEqual(['prove', 'open', 'differ'])
    heard.splice(0)
    const cancel = new AbortController()
    const yes = follow(bob, led, { opened: 'elsewhere', signal: cancel.signal })
    await yes.pictures()
    await until(() => heard.length >= 2, { what: 'the number' })
    expect(types()).toEqual(['prove', 'open'])
    await bob.mesh.agreeToJoin(led, true)
    const { consent } = await until(() => heard[2], { what: 'the consent' })
    const { secret, mesh, inviter } = parseInvitation(url)
    const place = { mesh, key: invitationKey(secret).publicKey, certificate: heard[0]?.['certificate'] } as never
    const terms = { by: 'link', inviter, person: 'Bob', role: 'member', confirmation: 'in-advance' } as const
    await checkConsent(bob.mesh.self, { terms, signature: consent as Uint8Array }, place)
    cancel.abort()
    await expect(yes.joined).rejects.toMatchObject({ code: 'aborted' })
  })

  test('are compared on both sides for a link from another site, also by a device that holds nothing', async () => {
    const { url, id } = await alice.mesh.invite({ confirmation: 'in-advance' })
    expect(await bob.mesh.preview(url, { opened: 'elsewhere' })).toMatchObject({
      compares: 'both',
      fromElsewhere: true,
    })
    const { joined, pictures } = follow(bob, url, { opened: 'elsewhere' })
    expect(await pictures()).toMatchObject({ asks: true })
    await until(() => alice.mesh.pendingJoins().length === 1, { what: 'the join to wait' })
    await alice.mesh.settleJoin(id, true)
    expect(alice.sees(bob)).toBeUndefined()
    expect(bob.mesh.standing()).toBe('alone')
    await bob.mesh.agreeToJoin(url, true)
    await joined
  })
})
