import { silentLogger, type Clock, type DeviceId, type PersonId, type Random } from '../../mesh/base/index.ts'
import {
  admissionProof,
  admitByInvitation,
  createLedger,
  invitationKey,
  invitationIdOfKey,
  inviteDraft,
  loadDeviceKey,
  loadLedger,
  personIdOfDevice,
  signCertificate,
  type DeviceKey,
  type Ledger,
  type LedgerEntry,
  type Role,
  type SignedCertificate,
} from '../../mesh/identity/index.ts'
import { createSealingKeyPair, type SealingKeyPair } from '../../mesh/seal/index.ts'
import { toHex } from '../../mesh/wire/index.ts'
import { createVirtualClock, type VirtualClock } from './clock.ts'
import { createMemoryStore, type MemoryStore } from './memory-store.ts'

/** A device with its keys and certificate, in no mesh yet. */
export interface TestDevice {
  readonly id: DeviceId
  readonly key: DeviceKey
  readonly sealing: SealingKeyPair
  readonly certificate: SignedCertificate
  readonly store: MemoryStore
  readonly clock: VirtualClock
}

/** A device with its ledger of a mesh. */
export interface TestMember extends TestDevice {
  readonly ledger: Ledger
  /** The person it is a device of, as its own ledger says. */
  person(): PersonId
}

/** A fresh device. */
export async function createTestDevice(
  random: Random,
  name: string,
  options: { readonly clock?: VirtualClock; readonly kind?: 'helper' | 'browser' } = {},
): Promise<TestDevice> {
  const store = createMemoryStore()
  const clock = options.clock ?? createVirtualClock()
  const key = await loadDeviceKey(store, random)
  const sealing = createSealingKeyPair(random)
  const certificate = await signCertificate(key, {
    name,
    kind: options.kind ?? 'helper',
    sealingKey: sealing.publicKey,
    at: clock.now(),
  })
  return { id: key.id, key, sealing, certificate, store, clock }
}

/** The ports of a device's ledger. */
export function ledgerPorts(device: TestDevice): {
  store: MemoryStore
  clock: Clock
  key: DeviceKey
  log: typeof silentLogger
} {
  return { store: device.store, clock: device.clock, key: device.key, log: silentLogger }
}

/** The device with its own new mesh, its person as owner. */
export async function foundMesh(device: TestDevice, random: Random, name = 'Home'): Promise<TestMember> {
  const person = { id: toHex(random.bytes(16)) as PersonId, name: 'Alice' }
  const ledger = await createLedger(ledgerPorts(device), { name, person, certificate: device.certificate })
  return memberOf(device, ledger)
}

/** The device with what another device of the mesh tells it. */
export async function joinMesh(device: TestDevice, teller: TestMember): Promise<TestMember> {
  const ledger = await loadLedger(ledgerPorts(device), teller.ledger.mesh)
  await ledger.take(teller.ledger.missingFor([]))
  return memberOf(device, ledger)
}

/** The same device after a restart. */
export async function reopened(member: TestMember): Promise<TestMember> {
  return memberOf(member, await loadLedger(ledgerPorts(member), member.ledger.mesh))
}

/** A new person with a first device, added by an owner. */
export async function addPerson(owner: TestMember, device: TestDevice, name: string, role: Role): Promise<TestMember> {
  await owner.ledger.append({
    type: 'admit',
    certificate: device.certificate,
    person: personIdOfDevice(device.id),
    newPerson: { name, role },
  })
  return joinMesh(device, owner)
}

/** A further device of one's own person. */
export async function addDevice(by: TestMember, device: TestDevice): Promise<TestMember> {
  await by.ledger.append({ type: 'admit', certificate: device.certificate, person: by.person() })
  return joinMesh(device, by)
}

/** An invitation of a new person or of a further device, published by its maker. */
export async function invite(
  maker: TestMember,
  random: Random,
  terms: { readonly name?: string; readonly role?: Role; readonly confirmation?: 'in-advance' | 'pictures' } = {},
): Promise<Uint8Array> {
  const secret = random.bytes(16)
  await maker.ledger.append(
    inviteDraft(secret, maker.id, {
      person: terms.name === undefined ? maker.person() : { name: terms.name },
      role: terms.role ?? 'member',
      confirmation: terms.confirmation ?? 'in-advance',
      now: maker.clock.now(),
      lifetimeMs: 600_000,
    }),
  )
  return secret
}

/** Writes down the admission of a device that shows the secret. */
export async function admitWith(writer: TestMember, secret: Uint8Array, device: TestDevice): Promise<LedgerEntry> {
  const key = invitationKey(secret)
  const invitation = writer.ledger.state().invitations.get(invitationIdOfKey(key.publicKey))
  if (invitation === undefined) throw new TypeError('the writer does not know the invitation')
  const proof = admissionProof(key.privateKey, writer.ledger.mesh, device.certificate)
  return writer.ledger.append(admitByInvitation(invitation, proof, device.certificate))
}

/** Both tell each other everything. */
export async function exchange(a: TestMember, b: TestMember): Promise<void> {
  await b.ledger.take(a.ledger.missingFor(b.ledger.heads()))
  await a.ledger.take(b.ledger.missingFor(a.ledger.heads()))
}

/** Everybody tells everybody, until nobody learns anything. */
export async function exchangeAll(members: readonly TestMember[]): Promise<void> {
  for (let round = 0; round < 2; round++) {
    for (const [index, member] of members.entries()) {
      for (const other of members.slice(index + 1)) await exchange(member, other)
    }
  }
}

function memberOf(device: TestDevice, ledger: Ledger): TestMember {
  return {
    ...device,
    ledger,
    person() {
      const person = ledger.state().devices.get(device.id)?.person
      if (person === undefined) throw new TypeError('this device is not in the mesh')
      return person
    },
  }
}
