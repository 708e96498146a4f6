import { MeshError, SYNC_BUDGET_DOCUMENT_BYTES, type DeviceId } from '../base/index.ts'
import { isHeld, judge } from './admit.ts'
import { blame, isStopped } from './blame.ts'
import type { KeepCost } from './budgets.ts'
import { commit, takeBack } from './commit.ts'
import type { EnvelopeContent } from './content.ts'
import { CAME_LATE } from './ends.ts'
import { readEnvelope, verifyEnvelope, type Envelope } from './envelope.ts'
import { mayCome } from './may-come.ts'
import type { Options } from './options.ts'
import { examineForeign } from './replay.ts'
import type { ReplicaState, Staged } from './replica-state.ts'
import { needOf, type WaitingEnvelope } from './waiting.ts'

/** What became of envelopes that were received. */
export interface Received {
  /** Durable here now, some of which may have waited before. */
  readonly stored: readonly Envelope[]
  /** Held before. */
  readonly known: number
  /** For others that come before them. */
  readonly waiting: number
  /** Not taken: rights, room, or a quarantined author. May be asked for again later. */
  readonly refused: number
  /** Of what is stored: of authors who may not write any more, and nobody told its end. */
  readonly late: number
  /** Not taken, for its sender has used up what it may send so soon: in how many ms to try again; 0 for none. */
  readonly delayMs: number
}

/**
 * Reads and verifies envelopes, before anything else is done with them.
 * @throws MeshError `malformed`, `too-large`, `unsupported`, `integrity`: who sent them is to blame
 */
export async function readVerified(state: ReplicaState, given: readonly Uint8Array[]): Promise<Envelope[]> {
  const envelopes = given.map(readEnvelope)
  if (envelopes.some(({ head }) => head.document !== state.key))
    throw new MeshError('malformed', 'An envelope of another document was sent.')
  await Promise.all(envelopes.filter((one) => !isHeld(state.chains, one)).map(verifyEnvelope))
  return envelopes
}

/**
 * Takes verified envelopes in: judged by their heads, opened where this device can,
 * durable before they show. In the document's turn.
 * @throws MeshError `storage-full`, `storage-failed`, `busy`, `aborted`; nothing was taken then
 */
export async function takeIn(
  state: ReplicaState,
  envelopes: readonly Envelope[],
  via: DeviceId,
  options: Options,
): Promise<Received> {
  const batch: Batch = { staged: [], known: 0, waiting: 0, refused: 0, late: 0, delayMs: 0 }
  const queue = envelopes.map((envelope) => ({ envelope, via }))
  // what it wakes is told of each once
  let told = 0
  try {
    for (let at = 0; at < queue.length; at++) {
      const next = queue[at]
      if (next === undefined) break
      await takeOne(state, next.envelope, next.via, batch, options)
      for (; told < batch.staged.length; told++) {
        const envelope = batch.staged[told]?.envelope
        if (envelope !== undefined) state.waiting.taken(envelope)
      }
      // what is delayed waits with the others, for the next time
      if (at === queue.length - 1 && batch.delayMs === 0) queue.push(...ripe(state))
    }
  } catch (error) {
    takeBack(batch.staged)
    throw error
  }
  await commit(state, batch.staged, options)
  payTellers(state, batch.staged)
  for (const { envelope } of batch.staged) state.declined.forget(envelope.chain)
  return { ...batch, stored: batch.staged.map(({ envelope }) => envelope) }
}

/** Waiting envelopes whose turn has come: only what was woken is looked at. */
function ripe(state: ReplicaState): readonly WaitingEnvelope[] {
  return state.waiting.takeRipe(state.chains, (envelope) => judge(envelope, state).verdict !== 'waits')
}

type Batch = { staged: Staged[]; known: number; waiting: number; refused: number; late: number; delayMs: number }

async function takeOne(
  state: ReplicaState,
  envelope: Envelope,
  via: DeviceId,
  batch: Batch,
  options: Options,
): Promise<void> {
  const { chains, waiting } = state
  const { author } = envelope.head
  if (isHeld(chains, envelope)) {
    batch.known += 1
    return
  }
  const coming = mayCome(envelope, via, state)
  if (isStopped(state, envelope) || coming === 'not' || !state.place.isOpenTo(author)) {
    batch.refused += 1
    return
  }
  if (coming === 'late' && !(await isTakenLate(state, envelope, via, options))) {
    state.declined.note(envelope, via)
    batch.refused += 1
    return
  }
  const judgement = judge(envelope, state)
  if (judgement.verdict === 'waits' && !state.declined.isBroken(envelope.chain, via)) {
    waiting.add({ envelope, via }, needOf(envelope, chains) ?? { kind: 'proof' })
    batch.waiting += 1
  } else if (judgement.verdict === 'violation') {
    state.declined.noteBroken(envelope.chain, via)
    await blame(state, envelope, judgement.reason, options)
    batch.refused += 1
  } else if (judgement.verdict === 'next')
    await stage(state, { envelope, via, isLate: coming === 'late' }, batch, options)
  else batch.refused += 1
}

/** The ends that such an author tells count for nothing: they take nobody's place among what is late. */
async function isTakenLate(
  { late }: ReplicaState,
  { head }: Envelope,
  via: DeviceId,
  options: Options,
): Promise<boolean> {
  return head.ends === undefined && (await late.isOpenTo(head.author, via, options))
}

async function stage(
  state: ReplicaState,
  { envelope, via, isLate }: { readonly envelope: Envelope; readonly via: DeviceId; readonly isLate: boolean },
  batch: Batch,
  options: Options,
): Promise<void> {
  const { author } = envelope.head
  const cost = costOf(state, envelope, !state.place.isTaken() && batch.staged.length === 0)
  const delayMs = state.budgets.spend(author, via, cost)
  if (delayMs > 0) {
    batch.delayMs = Math.max(batch.delayMs, delayMs)
    state.waiting.add({ envelope, via })
    return
  }
  const giveBack = (): void => {
    state.budgets.giveBack(author, via, cost)
  }
  const entries = await contentOf(state, envelope, options).catch((error: unknown) => {
    giveBack()
    throw error
  })
  if (isLate) batch.late += 1
  const uncount = isLate ? state.late.count(envelope, via) : undefined
  // whoever told of it: that is theirs to say, and this device had not got it while its author might write
  const cameLate = !state.ports.writers.mayWrite(author, state.name.scope)
  const takeOut = state.chains.take(envelope, 0, { isLate: cameLate, via })
  const undo = (): void => {
    takeOut()
    uncount?.()
    giveBack()
  }
  batch.staged.push({ envelope, entries, via, isLate: cameLate, undo })
}

/** What is paid for keeping an envelope. */
function costOf(state: ReplicaState, envelope: Envelope, isFirst: boolean): KeepCost {
  const { count, erases } = envelope.head
  return {
    bytes: envelope.bytes.byteLength + (isFirst ? SYNC_BUDGET_DOCUMENT_BYTES : 0),
    // of what was erased nothing is left to take memory, but who erased it, again and again perhaps, is remembered
    operations: (envelope.box === undefined ? 0 : count) + erases.length,
    chains: state.chains.get(envelope.chain) === undefined ? 1 : 0,
    ends: paidEnds(state, envelope),
  }
}

/**
 * How many of the ends in an envelope are paid for. Who tells of what is here, and did not before, pays nothing:
 * the one that began those chains did.
 */
function paidEnds({ chains }: ReplicaState, { head: { author, ends = [] } }: Envelope): number {
  const told = new Map<number, number>()
  return ends.filter(({ chain, sequence }) => {
    if (chain === CAME_LATE.chain) return false
    const before = told.get(chain) ?? chains.ends.toldBy(chain, author)
    told.set(chain, Math.max(before, sequence))
    return sequence <= before || sequence > (chains.get(chain)?.sequence ?? 0)
  }).length
}

/** Ends were told, and paid for, before the chain came that they are of: that is given back. */
function payTellers({ chains, budgets }: ReplicaState, staged: readonly Staged[]): void {
  for (const { envelope } of staged) {
    if (envelope.head.sequence > 1) continue
    for (const { by, via } of chains.ends.paidOf(envelope.chain)) budgets.giveBackEnd(by, via)
  }
}

/**
 * What is in an envelope, when it is to be shown and can be read; undefined when it is only kept. One that
 * breaks the rules is kept too, as by all who cannot read it or have the document closed.
 */
async function contentOf(
  state: ReplicaState,
  envelope: Envelope,
  options: Options,
): Promise<EnvelopeContent | undefined> {
  const { content, ports, name } = state
  if (content === undefined || envelope.box === undefined) return undefined
  const epoch = ports.keyring.get(name.scope, envelope.head.epoch)
  if (epoch === undefined) return undefined
  const found = await examineForeign(envelope, epoch, state, options)
  if (found.content === 'void') await blame(state, envelope, found.reason, options)
  return found.content
}
