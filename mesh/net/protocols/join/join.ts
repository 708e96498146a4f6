import type { Connection } from '@libp2p/interface'
import type * as z from 'zod/mini'
import {
  asId,
  DIAL_TIMEOUT_MS,
  MeshError,
  PENDING_JOIN_MS,
  sleep,
  type Clock,
  type DeviceId,
  type EntryHash,
  type InvitationId,
  type MeshId,
  type PersonId,
} from '../../../base/index.ts'
import { openEntry, type SignedCertificate } from '../../../identity/index.ts'
import { fromHex, toHex } from '../../../wire/index.ts'
import { FIRST_FRAME, openStream, type Protocol } from '../../protocol.ts'
import { batches } from '../ledger/ledger.ts'
import { isRelayed, type FrameStream } from '../../stream.ts'
import { agreed, JOIN, joinersWord, openedNonce, prove, recoveryProven, recoveryWritten, verdict } from './messages.ts'

/** A proof that arrived, as admission judges it. */
export interface ProofGiven {
  readonly invitation: InvitationId
  readonly certificate: SignedCertificate
  readonly proof: Uint8Array
  /** What binds the joiner to its number for the pictures. */
  readonly commitment: Uint8Array
  /** The joiner wants pictures compared, however the invitation is confirmed. */
  readonly pictures: boolean
  /** The device at the other end, proven by Noise. */
  readonly device: DeviceId
  readonly connection: Connection
}

/** What the admitting side may want of the joiner: its word, and before that its number where pictures are compared. */
export interface JoinerAtDoor {
  /** Nobody is there yet who compares: it may take a while. */
  waiting(): Promise<void>
  /** Tells the inviter's number, which nothing can change any more, and resolves to the joiner's. */
  exchange(nonce: Uint8Array): Promise<Uint8Array>
  /**
   * Resolves to the joiner's signature that it comes, which may take its person a while after an
   * exchange; or to `differ`, if that one sees other pictures. Asked for once.
   */
  word(): Promise<JoinersWord>
  readonly signal: AbortSignal
}

/** That a joiner comes, as bytes of its signature; or that its person saw other pictures. */
export type JoinersWord = Uint8Array | 'differ'

/** The admitting side. */
export interface Admission {
  /**
   * Judges a proof and resolves with the ledger that names the joiner, parents first. Nothing is
   * written down before the joiner's word is there.
   * @throws MeshError `invitation-unknown`, `invitation-used`, `invitation-expired`, `refused`, `malformed`,
   * `integrity`, `offline` (the device that compared is gone), `busy`
   */
  admit(given: ProofGiven, options: JoinerAtDoor): Promise<readonly Uint8Array[]>
  /**
   * Admits a device that version 0.1 had on this device's own list; the same ledger. `agree`
   * asks for its signature that it comes into the mesh that is named to it.
   * @throws MeshError `not-admitted`, `removed`, `malformed`, `refused`
   */
  readmit(
    device: DeviceId,
    certificate: SignedCertificate,
    options: { agree(mesh: MeshId): Promise<Uint8Array>; readonly signal: AbortSignal },
  ): Promise<readonly Uint8Array[]>
}

/** The side at which a device knocks that shows words. */
export interface Knocking {
  /**
   * Waits until somebody of this mesh typed the words, and resolves with the ledger, parents first.
   * A newcomer always finds a place; in a crowd it may lose it, and comes again with the same words.
   * `agree` asks for its signature that it comes by them, into the mesh that is named to it.
   * @throws MeshError `busy` (it lost its place), `timeout`, `refused`, `integrity`
   */
  knock(
    given: {
      readonly device: DeviceId
      readonly certificate: SignedCertificate
      readonly key: Uint8Array
      readonly proof: Uint8Array
    },
    options: {
      agree(mesh: MeshId): Promise<Uint8Array>
      readonly signal: AbortSignal
      readonly path: 'direct' | 'relayed'
      /** The address it comes from. */
      readonly from: string
    },
  ): Promise<readonly Uint8Array[]>
}

/** The side at which a device comes back by recovery words. */
export interface Recovering {
  /**
   * The mesh in which this recovery key is in force.
   * @throws MeshError `recovery-unknown`, after a while; `busy`
   */
  meshOf(key: Uint8Array, options: { readonly signal: AbortSignal }): Promise<MeshId>
  /**
   * Brings the device back to the person of the key and resolves with the ledger, parents first.
   * Where this device may admit nobody, `write` has the other one write the entry, linking these heads.
   * @throws MeshError `recovery-unknown`, `integrity`, `refused`, `conflict`
   */
  bringBack(
    given: {
      readonly device: DeviceId
      readonly certificate: SignedCertificate
      readonly key: Uint8Array
      readonly proof: Uint8Array
      /** Its signature that it comes by that key. */
      readonly consent: Uint8Array
    },
    options: {
      readonly write: (person: PersonId, heads: readonly EntryHash[]) => Promise<Uint8Array>
      readonly signal: AbortSignal
    },
  ): Promise<readonly Uint8Array[]>
}

/** The only protocol a stranger may speak. */
export function joinProtocol(admission: Admission, knocking: Knocking, recovering: Recovering): Protocol {
  return {
    ...JOIN,
    callers: 'anyone',
    handling: 'waits',
    async handle(stream, { connection, signal }) {
      const said = await stream.read(prove, FIRST_FRAME)
      const ledger = await ledgerFor(said, stream, connection, signal)
      for (const entries of batches(ledger)) await stream.write({ type: 'entries', entries }, { signal })
      await stream.write({ type: 'end' }, { signal })
      stream.close()
    },
  }

  async function ledgerFor(
    said: z.output<typeof prove>,
    stream: FrameStream,
    connection: Connection,
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    const device = stream.peer
    const agree = async (mesh: MeshId): Promise<Uint8Array> => {
      await stream.write({ type: 'mesh', mesh: fromHex(mesh) }, { signal })
      return (await stream.read(agreed, FIRST_FRAME)).consent
    }
    switch (said.type) {
      case 'return':
        return admission.readmit(device, said.certificate, { agree, signal })
      case 'knock':
        return knocking.knock(
          { ...said, device },
          {
            async agree(mesh) {
              const consent = await agree(mesh)
              await stream.write({ type: 'waiting' }, { signal })
              return consent
            },
            signal,
            path: isRelayed(connection) ? 'relayed' : 'direct',
            from: connection.remoteAddr.toString(),
          },
        )
      case 'recover': {
        const mesh = await recovering.meshOf(said.key, { signal })
        await stream.write({ type: 'mesh', mesh: fromHex(mesh) }, { signal })
        const { proof, consent } = await stream.read(recoveryProven, FIRST_FRAME)
        const write = async (person: PersonId, heads: readonly EntryHash[]): Promise<Uint8Array> => {
          await stream.write({ type: 'write', person, heads: heads.map((head) => fromHex(head)) }, { signal })
          return (await stream.read(recoveryWritten, FIRST_FRAME)).entry
        }
        const given = { device, certificate: said.certificate, key: said.key, proof, consent }
        return recovering.bringBack(given, { write, signal })
      }
      case 'prove':
        return admission.admit({ ...said, device, connection }, joinerOver(stream, signal))
    }
  }
}

function joinerOver(stream: FrameStream, signal: AbortSignal): JoinerAtDoor {
  let hasExchanged = false
  return {
    signal,
    waiting: async () => {
      await stream.write({ type: 'waiting' }, { signal })
    },
    async exchange(nonce) {
      hasExchanged = true
      await stream.write({ type: 'compare', nonce }, { signal })
      return (await stream.read(openedNonce, FIRST_FRAME)).nonce
    },
    async word() {
      // where people compare they take their time
      const said = await stream.read(joinersWord, hasExchanged ? { signal } : { signal, ...FIRST_FRAME })
      return said.type === 'differ' ? 'differ' : said.consent
    },
  }
}

/** What a joiner shows. */
export interface OwnProof {
  readonly invitation: InvitationId
  readonly certificate: SignedCertificate
  readonly proof: Uint8Array
  readonly commitment: Uint8Array
  readonly pictures: boolean
}

/** What a joiner says, and does when pictures are compared. */
export interface PicturesAtJoiner {
  /** The other side's number came, once: gives the joiner's own, to which it was bound. */
  exchange(nonce: Uint8Array): Uint8Array
  /**
   * This device's signature that it comes, once its person agreed to what is shown; asked for
   * after the exchange where pictures are compared. Rejects when its person does not agree.
   */
  consent(): Promise<Uint8Array>
  /** Rejects when its person says that the pictures differ. */
  readonly differs: Promise<never>
}

/** Most bytes of a ledger that are taken at a join: 10,000 entries and more. */
const LEDGER_MAX_BYTES = 64 * 1024 * 1024

/**
 * Proves an invitation to the device at the other end of `connection`.
 * @returns the signed entries of the mesh's ledger. Nothing of them is believed yet.
 * @throws MeshError what the other device told, `timeout`, `peer-gone`, `too-large`, `aborted`, and what
 * `pictures.differs` rejects with, which the other device is told
 */
export async function proveInvitation(
  connection: Connection,
  own: OwnProof,
  ports: { readonly clock: Clock },
  options: { readonly signal: AbortSignal; readonly pictures: PicturesAtJoiner },
): Promise<readonly Uint8Array[]> {
  return askForLedger(connection, { type: 'prove', ...own }, ports, { ...options, saysAtOnce: !own.pictures })
}

/**
 * Knocks at the device at the other end of `connection` and waits until somebody of
 * its mesh has typed the words of this device.
 * @returns the ledger, and the mesh it is of. Nothing of the entries is believed yet.
 * @throws MeshError `busy`, `timeout`, `peer-gone`, `malformed`, `aborted`
 */
export async function knockAt(
  connection: Connection,
  own: {
    readonly certificate: SignedCertificate
    readonly key: Uint8Array
    readonly proof: Uint8Array
    /** This device's signature that it comes by its words into the mesh that the other names. */
    consent(mesh: MeshId): Promise<Uint8Array>
  },
  ports: { readonly clock: Clock },
  options: { readonly signal: AbortSignal },
): Promise<LedgerGiven> {
  const { certificate, key, proof } = own
  return askNamed(connection, { type: 'knock', certificate, key, proof }, ports, options, async (mesh) => ({
    type: 'consent',
    consent: await own.consent(mesh),
  }))
}

/**
 * Shows the device at the other end of `connection` a recovery key, and proves it for
 * the mesh that device names.
 * @returns the ledger of that mesh. Nothing of the entries is believed yet.
 * @throws MeshError `recovery-unknown`, `busy`, `timeout`, `peer-gone`, `malformed`, `aborted`
 */
export async function recoverAt(
  connection: Connection,
  own: {
    readonly certificate: SignedCertificate
    readonly key: Uint8Array
    proofFor(mesh: MeshId): Uint8Array
    /** This device's signature that it comes by that key. */
    consent(mesh: MeshId): Promise<Uint8Array>
    /** The entry by which this device brings itself back, where the other may admit nobody. */
    write(mesh: MeshId, person: PersonId, heads: readonly EntryHash[]): Promise<Uint8Array>
  },
  ports: { readonly clock: Clock },
  options: { readonly signal: AbortSignal },
): Promise<LedgerGiven> {
  const { certificate, key } = own
  let named: MeshId | undefined
  const question = { type: 'recover', certificate, key }
  const onWrite = async (person: PersonId, heads: readonly EntryHash[]): Promise<object> => {
    if (named === undefined) throw notNamed()
    return { type: 'written', entry: await own.write(named, person, heads) }
  }
  return askNamed(connection, question, ports, { ...options, onWrite }, async (mesh) => {
    named = mesh
    return { type: 'proof', proof: own.proofFor(mesh), consent: await own.consent(mesh) }
  })
}

/** A ledger that was given, and the mesh it says it is of. */
export interface LedgerGiven {
  readonly mesh: MeshId
  readonly entries: readonly Uint8Array[]
}

/**
 * Asks the device on whose list version 0.1 had this one to write it into its ledger.
 * @returns the ledger, and the mesh it is of. Nothing of the entries is believed yet.
 * @throws MeshError `not-admitted`, `removed`, `timeout`, `peer-gone`, `malformed`, `aborted`
 */
export async function proveEarlier(
  connection: Connection,
  own: { readonly certificate: SignedCertificate; consent(mesh: MeshId): Promise<Uint8Array> },
  ports: { readonly clock: Clock },
  options: { readonly signal: AbortSignal },
): Promise<LedgerGiven> {
  const question = { type: 'return', certificate: own.certificate }
  // Noise has proven that this is the keeper itself: its ledger is the one to go to
  return askNamed(connection, question, ports, options, async (mesh) => ({
    type: 'consent',
    consent: await own.consent(mesh),
  }))
}

/** Asks a device that names its mesh; where it does not, because it knows this one already, the ledger does. */
async function askNamed(
  connection: Connection,
  question: object,
  ports: { readonly clock: Clock },
  options: Omit<Parameters<typeof askForLedger>[3], 'onMesh' | 'pictures'>,
  answer: (mesh: MeshId) => Promise<object>,
): Promise<LedgerGiven> {
  let named: MeshId | undefined
  const onMesh = (mesh: MeshId): Promise<object> => {
    named = mesh
    return answer(mesh)
  }
  const entries = await askForLedger(connection, question, ports, { ...options, onMesh })
  const [first] = entries
  if (first === undefined) throw new MeshError('malformed', 'The other device answered with an empty ledger.')
  const mesh = asId<MeshId>((await openEntry(first, undefined)).hash)
  if (named !== undefined && named !== mesh)
    throw new MeshError('integrity', 'The other device named another mesh than the one it answered with.')
  return { mesh, entries }
}

function notNamed(): MeshError {
  return new MeshError('malformed', 'The other device did not name its mesh.')
}

async function askForLedger(
  connection: Connection,
  question: object,
  ports: { readonly clock: Clock },
  options: {
    readonly signal: AbortSignal
    /** Absent: no pictures are compared. */
    readonly pictures?: PicturesAtJoiner
    /** It comes without comparing anything: what it was shown before is all. */
    readonly saysAtOnce?: boolean
    /** What to say when the mesh is named; absent: it is not asked for. */
    readonly onMesh?: (mesh: MeshId) => Promise<object>
    /** What to say when one is to write one's own admission; absent: it is not asked for. */
    readonly onWrite?: (person: PersonId, heads: readonly EntryHash[]) => Promise<object>
  },
): Promise<readonly Uint8Array[]> {
  const stream = await openStream(connection, JOIN, ports, options)
  const { pictures } = options
  try {
    await stream.write(question, options)
    if (options.saysAtOnce === true && pictures !== undefined)
      await stream.write({ type: 'consent', consent: await pictures.consent() }, options)
    const ledger: Uint8Array[] = []
    let sizeBytes = 0
    let compared = false
    let waits = false
    let isNamed = false
    let hasWritten = false
    for (;;) {
      const timeoutMs = (compared || waits) && ledger.length === 0 ? PENDING_JOIN_MS : DIAL_TIMEOUT_MS
      const reading = stream.read(verdict, { signal: options.signal, timeoutMs })
      const answer = await (pictures === undefined ? reading : unlessTheyDiffer(reading, stream, pictures, ports))
      if (answer.type === 'end') break
      if (answer.type === 'waiting') {
        waits = true
        continue
      }
      if (answer.type === 'mesh') {
        if (isNamed || options.onMesh === undefined)
          throw new MeshError('malformed', 'The other device named its mesh where that was not asked for.')
        isNamed = true
        await stream.write(await options.onMesh(asId<MeshId>(toHex(answer.mesh))), options)
        continue
      }
      if (answer.type === 'write') {
        if (hasWritten || options.onWrite === undefined)
          throw new MeshError('malformed', 'The other device wanted an entry where none was offered.')
        hasWritten = true
        const heads = answer.heads.map((head) => asId<EntryHash>(toHex(head)))
        await stream.write(await options.onWrite(answer.person, heads), options)
        continue
      }
      if (answer.type === 'compare') {
        // a second number, with the joiner's known, could be searched for
        if (compared || pictures === undefined)
          throw new MeshError('malformed', 'The other device asked to compare pictures where none were to be.')
        compared = true
        await stream.write({ type: 'open', nonce: pictures.exchange(answer.nonce) }, options)
        sayThatItComes(stream, pictures)
        continue
      }
      ledger.push(...answer.entries)
      sizeBytes += answer.entries.reduce((sum, entry) => sum + entry.byteLength, 0)
      if (sizeBytes > LEDGER_MAX_BYTES)
        throw new MeshError('too-large', 'The ledger of that mesh is too large to be taken.', { fault: 'peer' })
    }
    stream.close()
    return ledger
  } catch (error) {
    stream.abort(error)
    throw error
  }
}

/** Says so once the person agreed. A no is told by `differs`, and a line that is gone by the reading. */
function sayThatItComes(stream: FrameStream, pictures: PicturesAtJoiner): void {
  void pictures
    .consent()
    .then((consent) => stream.write({ type: 'consent', consent }))
    .catch(() => undefined)
}

/** The joiner's person saw other pictures than the other screen shows: somebody is in between. */
export class PicturesDiffer extends MeshError {
  constructor() {
    super('refused', 'The pictures differ, so somebody may be in between. Nothing was joined. Ask for a new link.')
  }
}

/** How long the other device may take to hear that the pictures differ, in ms. */
const DIFFER_TOLD_MS = 2_000

/** The next frame; where the person sees other pictures meanwhile, the other device is told, so that the invitation is over. */
async function unlessTheyDiffer<Frame>(
  reading: Promise<Frame>,
  stream: FrameStream,
  pictures: PicturesAtJoiner,
  { clock }: { readonly clock: Clock },
): Promise<Frame> {
  const settled = reading.then(
    () => undefined,
    () => undefined,
  )
  try {
    return await Promise.race([reading, pictures.differs])
  } catch (error) {
    if (!(error instanceof PicturesDiffer)) throw error
    // where that does not arrive it runs out by itself
    await stream.write({ type: 'differ' }).catch(() => undefined)
    await Promise.race([settled, sleep(clock, DIFFER_TOLD_MS)])
    throw error
  }
}
