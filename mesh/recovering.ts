import {
  isMeshError,
  MeshError,
  type Clock,
  type EntryHash,
  type MeshId,
  type PersonId,
  type Random,
} from './base/index.ts'
import { doorsAt } from './doors.ts'
import {
  admitByRecovery,
  recoveryDraft,
  recoveryProof,
  signEntry,
  type DeviceKey,
  type Membership,
  type SignedCertificate,
} from './identity/index.ts'
import type { KeptEpochs } from './keeping-epochs.ts'
import type { DeviceView, Door, Mesh } from './mesh-types.ts'
import { recoverAt, type AddressBook, type Links } from './net/index.ts'
import type { MeshRecovery, RecoverOptions } from './recovery-types.ts'
import {
  createRecoverySecret,
  recoveryKeys,
  secretOf,
  secretToWords,
  splitSecret,
  wordsToSecret,
  type RecoveryKeys,
} from './seal/index.ts'

interface RecoveringPorts {
  readonly clock: Clock
  readonly random: Random
  readonly key: DeviceKey
  /** Its `adopt` takes the rooms along. */
  readonly membership: Membership
  readonly links: Links
  readonly book: AddressBook
  readonly epochs: KeptEpochs
  /** The device at one of these doors, once its link is up, or known all the same. */
  readonly untilOnline: (doors: readonly Door[], options: RecoverOptions) => Promise<DeviceView>
}

/** Recovery words of this device's person, and coming back by them. */
export function createRecovering(ports: RecoveringPorts): MeshRecovery & Pick<Mesh, 'recover'> {
  const { clock, random, membership, links, book, epochs } = ports

  const ownPerson = (): PersonId => {
    const own = membership.admitted(membership.self)
    if (own === undefined) throw new MeshError('removed', 'This device was removed from the mesh.')
    return own.person
  }

  const comeBack = async (
    keys: RecoveryKeys,
    certificate: SignedCertificate,
    door: Door,
    options: RecoverOptions,
  ): Promise<void> => {
    const signal = options.signal ?? new AbortController().signal
    options.onProgress?.('connecting')
    const connection = await links.dialOnce(door.device, door.addresses, { signal })
    try {
      options.onProgress?.('proving')
      links.spare(door.device)
      const { publicKey } = keys.sign
      const own = {
        certificate,
        key: publicKey,
        proofFor: (mesh: MeshId) => recoveryProof(keys, mesh, certificate),
        consent: (mesh: MeshId) => membership.consent({ by: 'recovery' }, { mesh, key: publicKey, certificate }),
        async write(mesh: MeshId, person: PersonId, parents: readonly EntryHash[]) {
          const fields = admitByRecovery(
            { person, sign: publicKey },
            recoveryProof(keys, mesh, certificate),
            certificate,
          )
          return (await signEntry(ports.key, fields, { parents, at: clock.now(), mesh }, { signal })).bytes
        },
      }
      const { mesh, entries } = await recoverAt(connection, own, { clock }, { signal })
      await membership.adopt(mesh, entries, { by: 'recovery', key: publicKey }, { signal })
    } finally {
      // the link proper is a new connection: as a member, the relay serves it from the start
      connection.abort(new MeshError('aborted', 'The recovery words were shown.'))
    }
  }

  /** One after the other; a device that was reached and knows the words has said what there is to say. */
  const comeBackSomewhere = async (
    keys: RecoveryKeys,
    doors: readonly Door[],
    options: RecoverOptions,
  ): Promise<void> => {
    // an earlier proof may lie in the ledger, where it is worth nothing once this device was removed
    const certificate = await membership.freshCertificate()
    let failure: unknown = new MeshError('offline', 'This place names no address that this device could reach.')
    for (const door of doors) {
      try {
        await comeBack(keys, certificate, door, options)
        return
      } catch (error) {
        failure = error
        if (!isMeshError(error, 'offline') && !isMeshError(error, 'timeout')) throw error
      }
    }
    throw failure
  }

  return {
    recovery() {
      const person = membership.admitted(membership.self)?.person
      const inForce = person === undefined ? undefined : membership.state().recoveries.get(person)
      const entry = inForce === undefined ? undefined : membership.ledger().entry(inForce.entry)
      if (entry === undefined) return null
      const byName = membership.state().devices.get(entry.author)?.name ?? ''
      return { since: entry.at, by: entry.author, byName }
    },
    async draftRecovery() {
      const secret = createRecoverySecret(random)
      const words = await secretToWords(secret)
      const parts = await splitSecret(secret, random)
      return { words: words.split(' '), parts: parts.map(({ number, text }) => ({ number, text })) }
    },
    async keepRecovery(words, options = {}) {
      const person = ownPerson()
      const keys = recoveryKeys(await wordsToSecret(words))
      const ledger = membership.ledger()
      await ledger.append(recoveryDraft(keys, ledger.mesh, person), options)
      await epochs.maintain(options)
    },
    async removeRecovery(options = {}) {
      const person = ownPerson()
      if (!membership.state().recoveries.has(person)) return
      await membership.ledger().append({ type: 'recovery', person, keys: null }, options)
      await epochs.maintain(options)
    },
    async recover(secret, place, options = {}) {
      const keys = recoveryKeys(await secretOf(secret))
      const doors = typeof place === 'string' ? doorsAt(place) : [place]
      if (doors.some(({ device }) => device === membership.self))
        throw new MeshError('usage', 'This is the address of this very device. Name another one of the mesh.')
      await comeBackSomewhere(keys, doors, options)
      options.onProgress?.('opening')
      await epochs.openWith({ person: ownPerson(), pair: keys.seal }, options)
      for (const { device, addresses } of doors) {
        if (membership.admitted(device) !== undefined) book.learn(device, addresses)
      }
      return ports.untilOnline(doors, { signal: options.signal })
    },
  }
}
