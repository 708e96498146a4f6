import {
  asId,
  createEvents,
  getTwice,
  isMeshError,
  MeshError,
  messageOf,
  putTwice,
  type Clock,
  type DeviceId,
  type EventSource,
  type Logger,
  type MeshId,
  type PersonId,
  type Random,
  type Store,
} from '../base/index.ts'
import type { SealingKeyPair } from '../seal/index.ts'
import { authorize, type Subject } from './authorize.ts'
import type { DeviceKey } from './device-key.ts'
import {
  createLedger,
  dropNewLedger,
  loadLedger,
  personIdOfDevice,
  signCertificate,
  signConsent,
  type ConsentPlace,
  type ConsentTerms,
  type Ledger,
  type LedgerDevice,
  type LedgerState,
  type SignedCertificate,
} from './ledger/index.ts'
import type { Role } from './roles.ts'
import { checkShown, type Shown } from './shown.ts'

const CURRENT_KEY = 'ledger/current'

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

/** A device of the mesh, with what its person is. */
export interface Member {
  readonly id: DeviceId
  readonly name: string
  readonly kind: 'helper' | 'browser'
  readonly role: Role
  readonly person: PersonId
  readonly personName: string
  readonly admittedAt: number
  readonly admittedBy: DeviceId
  /** True: it came by the recovery key of its person. */
  readonly recovered: boolean
  /** True: it said itself that it comes; false: it may be a claim of somebody. */
  readonly consented: boolean
  readonly removedAt: number | null
}

/** What a device may want of another one. */
export type CallAction = 'ask' | 'read-ledger' | 'store'

/** What a device may do for or want of another one, whichever two they are. */
export type ServeAction = 'ask' | 'answer' | 'relay' | 'be-relayed'

/** Whether this device is alone in its mesh, one of several, or removed from it. */
export type Standing = 'alone' | 'member' | 'removed'

/** Which mesh this device is in, and who else is. */
export interface Membership {
  readonly self: DeviceId
  /** Who belongs, or what they may do, has changed; or this device went to another mesh. */
  readonly changes: EventSource<void>
  /** Signed entries that became known, for those who tell others. */
  readonly entries: EventSource<readonly Uint8Array[]>
  /** The ledger of the present mesh; another one after {@link adopt}. */
  ledger(): Ledger
  state(): LedgerState
  /** Everyone who is or was a device of this mesh, this device first, then by name. */
  members(): readonly Member[]
  /** The device, if it belongs. */
  admitted(id: DeviceId): Member | undefined
  wasRemoved(id: DeviceId): boolean
  /** A device as {@link authorize} judges it. */
  subject(id: DeviceId): Subject
  /** Whether it is a device of this one's person and belongs, as this one does. */
  isOwn(id: DeviceId): boolean
  /** Whether a device may call this one for something. */
  mayCall(id: DeviceId, action: CallAction): boolean
  /** Whether a device may do something for, to or through another one of this mesh. */
  mayServe(id: DeviceId, action: ServeAction, other: DeviceId): boolean
  standing(): Standing
  /** This device's present certificate. */
  certificate(): Promise<SignedCertificate>
  /** One that says the same and was never shown: what is proven for it was proven for no other time. */
  freshCertificate(): Promise<SignedCertificate>
  /**
   * This device's signature that it comes, as just this. Whoever has it can let this device in
   * like that: to be given only for what its person was shown, and after that person's yes.
   */
  consent(terms: ConsentTerms, place: ConsentPlace): Promise<Uint8Array>
  /**
   * Goes to the mesh of these entries, which must be `mesh` and must have made this device
   * what its person was shown, by just that invitation, words, recovery key or list; the
   * present mesh is left. Resolves when that is durable.
   * @throws MeshError `integrity` when it is anything else, and of the store; nothing has changed then
   */
  adopt(mesh: MeshId, entries: readonly Uint8Array[], shown: Shown, options?: Cancellable): Promise<void>
}

/** What membership stands on. */
export interface MembershipPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly key: DeviceKey
  readonly sealing: SealingKeyPair
}

/** What a device says of itself when it starts a mesh of its own. */
export interface OwnDevice {
  readonly name: string
  readonly kind: 'helper' | 'browser'
  /** Name of its person. */
  readonly person: string
}

/**
 * Loads the mesh this device is in, or starts one of its own: nobody is asked to
 * create anything.
 * @throws MeshError of the store
 */
export async function loadMembership(
  ports: MembershipPorts,
  own: OwnDevice,
  options: Cancellable = {},
): Promise<Membership> {
  const { store, clock, key, sealing } = ports
  const onListenerError = (error: unknown): void => {
    ports.log.error('a listener of the membership failed', { error })
  }
  const changes = createEvents<void>(onListenerError)
  const news = createEvents<readonly Uint8Array[]>(onListenerError)

  const certify = (name: string): Promise<SignedCertificate> =>
    signCertificate(key, { sealingKey: sealing.publicKey, kind: own.kind, name, at: clock.now() })

  const found = await loadCurrent(ports, options)
  let ledger =
    found ??
    (await createLedger(
      ports,
      {
        name: '',
        person: { id: personIdOfDevice(key.id), name: own.person },
        certificate: await certify(own.name),
      },
      options,
    ))
  if (found === undefined) await keepCurrent(ports, ledger.mesh, options)

  const follow = (): (() => void) =>
    ledger.changes.subscribe(({ added }) => {
      changes.emit()
      news.emit(added.map((entry) => entry.bytes))
    })
  let unfollow = follow()

  const memberOf = (state: LedgerState, device: LedgerDevice): Member => {
    const person = state.people.get(device.person)
    return {
      id: device.id,
      name: device.name,
      kind: device.kind,
      role: person?.role ?? 'guest',
      person: device.person,
      personName: person?.name ?? '',
      admittedAt: device.admittedAt,
      admittedBy: device.admittedBy,
      recovered: device.recovered,
      consented: device.consented,
      removedAt: device.removedAt ?? person?.removedAt ?? null,
    }
  }

  const members = (): Member[] => {
    const state = ledger.state()
    return [...state.devices.values()]
      .map((device) => memberOf(state, device))
      .sort(
        (a, b) =>
          Number(b.id === key.id) - Number(a.id === key.id) || a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1),
      )
  }

  const find = (id: DeviceId): Member | undefined => {
    const state = ledger.state()
    const device = state.devices.get(id)
    return device === undefined ? undefined : memberOf(state, device)
  }

  const subject = (id: DeviceId): Subject => {
    const member = find(id)
    if (member === undefined) return 'stranger'
    return member.removedAt === null ? member.role : 'removed'
  }

  const mayServe = (id: DeviceId, action: ServeAction, other: DeviceId): boolean => {
    const isOwn = find(id)?.person === find(other)?.person
    return authorize(subject(id), action, isOwn ? 'own-device' : 'other-device').allowed
  }

  const isOwn = (id: DeviceId): boolean => {
    const [own, other] = [find(key.id), find(id)]
    return own?.removedAt === null && other?.removedAt === null && own.person === other.person
  }

  const isRemoved = (id: DeviceId): boolean => (find(id)?.removedAt ?? null) !== null

  /** Takes this device out of a mesh it goes away from, so that the others need not wait for it. */
  const leave = async (leaveOptions: Cancellable): Promise<void> => {
    if (standing() !== 'member') return
    try {
      await ledger.append({ type: 'revoke', device: key.id }, leaveOptions)
    } catch (error) {
      if (!isMeshError(error, 'conflict')) throw error
      // the last owner cannot take itself out; the others keep a device that is gone
      ports.log.info('the mesh that is left loses its last owner', { mesh: ledger.mesh })
    }
  }

  const standing = (): Standing => {
    if (isRemoved(key.id)) return 'removed'
    return members().some((member) => member.id !== key.id && member.removedAt === null) ? 'member' : 'alone'
  }

  return {
    self: key.id,
    changes,
    entries: news,
    ledger: () => ledger,
    state: () => ledger.state(),
    members,
    admitted(id) {
      const member = find(id)
      if (member === undefined || member.removedAt !== null) return undefined
      // who was removed is alone with itself: the others do not want it, and it has no business with them
      return id !== key.id && isRemoved(key.id) ? undefined : member
    },
    wasRemoved: isRemoved,
    subject,
    isOwn,
    mayCall(id, action) {
      if (action === 'read-ledger') return authorize(subject(id), action, 'mesh').allowed
      if (action === 'store') return authorize(subject(id), action, 'mesh').allowed
      return mayServe(id, action, key.id)
    },
    mayServe,
    standing,
    async certificate() {
      const known = ledger.state().devices.get(key.id)
      return known?.certificate ?? (await certify(own.name))
    },
    freshCertificate: () => certify(find(key.id)?.name ?? own.name),
    consent: (terms, place) => signConsent(key, terms, place),
    async adopt(mesh, entries, shown, adoptOptions = {}) {
      const next = mesh === ledger.mesh ? ledger : await loadLedger(ports, mesh, adoptOptions)
      const isNew = next.heads().length === 0
      try {
        await next.take(entries, adoptOptions)
        checkShown(next.state(), key.id, shown)
      } catch (error) {
        // what is not joined is not kept: whoever answers would fill this disk
        if (isNew && next !== ledger) await dropNewLedger(store, mesh, adoptOptions)
        throw error
      }
      if (next === ledger) return
      await leave(adoptOptions)
      try {
        await keepCurrent(ports, mesh, adoptOptions)
      } catch (error) {
        // it may have reached the disk all the same, and what is done from now on is done in the mesh before
        await keepCurrent(ports, ledger.mesh, {}).catch((again: unknown) => {
          ports.log.error('which mesh counts at the next start is not certain', { reason: messageOf(again) })
        })
        throw error
      }
      unfollow()
      ledger = next
      unfollow = follow()
      changes.emit()
    },
  }
}

async function loadCurrent(ports: MembershipPorts, options: Cancellable): Promise<Ledger | undefined> {
  const stored = await readCurrent(ports, options)
  if (stored === undefined) return undefined
  const mesh = new TextDecoder().decode(stored)
  if (!/^[0-9a-f]{64}$/.test(mesh)) throw currentDamaged()
  return loadLedger(ports, asId<MeshId>(mesh), options)
}

async function readCurrent({ store, log }: MembershipPorts, options: Cancellable): Promise<Uint8Array | undefined> {
  try {
    return await getTwice(store, CURRENT_KEY, log, options)
  } catch (error) {
    throw isMeshError(error, 'storage-corrupt') ? currentDamaged(error) : error
  }
}

function currentDamaged(cause?: unknown): MeshError {
  const sentence =
    'Which mesh this device is in is damaged, in both places where it is stored. The other devices have what they shared with this one. Remove this device on one of them, move its data away, and join anew.'
  return new MeshError('storage-corrupt', sentence, { cause })
}

function keepCurrent({ store, log }: MembershipPorts, mesh: MeshId, options: Cancellable): Promise<void> {
  return putTwice(store, CURRENT_KEY, new TextEncoder().encode(mesh), log, options)
}
