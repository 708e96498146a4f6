import { expect, test } from 'vitest'
import { randomInt, type EntryHash, type Random } from '../../mesh/base/index.ts'
import {
  admissionProof,
  admitByRecovery,
  invitationKey,
  inviteDraft,
  recoveryDraft,
  recoveryProof,
  ROLES,
  signEntry,
  type EntryFields,
  type LedgerEntry,
} from '../../mesh/identity/index.ts'
import { createRecoverySecret, recoveryKeys } from '../../mesh/seal/index.ts'
import {
  addDevice,
  addPerson,
  admittedBy,
  createTestDevice,
  exchangeAll,
  foundEarlierMesh,
  foundMesh,
  invited,
  joinMesh,
  recovered,
  reopened,
  type TestDevice,
} from '../kit/ledger.ts'
import { createMemoryStore } from '../kit/memory-store.ts'
import { createSeededRandom } from '../kit/random.ts'

// Forged histories: any author, any parents. The same entries in any order and any frames are the same state.

const SEEDS = Number(process.env['PLEXUS_SEEDS'] ?? 30)
const pick = <Item>(random: Random, items: readonly Item[]): Item => items[randomInt(random, items.length)] as Item

const random = createSeededRandom('the ledger and order')

test.each([
  ['in a mesh of this version', foundMesh],
  ['in a mesh that began earlier', foundEarlierMesh],
] as const)(
  'forged histories fold to the same everywhere, %s',
  async (_mesh, found) => {
    const a1 = await found(await createTestDevice(random, 'a1'), random)
    const words = [1, 2].map(() => recoveryKeys(createRecoverySecret(random)))
    const a2 = await addDevice(a1, await createTestDevice(random, 'a2'))
    await a1.ledger.append(recoveryDraft(words[0] as never, a1.ledger.mesh, a1.person()))
    const b1 = await addPerson(a1, await createTestDevice(random, 'b1'), 'B', 'owner')
    await exchangeAll([a1, a2, b1])
    const b2 = await addDevice(b1, await createTestDevice(random, 'b2'))
    await exchangeAll([a1, a2, b1, b2])
    const m1 = await addPerson(a1, await createTestDevice(random, 'm1'), 'M', 'member')
    await exchangeAll([a1, a2, b1, b2, m1])
    const a3 = await addDevice(a1, await createTestDevice(random, 'a3'))
    await exchangeAll([a1, a2, b1, b2, m1, a3])
    const members = [a1, a2, b1, b2, m1, a3]
    const persons = [a1.person(), b1.person(), m1.person()]
    const outside = await Promise.all([1, 2, 3].map((n) => createTestDevice(random, `o${String(n)}`)))
    const everybody = [...members, ...outside]
    const base = a1.ledger.entries().map(({ hash }) => hash)
    const mesh = a1.ledger.mesh
    const secrets = [1, 2].map(() => random.bytes(16))
    const outsider = (index: number): TestDevice => {
      const device = outside[index]
      if (device === undefined) throw new TypeError('too few devices')
      return device
    }
    let splits = 0

    for (let seed = Number(process.env['PLEXUS_SEED_FROM'] ?? 0); seed < SEEDS; seed++) {
      const r = createSeededRandom(`order ${String(seed)}`)
      const scratch = await joinMesh({ ...outsider(0), store: createMemoryStore() }, a1)
      const known: EntryHash[] = [...base.slice(2)]
      const made: LedgerEntry[] = []
      for (let step = 0; step < 60 && made.length < 16; step++) {
        const by = pick(r, everybody)
        const device = pick(r, everybody)
        const person = pick(r, persons)
        const secret = pick(r, secrets)
        const key = invitationKey(secret)
        const word = pick(r, words)
        const terms = { by: 'link', inviter: by.id, person: '', role: 'member', confirmation: 'in-advance' } as const
        const drafts: (() => EntryFields | Promise<EntryFields>)[] = [
          () => ({ type: 'revoke', device: device.id }),
          () => ({ type: 'revoke', device: device.id }),
          () => ({ type: 'revoke', person }),
          () => ({ type: 'role', person, role: pick(r, ROLES) }),
          () => ({ type: 'rename', device: by.id, name: `n${String(step)}` }),
          () => ({ type: 'rename', device: by.id, name: `n${String(step)}` }),
          () => recoveryDraft(word, mesh, person),
          () => ({ type: 'admit', certificate: device.certificate, person }),
          () => admittedBy(by.id, mesh, device, person),
          () => recovered(mesh, word, device, person),
          () => invited(mesh, secret, device, { person, terms }),
          () =>
            admitByRecovery(
              { person, sign: word.sign.publicKey },
              recoveryProof(word, mesh, device.certificate),
              device.certificate,
            ),
          () =>
            inviteDraft(secret, by.id, {
              person,
              role: 'member',
              confirmation: 'in-advance',
              now: 1,
              lifetimeMs: 600_000,
            }),
          () => ({
            type: 'admit',
            certificate: device.certificate,
            person,
            invitation: { key: key.publicKey, proof: admissionProof(key.privateKey, mesh, device.certificate) },
          }),
        ]
        const recent = known.slice(-8)
        const parents = [...new Set([pick(r, recent), pick(r, randomInt(r, 3) === 0 ? known : recent)])]
        try {
          const entry = await signEntry(by.key, await pick(r, drafts)(), { parents, at: step, mesh })
          const { added } = await scratch.ledger.take([entry.bytes])
          if (added.length === 0) continue
          made.push(entry)
          known.push(entry.hash)
        } catch {
          continue
        }
      }
      const noise = await Promise.all(
        Array.from({ length: 3 }, (_, at) =>
          signEntry(
            b1.key,
            { type: 'invite-revoked', id: '0'.repeat(32) as never },
            { parents: [base[3] as EntryHash], at, mesh },
          ),
        ),
      )
      const states = [scratch.ledger.state(), (await reopened(scratch)).ledger.state()]
      for (let order = 0; order < 3; order++) {
        const other = await joinMesh({ ...outsider(1), store: createMemoryStore() }, a1)
        const left = [...made]
        while (left.length > 0) {
          const batch: Uint8Array[] = []
          const count = 1 + randomInt(r, 3)
          for (let n = 0; n < count && left.length > 0; n++)
            batch.push(...left.splice(randomInt(r, left.length), 1).map(({ bytes }) => bytes))
          if (randomInt(r, 2) === 0) batch.unshift(...noise.map(({ bytes }) => bytes))
          await other.ledger.take(batch)
        }
        if (other.ledger.entries().length !== scratch.ledger.entries().length) {
          console.log(
            `seed ${String(seed)}: ${String(other.ledger.entries().length)} of ${String(scratch.ledger.entries().length)}, waiting ${String(other.ledger.damage().waiting)}`,
          )
          splits++
          continue
        }
        states.push(other.ledger.state(), (await reopened(other)).ledger.state())
      }
      const [one, ...rest] = states.map(
        (state) =>
          JSON.stringify([...state.ignored].sort()) +
          JSON.stringify(
            [...state.devices.values()].map(({ id, person, removedAt }) => [id, person, removedAt]).sort(),
          ),
      )
      if (rest.some((state) => state !== one)) {
        splits++
        console.log(`seed ${String(seed)} differs: ${rest.map((state) => (state === one ? '=' : 'x')).join('')}`)
      }
    }
    expect(splits).toBe(0)
  },
  240_000,
)
