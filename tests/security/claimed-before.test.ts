import { afterEach, describe, expect, test } from 'vitest'
import { systemRandom } from '../../helper/ports/random.ts'
import type { EntryHash, MeshId, PersonId } from '../../mesh/base/index.ts'
import {
  admissionProof,
  invitationKey,
  inviteDraft,
  parseInvitation,
  signEntry,
  type EntryFields,
  type SignedCertificate,
} from '../../mesh/identity/index.ts'
import type { FrameStream } from '../../mesh/net/stream.ts'
import { earlierStore } from '../kit/earlier-mesh.ts'
import type { MemoryStore } from '../kit/memory-store.ts'
import { startPeer, type TestPeer } from '../kit/peers.ts'
import { readFrame, startRawNode, type RawNode } from '../kit/raw-node.ts'
import { until } from '../kit/wait.ts'

// A member with software of its own hears which device is about to join, and writes it
// into the ledger as its own before it is let in where it was invited.

const stops: (() => Promise<void>)[] = []

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()))
})

async function start(name: string, store?: MemoryStore): Promise<TestPeer> {
  const peer = await startPeer(name, store === undefined ? {} : { store })
  stops.push(() => peer.stop())
  return peer
}

/** Mallory, a member, and what she can do from now on. */
interface Thief {
  readonly node: RawNode
  readonly person: PersonId
  /** The certificate of the device that shows words, as members are told. */
  heard(): Promise<SignedCertificate>
  /** Writes on top of what Alice has, and tells her. */
  say(...drafts: EntryFields[]): Promise<void>
}

async function malloryComes(alice: TestPeer): Promise<Thief> {
  const node = await startRawNode()
  stops.push(() => node.stop())
  const { url } = await alice.mesh.invite({ confirmation: 'in-advance', person: 'Mallory' })
  const { mesh } = parseInvitation(url)
  const connection = await node.dial(alice)
  await readFrame(await node.prove(connection, url))
  const { stream } = await node.hello(connection)
  await until(() => alice.mesh.people().some(({ name }) => name === 'Mallory'), { what: 'Mallory to be in' })
  const person = alice.mesh.people().find(({ name }) => name === 'Mallory')?.id as PersonId
  return {
    node,
    person,
    heard: () => knockTold(stream),
    async say(...drafts) {
      let parents = [alice.mesh.ledger().at(-1)?.hash as EntryHash]
      const entries: Uint8Array[] = []
      for (const draft of drafts) {
        const entry = await signEntry(node.key, draft, { parents, at: Date.now(), mesh })
        entries.push(entry.bytes)
        parents = [entry.hash]
      }
      await stream.write({ type: 'entries', entries })
      // what she has heard of before, Alice's answer to this comes after what is said of the entries
      await stream.write({ type: 'beat', n: 7 })
      await until(async () => (await readFrame(stream))['type'] === 'echo', { what: 'Alice to have heard it' })
    },
  }
}

async function knockTold(stream: FrameStream): Promise<SignedCertificate> {
  return until(
    async () => {
      const frame = await readFrame(stream)
      const [first] = frame['type'] === 'knocks' ? (frame['knocks'] as { certificate: SignedCertificate }[]) : []
      return first?.certificate
    },
    { what: 'the knock to be told' },
  )
}

/** The device is hers: as it is, and by an invitation of her own. */
function claimsOf({ node, person }: Thief, mesh: MeshId, certificate: SignedCertificate): EntryFields[][] {
  const secret = systemRandom.bytes(16)
  const { privateKey, publicKey } = invitationKey(secret)
  const terms = { person, role: 'member', confirmation: 'in-advance', now: Date.now(), lifetimeMs: 600_000 } as const
  const invitation = { key: publicKey, proof: admissionProof(privateKey, mesh, certificate) }
  return [
    [{ type: 'admit', certificate, person }],
    [inviteDraft(secret, node.id, terms), { type: 'admit', certificate, person, invitation }],
  ]
}

function knock(peer: TestPeer, at: TestPeer, signal?: AbortSignal) {
  const shown = Promise.withResolvers<string>()
  const door = { device: at.mesh.self, addresses: at.mesh.addresses() }
  const onWords = (words: readonly string[]): void => {
    shown.resolve(words.join(' '))
  }
  const joined = peer.mesh.knock(door, { signal, onWords })
  joined.catch(() => undefined)
  return { words: shown.promise, joined }
}

const MESHES = [
  ['in a mesh of this version', (): Promise<MemoryStore | undefined> => Promise.resolve(undefined)],
  ['in a mesh that began earlier', earlierStore],
] as const
const CLAIMS = [
  ['as her own', 0],
  ['by an invitation of her own', 1],
] as const

describe.each(MESHES)('a device that a member claims before it is let in, %s', (_mesh, storeOf) => {
  test.each(CLAIMS)('%s, comes in by its words all the same, as whose it said', async (_claim, which) => {
    const alice = await start('Alice', await storeOf())
    const mallory = await malloryComes(alice)
    const phone = await start('Phone')
    const { words, joined } = knock(phone, alice)
    const typed = await words
    const certificate = await mallory.heard()
    const { mesh } = parseInvitation((await alice.mesh.invite({ confirmation: 'in-advance' })).url)
    await mallory.say(...(claimsOf(mallory, mesh, certificate)[which] ?? []))
    await alice.mesh.admitKnock(typed)
    await joined
    expect(alice.sees(phone)).toMatchObject({ role: 'owner', person: '' })
    expect(phone.mesh.people().find(({ own }) => own)?.name).toBe(alice.mesh.people().find(({ own }) => own)?.name)
    await phone.untilOnline(alice)
  })

  test.each(CLAIMS)('%s, comes in by its link all the same, as the person it names', async (_claim, which) => {
    const alice = await start('Alice', await storeOf())
    const mallory = await malloryComes(alice)
    const bob = await start('Bob')
    const tried = new AbortController()
    await knock(bob, alice, tried.signal).words
    const certificate = await mallory.heard()
    tried.abort()
    const { url } = await alice.mesh.invite({ confirmation: 'in-advance', person: 'Bob' })
    await mallory.say(...(claimsOf(mallory, parseInvitation(url).mesh, certificate)[which] ?? []))
    await bob.mesh.join(url)
    expect(alice.sees(bob)).toMatchObject({ role: 'member', person: 'Bob' })
    expect(bob.mesh.people().find(({ own }) => own)?.name).toBe('Bob')
    await bob.untilOnline(alice)
  })
})

test('a device that asked for nothing is let in by nobody', async () => {
  const alice = await start('Alice')
  const mallory = await malloryComes(alice)
  const bob = await start('Bob')
  const tried = new AbortController()
  await knock(bob, alice, tried.signal).words
  const certificate = await mallory.heard()
  tried.abort()
  const { mesh } = parseInvitation((await alice.mesh.invite({ confirmation: 'in-advance' })).url)
  for (const claim of claimsOf(mallory, mesh, certificate)) {
    await mallory.say(...claim)
    expect(alice.sees(bob)).toBeUndefined()
  }
})
