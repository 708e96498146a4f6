import {
  asId,
  silentLogger,
  type Clock,
  type DeviceId,
  type MeshId,
  type PersonId,
  type Random,
} from '../../mesh/base/index.ts'
import {
  admissionProof,
  admitByInvitation,
  admitByRecovery,
  createLedger,
  invitationKey,
  invitationIdOfKey,
  inviteDraft,
  loadDeviceKey,
  loadLedger,
  personIdOfDevice,
  recoveryProof,
  signCertificate,
  signConsent,
  signEntry,
  subjectOf,
  termsOfInvitation,
  type ConsentTerms,
  type DeviceKey,
  type FieldsOf,
  type Ledger,
  type LedgerEntry,
  type Role,
  type ScopeId,
  type SignedCertificate,
} from '../../mesh/identity/index.ts'
import { createWriters } from '../../mesh/writers.ts'
import type { Writers } from '../../mesh/sync/index.ts'
import { createSealingKeyPair, type RecoveryKeys, type SealingKeyPair } from '../../mesh/seal/index.ts'
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

/** The same with a mesh that began before devices said a word of their own at their admission. */
export async function foundEarlierMesh(device: TestDevice, random: Random): Promise<TestMember> {
  const { certificate, key, clock } = device
  const person = { id: toHex(random.bytes(16)) as PersonId, name: 'Alice' }
  const create = await signEntry(
    key,
    { type: 'create', name: 'Home', person, certificate },
    { parents: [], at: clock.now() },
  )
  const ledger = await loadLedger(ledgerPorts(device), asId<MeshId>(create.hash))
  await ledger.take([create.bytes])
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
    ...(await admitted(owner, device)),
    person: personIdOfDevice(device.id),
    newPerson: { name, role },
  })
  return joinMesh(device, owner)
}

/** What an entry by `by` says that admits a device as one of its own person, with that device's word. */
export async function admitted(by: TestMember, device: ConsentingDevice): Promise<FieldsOf<'admit'>> {
  return admittedBy(by.id, by.ledger.mesh, device, by.person())
}

/** The same by whom there is no ledger of. */
export async function admittedBy(
  by: DeviceId,
  mesh: MeshId,
  { key, certificate }: ConsentingDevice,
  person: PersonId,
): Promise<FieldsOf<'admit'>> {
  const terms = { by: 'device', device: by } as const
  const signature = await signConsent(key, terms, { mesh, key: undefined, certificate })
  return { type: 'admit', certificate, person, consent: { terms, signature } }
}

/** What an entry says that lets a device in by an invitation it was shown the link of. */
export async function admittedWith(
  ledger: Ledger,
  secret: Uint8Array,
  device: ConsentingDevice,
): Promise<FieldsOf<'admit'>> {
  const invitation = ledger.state().invitations.get(invitationIdOfKey(invitationKey(secret).publicKey))
  if (invitation === undefined) throw new TypeError('the writer does not know the invitation')
  return invited(ledger.mesh, secret, device, { person: invitation.person, terms: termsOfInvitation(invitation) })
}

/** The same by an invitation that is only being made up. */
export async function invited(
  mesh: MeshId,
  secret: Uint8Array,
  { key: deviceKey, certificate }: ConsentingDevice,
  { person, terms }: { readonly person: PersonId; readonly terms: ConsentTerms },
): Promise<FieldsOf<'admit'>> {
  const { privateKey, publicKey: key } = invitationKey(secret)
  const signature = await signConsent(deviceKey, terms, { mesh, key, certificate })
  const proof = admissionProof(privateKey, mesh, certificate)
  return admitByInvitation({ person, key }, proof, certificate, { terms, signature })
}

/** What an entry says that brings a device back by recovery words. */
export async function recovered(
  mesh: MeshId,
  keys: RecoveryKeys,
  { key: deviceKey, certificate }: ConsentingDevice,
  person: PersonId,
): Promise<FieldsOf<'admit'>> {
  const key = keys.sign.publicKey
  const terms = { by: 'recovery' } as const
  const signature = await signConsent(deviceKey, terms, { mesh, key, certificate })
  const proof = recoveryProof(keys, mesh, certificate)
  return admitByRecovery({ person, sign: key }, proof, certificate, { terms, signature })
}

/** A device whose key the test has, so that it can agree to anything. */
export type ConsentingDevice = Pick<TestDevice, 'key' | 'certificate'>

/** A further device of one's own person. */
export async function addDevice(by: TestMember, device: TestDevice): Promise<TestMember> {
  await by.ledger.append(await admitted(by, device))
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
  return writer.ledger.append(await admittedWith(writer.ledger, secret, device))
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

/** Who may write what, as a device's documents ask it. */
export function writersOf({ id, ledger }: Pick<TestMember, 'id' | 'ledger'>): Writers {
  const state = (): ReturnType<Ledger['state']> => ledger.state()
  return createWriters({ self: id, state, ledger: () => ledger, subject: (device) => subjectOf(state(), device) })
}

/** Makes the next key of a scope and says to whom it is given. */
export async function makeKey(
  scope: ScopeId,
  by: TestMember,
  to: readonly Pick<TestDevice, 'id'>[],
  random: Random,
): Promise<LedgerEntry> {
  const generation = (by.ledger.state().epochs.get(scope)?.[0]?.generation ?? 0) + 1
  const sealed = to.map(({ id }) => ({ to: id, box: random.bytes(80) }))
  return by.ledger.append({ type: 'rotate', scope, generation, check: random.bytes(32), sealed })
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
