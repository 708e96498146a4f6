import {
  asMeshError,
  createEvents,
  deadline,
  isMeshError,
  KNOCK_TRIES_MAX,
  KNOCKS_MAX,
  MeshError,
  PENDING_JOIN_MS,
  type Clock,
  type DeviceId,
  type EventSource,
  type Logger,
} from '../base/index.ts'
import {
  admissionProof,
  admitByInvitation,
  checkKnock,
  inviteDraft,
  invitationIdOfKey,
  invitationKey,
  openCertificate,
  readWords,
  secretOfWords,
  type Certificate,
  type Membership,
} from '../identity/index.ts'
import { toHex } from '../wire/index.ts'
import type { KnockProof } from './protocols/control/messages.ts'
import type { Knocking } from './protocols/join/join.ts'

/** A device that shows words and waits for somebody of this mesh to type them. */
export interface Knock {
  readonly device: DeviceId
  readonly name: string
  readonly kind: 'helper' | 'browser'
  readonly path: 'direct' | 'relayed'
}

/** Joining by words: the new device shows them, an admitted one types them. */
export interface Knocks extends Knocking {
  /** Somebody knocked or is gone. */
  readonly changes: EventSource<void>
  waiting(): readonly Knock[]
  /** Those that have this very device on their line, for the other devices of the mesh. */
  waitingHere(): readonly KnockProof[]
  hear(from: DeviceId, proofs: readonly KnockProof[]): Promise<void>
  /**
   * The device that shows these words, so that a person sees what it is before it is admitted.
   * @throws MeshError `usage` for what are no words, `invitation-unknown` when no device
   * shows them, `busy` after too many tries
   */
  find(typed: string, options?: Cancellable): Promise<Knock>
  /** Admits it as a further device of this device's person. @throws as {@link find}, and of the ledger */
  admit(typed: string, options?: Cancellable): Promise<void>
}

interface Cancellable {
  readonly signal?: AbortSignal | undefined
}

interface KnockPorts {
  readonly membership: Membership
  readonly clock: Clock
  readonly log: Logger
  /** Keeps the connection of a device that waits. */
  readonly spare: (id: DeviceId) => void
}

interface Entry {
  readonly knock: Knock
  readonly proof: KnockProof
  /** The device that has it on its line; undefined: this one. */
  readonly at: DeviceId | undefined
  readonly end: (outcome: 'admitted' | 'gone') => void
}

/** Who knocks, here and at the other devices of the mesh. */
export function createKnocks(ports: KnockPorts): Knocks {
  const { membership, clock, log } = ports
  const entries = new Map<DeviceId, Entry>()
  const tries: number[] = []
  const changes = createEvents<void>((error) => {
    log.error('a listener of knocks failed', { error })
  })

  const believed = async (proof: KnockProof): Promise<Certificate> => {
    await checkKnock(proof.key, proof.proof, proof.certificate)
    return openCertificate(proof.certificate)
  }

  const put = (
    certificate: Certificate,
    proof: KnockProof,
    at: DeviceId | undefined,
    ended: (outcome: string) => void,
  ): void => {
    const { device, name, kind } = certificate
    // the newest try counts: the first link may be dead
    entries.get(device)?.end('gone')
    if (entries.size >= KNOCKS_MAX) throw new MeshError('busy', 'Several devices are joining at once. Try again soon.')
    const entry: Entry = {
      knock: { device, name, kind, path: proof.path },
      proof,
      at,
      end(outcome) {
        if (entries.get(device) !== entry) return
        entries.delete(device)
        changes.emit()
        ended(outcome)
      },
    }
    entries.set(device, entry)
    changes.emit()
  }

  membership.changes.subscribe(() => {
    for (const { knock, end } of [...entries.values()])
      if (membership.admitted(knock.device) !== undefined) end('admitted')
  })

  const countTry = (): void => {
    const now = clock.monotonic()
    while (tries[0] !== undefined && now - tries[0] > PENDING_JOIN_MS) tries.shift()
    if (tries.length >= KNOCK_TRIES_MAX)
      throw new MeshError('busy', 'Too many wrong words were typed. Wait some minutes, then show new ones.')
    tries.push(now)
  }

  const secretFor = async (typed: string): Promise<{ entry: Entry; secret: Uint8Array }> => {
    const words = readWords(typed)
    countTry()
    const secret = await secretOfWords(words)
    const key = toHex(invitationKey(secret).publicKey)
    const entry = [...entries.values()].find((one) => toHex(one.proof.key) === key)
    if (entry === undefined)
      throw new MeshError('invitation-unknown', 'No device shows these words. Look again, or have it show new ones.')
    tries.pop()
    return { entry, secret }
  }

  return {
    changes,
    waiting: () => [...entries.values()].map((entry) => entry.knock),
    waitingHere: () => [...entries.values()].flatMap(({ proof, at }) => (at === undefined ? [proof] : [])),
    async hear(from, proofs) {
      for (const entry of [...entries.values()]) {
        if (entry.at === from && !proofs.some((proof) => toHex(proof.key) === toHex(entry.proof.key))) entry.end('gone')
      }
      for (const proof of proofs) {
        try {
          const certificate = await believed(proof)
          const before = entries.get(certificate.device)
          // a device's own word counts more than another's about it
          if (before !== undefined && (before.at !== from || toHex(before.proof.key) === toHex(proof.key))) continue
          if (membership.admitted(certificate.device) === undefined) put(certificate, proof, from, () => undefined)
        } catch (error) {
          log.warn('a knock told by another device was not believed', { from, error: asMeshError(error).message })
        }
      }
    },
    async find(typed) {
      return (await secretFor(typed)).entry.knock
    },
    async admit(typed, options = {}) {
      const { entry, secret } = await secretFor(typed)
      const own = membership.admitted(membership.self)
      if (own === undefined) throw new MeshError('removed', 'This device was removed and can admit nobody.')
      const ledger = membership.ledger()
      const key = invitationKey(secret)
      const id = invitationIdOfKey(key.publicKey)
      const terms = {
        person: own.person,
        role: own.role,
        confirmation: 'in-advance',
        now: clock.now(),
        lifetimeMs: PENDING_JOIN_MS,
      } as const
      try {
        await ledger.append(inviteDraft(secret, membership.self, terms), options)
      } catch (error) {
        // a first try that was cut between the two entries
        if (!isMeshError(error, 'conflict')) throw error
      }
      const invitation = ledger.state().invitations.get(id)
      if (invitation === undefined) throw new MeshError('bug', 'An invitation that was written is not there.')
      // whoever wrote this knew the words: that is how the new device knows its mesh
      const proof = admissionProof(key.privateKey, ledger.mesh, entry.proof.certificate)
      await ledger.append(admitByInvitation(invitation, proof, entry.proof.certificate), options)
    },
    async knock(given, { signal, path }) {
      const proof: KnockProof = { ...given, path }
      const certificate = await believed(proof)
      if (certificate.device !== given.device)
        throw new MeshError('refused', 'This certificate is of another device.', { fault: 'peer' })
      ports.spare(given.device)
      const limit = deadline(clock, PENDING_JOIN_MS, 'Waiting for the words to be typed', signal)
      try {
        await new Promise<void>((resolve, reject) => {
          put(certificate, proof, undefined, (outcome) => {
            if (outcome === 'admitted') resolve()
            else reject(new MeshError('timeout', 'Nobody typed the words in time. Show new ones.'))
          })
          const leave = (): void => {
            entries.get(given.device)?.end('gone')
          }
          limit.signal.addEventListener('abort', leave, { once: true })
          if (limit.signal.aborted) leave()
        })
      } finally {
        limit.clear()
      }
      return membership.ledger().missingFor([])
    },
  }
}
