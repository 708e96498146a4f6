import {
  asMeshError,
  createEvents,
  deadline,
  isMeshError,
  KNOCK_TRIES_MAX,
  KNOCKS_MAX,
  KNOCKS_TOLD_MAX,
  MeshError,
  PENDING_JOIN_MS,
  type Clock,
  type DeviceId,
  type EventSource,
  type Logger,
  type Random,
} from '../base/index.ts'
import {
  admissionProof,
  admitByInvitation,
  authorize,
  certificateHash,
  checkConsent,
  checkKnock,
  equalBytes,
  inviteDraft,
  invitationIdOfKey,
  invitationKey,
  openCertificate,
  readWords,
  secretOfWords,
  type Certificate,
  type ConsentPlace,
  type Membership,
  type SignedConsent,
} from '../identity/index.ts'
import { toHex } from '../wire/index.ts'
import { createPace } from './pace.ts'
import { createPlaces, sourceOf } from './places.ts'
import type { KnockProof } from './protocols/control/messages.ts'
import type { Knocking } from './protocols/join/join.ts'
import type { KnocksHost } from './protocols/knocks/knocks.ts'

/** A device that shows words and waits for somebody of this mesh to type them. */
export interface Knock {
  readonly device: DeviceId
  readonly name: string
  readonly kind: 'helper' | 'browser'
  readonly path: 'direct' | 'relayed'
}

/**
 * Joining by words: the new device shows them, an admitted one types them. Anybody may
 * knock, as often as they like: the words decide who is meant, not who came first.
 */
export interface Knocks extends Knocking, KnocksHost {
  /** Somebody knocked or is gone. */
  readonly changes: EventSource<void>
  /** Some of those that wait, the newest first. */
  waiting(): readonly Knock[]
  /** Some of those that have this very device on their line, the newest first, for the other devices of the mesh. */
  waitingHere(): readonly KnockProof[]
  /** Another device says who knocks there; resolves when each is proven that was not proven before. */
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
  readonly random: Random
  readonly log: Logger
  /** Keeps the connection of a device that waits, until the returned function is called. */
  readonly spare: (id: DeviceId) => () => void
  /** Asks the linked devices of this mesh that can say who knocks with a key. */
  readonly ask: (key: Uint8Array, options: Cancellable) => Promise<readonly Told[]>
}

/** A knock as another device told it. */
interface Told {
  readonly from: DeviceId
  readonly proof: KnockProof
}

interface Entry {
  readonly knock: Knock
  readonly proof: KnockProof
  /** The device that has it on its line; undefined: this one. */
  readonly at: DeviceId | undefined
  readonly end: (outcome: 'admitted' | 'gone' | 'crowded') => void
}

const NOTHING = new Uint8Array()

/** How often others hear who knocks, at most, in ms: a crowd makes no more noise than one. */
const TELL_EVERY_MS = 250

/** Who knocks, here and at the other devices of the mesh. */
export function createKnocks(ports: KnockPorts): Knocks {
  const { membership, clock, random, log } = ports
  const places = createPlaces(KNOCKS_MAX, random)
  const entries = new Map<DeviceId, Entry>()
  const tries: number[] = []
  const changes = createEvents<void>((error) => {
    log.error('a listener of knocks failed', { error })
  })
  const changed = createPace(clock, TELL_EVERY_MS, () => {
    changes.emit()
  })

  const believed = async (proof: KnockProof): Promise<Certificate> => {
    await checkKnock(proof.key, proof.proof, proof.certificate)
    const certificate = await openCertificate(proof.certificate)
    await checkConsent(certificate.device, consentOf(proof), placeOf(proof))
    return certificate
  }

  /** What a device that knocks agreed to: to come into this very mesh by its words. */
  const placeOf = ({ key, certificate }: KnockProof): ConsentPlace => ({
    mesh: membership.ledger().mesh,
    key,
    certificate,
  })

  const isIn = (device: DeviceId): boolean => membership.admitted(device)?.consented === true

  const put = (
    certificate: Certificate,
    proof: KnockProof,
    place: { readonly at: DeviceId | undefined; readonly source: string },
    ended: (outcome: string) => void,
  ): void => {
    const { device, name, kind } = certificate
    // the newest try counts: the first link may be dead
    entries.get(device)?.end('gone')
    const leave = places.take({
      source: place.source,
      leave() {
        entry.end('crowded')
      },
    })
    const entry: Entry = {
      knock: { device, name, kind, path: proof.path },
      proof,
      at: place.at,
      end(outcome) {
        if (entries.get(device) !== entry) return
        entries.delete(device)
        leave()
        changed()
        ended(outcome)
      },
    }
    entries.set(device, entry)
    changed()
  }

  /** It is on the list, with these very proofs. */
  const isKnown = (told: KnockProof): boolean =>
    [...entries.values()].some(
      ({ proof }) =>
        equalBytes(proof.key, told.key) &&
        equalBytes(proof.proof, told.proof) &&
        equalBytes(certificateHash(proof.certificate), certificateHash(told.certificate)) &&
        equalBytes(proof.consent ?? NOTHING, told.consent ?? NOTHING),
    )

  const newest = (): Entry[] => [...entries.values()].reverse()
  const withKey = (key: Uint8Array): Entry | undefined => newest().find((one) => toHex(one.proof.key) === toHex(key))

  membership.changes.subscribe(() => {
    for (const { knock, end } of [...entries.values()]) if (isIn(knock.device)) end('admitted')
  })

  const countTry = (): void => {
    const now = clock.monotonic()
    while (tries[0] !== undefined && now - tries[0] > PENDING_JOIN_MS) tries.shift()
    if (tries.length >= KNOCK_TRIES_MAX)
      throw new MeshError('busy', 'Too many wrong words were typed. Wait some minutes, then show new ones.')
    tries.push(now)
  }

  /** Takes in a knock that another device told of, if it is one. */
  const believe = async ({ from, proof }: Told): Promise<void> => {
    try {
      const certificate = await believed(proof)
      const before = entries.get(certificate.device)
      // a device's own word counts more than another's about it
      if (before !== undefined && (before.at !== from || toHex(before.proof.key) === toHex(proof.key))) return
      if (!isIn(certificate.device)) put(certificate, proof, { at: from, source: from }, () => undefined)
    } catch (error) {
      log.warn('a knock told by another device was not believed', { from, error: asMeshError(error).message })
    }
  }

  /** It may knock at another device, which told of others only. */
  const hearOf = async (key: Uint8Array, options: Cancellable): Promise<void> => {
    for (const told of await ports.ask(key, options)) if (toHex(told.proof.key) === toHex(key)) await believe(told)
  }

  const secretFor = async (typed: string, options: Cancellable): Promise<{ entry: Entry; secret: Uint8Array }> => {
    const words = readWords(typed)
    countTry()
    const secret = await secretOfWords(words)
    const key = invitationKey(secret).publicKey
    if (withKey(key) === undefined) await hearOf(key, options)
    const entry = withKey(key)
    if (entry === undefined)
      throw new MeshError('invitation-unknown', 'No device shows these words. Look again, or have it show new ones.')
    tries.pop()
    return { entry, secret }
  }

  return {
    changes,
    waiting: () =>
      newest()
        .slice(0, KNOCKS_TOLD_MAX)
        .map((entry) => entry.knock),
    waitingHere: () =>
      newest()
        .flatMap(({ proof, at }) => (at === undefined ? [proof] : []))
        .slice(0, KNOCKS_TOLD_MAX),
    mayHear: (id) => authorize(membership.subject(id), 'admit', 'own-device').allowed,
    withKey(key) {
      const found = withKey(key)
      return found?.at === undefined ? found?.proof : undefined
    },
    async hear(from, proofs) {
      for (const entry of [...entries.values()]) {
        if (entry.at === from && !proofs.some((proof) => toHex(proof.key) === toHex(entry.proof.key))) entry.end('gone')
      }
      // the list is told again whole whenever somebody comes or goes
      for (const proof of proofs) if (!isKnown(proof)) await believe({ from, proof })
    },
    async find(typed, options = {}) {
      return (await secretFor(typed, options)).entry.knock
    },
    async admit(typed, options = {}) {
      const { entry, secret } = await secretFor(typed, options)
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
      const consent = consentOf(entry.proof)
      await ledger.append(admitByInvitation(invitation, proof, entry.proof.certificate, consent), options)
    },
    async knock(given, { agree, signal, path, from }) {
      await checkKnock(given.key, given.proof, given.certificate)
      if ((await openCertificate(given.certificate)).device !== given.device)
        throw new MeshError('refused', 'This certificate is of another device.', { fault: 'peer' })
      // it was let in, and its first line was cut before it heard of it
      if (isIn(given.device)) return membership.ledger().missingFor([])
      const proof: KnockProof = { ...given, path, consent: await agree(membership.ledger().mesh) }
      const certificate = await believed(proof)
      const release = ports.spare(given.device)
      const limit = deadline(clock, PENDING_JOIN_MS, 'Waiting for the words to be typed', signal)
      try {
        await new Promise<void>((resolve, reject) => {
          put(certificate, proof, { at: undefined, source: sourceOf(from) }, (outcome) => {
            if (outcome === 'admitted') resolve()
            else if (outcome === 'crowded')
              reject(new MeshError('busy', 'Very many devices want to join here at once. Try again.'))
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
        // nobody waits for it any more: its connection is a stranger's like any other
        release()
      }
      return membership.ledger().missingFor([])
    },
  }
}

function consentOf({ consent }: KnockProof): SignedConsent {
  if (consent === undefined)
    throw new MeshError('unsupported', 'The device that shows these words, or the one it asked, has an older Plexus.')
  return { terms: { by: 'words' }, signature: consent }
}
