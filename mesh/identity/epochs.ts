import {
  createEvents,
  isMeshError,
  KEYS_FREE_SHARES,
  KEYS_SHARE_PAUSE_FIRST_MS,
  KEYS_SHARE_PAUSE_MAX_MS,
  KEYS_WITHHELD_MS,
  LEDGER_EPOCHS_PER_SHARE_MAX,
  LEDGER_RECIPIENTS_MAX,
  MeshError,
  throwIfAborted,
  type Clock,
  type EntryHash,
  type DeviceId,
  type Logger,
  type PersonId,
  type Random,
} from '../base/index.ts'
import { SECRET_KEY_BYTES, secretKey, type SealingKeyPair } from '../seal/index.ts'
import { fromHex, toHex } from '../wire/index.ts'
import { keyCheck, openKeys, recognitionTag, sealKeys } from './epoch-boxes.ts'
import type { EpochChange, EpochKey, Epochs, GivenKeys } from './epochs-types.ts'
import {
  holdingOf,
  recoveryRecipient,
  scopesOf,
  type Cancellable,
  type KeyHolding,
  type Ledger,
  type LedgerEntry,
  type LedgerEpoch,
  type LedgerState,
  type Recipient,
  type ScopeId,
} from './ledger/index.ts'

/** How long a key is written with: 30 days. */
export const EPOCH_MAX_AGE_MS = 30 * 24 * 60 * 60_000
/** How much later each next device does what another is to do first, so that not all do it. */
export const EPOCH_STAGGER_MS = 2_000
/**
 * Of how many epochs tags are recognised: devices that were apart while the key was
 * changed, each month or after a removal, still meet. Only the newest is told to others.
 */
const TAGGED_EPOCHS = 4
/** The longest a device waits for the others. */
const STAGGER_MAX_MS = 60_000
const DAY_MS = 24 * 60 * 60_000

/** What the keyring stands on. */
export interface EpochsPorts {
  readonly ledger: Ledger
  /** This device. */
  readonly self: DeviceId
  /** The pair of this device's certificate. */
  readonly sealingKey: SealingKeyPair
  /** A person's recovery key, where it was entered: opens what was sealed to it. */
  readonly recovery?: { readonly person: PersonId; readonly pair: SealingKeyPair } | undefined
  readonly random: Random
  readonly clock: Clock
  readonly log: Logger
}

interface KnownKey extends EpochKey {
  readonly bytes: Uint8Array
  readonly tag: Uint8Array
}

/** The keyring of this device: opens at once whatever the ledger holds for it. */
export async function createEpochs(ports: EpochsPorts, options: Cancellable = {}): Promise<Epochs> {
  const { ledger, self, random, clock, log } = ports
  const keys = new Map<ScopeId, Map<string, KnownKey>>()
  let keyCount = 0
  const changes = createEvents<EpochChange>((error) => {
    log.error('a listener of the keyring failed', { error })
  })
  /** When something undone was first seen, by the monotonic clock. */
  const undoneSince = new Map<string, number>()
  const unread: LedgerEntry[] = [...ledger.entries()]
  /** Made once for a state of ledger and keys: strangers may ask for them with each packet. */
  let tags: readonly Uint8Array[] | undefined
  let turn: Promise<unknown> = Promise.resolve()

  const inTurn = <Value>(work: () => Promise<Value>): Promise<Value> => {
    const result = turn.then(work)
    turn = result.catch(() => undefined)
    return result
  }

  const known = (scope: ScopeId, id: string): KnownKey | undefined => keys.get(scope)?.get(id)

  const learn = async (
    scope: ScopeId,
    epoch: { readonly id: EntryHash; readonly generation: number; readonly check: Uint8Array },
    bytes: Uint8Array,
  ): Promise<boolean> => {
    if (known(scope, epoch.id) !== undefined) return false
    // a key under a false name would make everything of that epoch unreadable here
    if (toHex(keyCheck(bytes)) !== toHex(epoch.check)) {
      log.warn('a key was given under the name of another epoch', { scope, epoch: epoch.id })
      return false
    }
    const ofScope = keys.get(scope) ?? new Map<string, KnownKey>()
    const { id, generation } = epoch
    ofScope.set(id, { id, generation, bytes, key: await secretKey(bytes), tag: recognitionTag(bytes) })
    keys.set(scope, ofScope)
    keyCount += 1
    tags = undefined
    return true
  }

  const pairOf = (to: Recipient): SealingKeyPair | undefined => {
    if (to === self) return ports.sealingKey
    return ports.recovery !== undefined && to === recoveryRecipient(ports.recovery.person)
      ? ports.recovery.pair
      : undefined
  }

  /** The keys of a box for this device; none where it is not, or is not what it says. */
  const tryOpen = async (
    box: Uint8Array,
    place: Parameters<typeof openKeys>[2],
    count: number,
    by?: DeviceId,
  ): Promise<readonly Uint8Array[]> => {
    const pair = pairOf(place.to)
    if (pair === undefined) return []
    try {
      return await openKeys(pair, box, place, count)
    } catch (error) {
      // sealed to an older key of this device, or wrong: others are asked for it
      log.warn('a box of keys does not open', { scope: place.scope, by, error })
      return []
    }
  }

  const readEntry = async ({
    fields,
    hash,
    author,
  }: LedgerEntry): Promise<{ scope: ScopeId; opened: string[] } | undefined> => {
    const { mesh } = ledger
    if (fields.type === 'rotate') {
      const { scope, generation, check } = fields
      for (const { to, box } of fields.sealed) {
        const [bytes] = await tryOpen(box, { mesh, scope, to, what: generation }, 1, author)
        if (bytes !== undefined && (await learn(scope, { id: hash, generation, check }, bytes)))
          return { scope, opened: [hash] }
      }
    }
    if (fields.type === 'share') {
      const { scope, to } = fields
      const ids = fields.epochs.map(toHex)
      const opened: string[] = []
      for (const [index, bytes] of (
        await tryOpen(fields.box, { mesh, scope, to, what: ids }, ids.length, author)
      ).entries()) {
        const epoch = ledger.entry((ids[index] ?? '') as EntryHash)
        if (epoch?.fields.type !== 'rotate' || epoch.fields.scope !== scope) continue
        if (await learn(scope, { id: epoch.hash, ...epoch.fields }, bytes)) opened.push(epoch.hash)
      }
      return { scope, opened }
    }
    return undefined
  }

  /** Opens what came since. */
  const refresh = async (): Promise<void> => {
    const opened = new Map<ScopeId, string[]>()
    for (let entry = unread.shift(); entry !== undefined; entry = unread.shift()) {
      const read = await readEntry(entry)
      if (read === undefined || read.opened.length === 0) continue
      opened.set(read.scope, [...(opened.get(read.scope) ?? []), ...read.opened])
    }
    for (const [scope, ids] of opened) changes.emit({ scope, opened: ids })
  }

  /** Asked for with every change of a link. */
  let missed:
    { readonly state: LedgerState; readonly keys: number; readonly all: Map<ScopeId, EntryHash[]> } | undefined
  const missing = (): Map<ScopeId, EntryHash[]> => {
    if (missed?.state === ledger.state() && missed.keys === keyCount) return missed.all
    const all = new Map<ScopeId, EntryHash[]>()
    for (const scope of scopesOf(ledger.state(), self)) {
      const ids = holdingOf(ledger, scope)
        .dueTo(self)
        .flatMap(({ id }) => (known(scope, id) === undefined ? [id] : []))
      if (ids.length > 0) all.set(scope, ids)
    }
    missed = { state: ledger.state(), keys: keyCount, all }
    return all
  }

  const give = async (scope: ScopeId, to: DeviceId, wanted: readonly EntryHash[]): Promise<GivenKeys> => {
    mayRead(scope)
    const holding = holdingOf(ledger, scope)
    const publicKey = holding.recipients.get(to)
    if (publicKey === undefined)
      throw new MeshError('unauthorized', 'Keys are given only to who may read what they open.')
    const asked = new Set(wanted)
    const some = holding.dueTo(to).flatMap(({ id }) => (asked.has(id) ? (known(scope, id) ?? []) : []))
    const ids = some.map(({ id }) => id as EntryHash)
    const secrets = some.map(({ bytes }) => bytes)
    const box = some.length === 0 ? undefined : await sealFor(publicKey, to, secrets, scope, ids)
    return box === undefined ? { epochs: [], box: new Uint8Array() } : { epochs: ids, box }
  }

  const take = async (scope: ScopeId, given: GivenKeys, signal: AbortSignal | undefined): Promise<number> => {
    const lacking = new Set(missing().get(scope))
    const ids = [...given.epochs]
    const place = { mesh: ledger.mesh, scope, to: self, what: ids }
    const opened: EntryHash[] = []
    for (const [index, bytes] of (await tryOpen(given.box, place, ids.length)).entries()) {
      const epoch = ledger.entry((ids[index] ?? '') as EntryHash)
      if (epoch?.fields.type !== 'rotate' || epoch.fields.scope !== scope || !lacking.has(epoch.hash)) continue
      if (await learn(scope, { id: epoch.hash, ...epoch.fields }, bytes)) opened.push(epoch.hash)
    }
    if (opened.length === 0) return 0
    changes.emit({ scope, opened })
    await keep(scope, opened, signal)
    return opened.length
  }

  /** Seals keys to this device itself: a box in the ledger that opens, in the place of one that did not. */
  const keep = async (scope: ScopeId, ids: readonly EntryHash[], signal: AbortSignal | undefined): Promise<void> => {
    const secrets = ids.flatMap((id) => known(scope, id)?.bytes ?? [])
    const box = await sealFor(ports.sealingKey.publicKey, self, secrets, scope, ids)
    if (box === undefined) return
    try {
      await ledger.append({ type: 'share', scope, to: self, epochs: ids.map((id) => fromHex(id)), box }, { signal })
    } catch (error) {
      throwIfAborted(signal)
      // after a restart they are asked for again
      log.warn('keys that another device gave could not be kept', { scope, error })
    }
  }

  const mayRead = (scope: ScopeId): void => {
    if (!holdingOf(ledger, scope).recipients.has(self))
      throw new MeshError('unauthorized', 'This device may not read that, so it holds no key of it.')
  }

  const rotate = async (scope: ScopeId, signal: AbortSignal | undefined): Promise<EpochKey> => {
    mayRead(scope)
    const { recipients, epochs } = holdingOf(ledger, scope)
    if (recipients.size > LEDGER_RECIPIENTS_MAX)
      throw new MeshError('too-large', `A key can be given to ${String(LEDGER_RECIPIENTS_MAX)} devices at most.`)
    const generation = Math.max(0, ...epochs.map((epoch) => epoch.generation)) + 1
    const bytes = random.bytes(SECRET_KEY_BYTES)
    const check = keyCheck(bytes)
    const sealed: { to: Recipient; box: Uint8Array }[] = []
    for (const [to, publicKey] of recipients) {
      throwIfAborted(signal)
      const box = await sealFor(publicKey, to, [bytes], scope, generation)
      if (box !== undefined) sealed.push({ to, box })
    }
    const entry = await ledger.append({ type: 'rotate', scope, generation, check, sealed }, { signal })
    await learn(scope, { id: entry.hash, generation, check }, bytes)
    changes.emit({ scope, opened: [entry.hash] })
    return keyOf(scope, entry.hash)
  }

  /** A device whose sealing key is none must not keep the others from a new key. */
  const sealFor = async (
    publicKey: Uint8Array,
    to: Recipient,
    secrets: readonly Uint8Array[],
    scope: ScopeId,
    what: number | readonly string[],
  ): Promise<Uint8Array | undefined> => {
    try {
      return await sealKeys(publicKey, secrets, { mesh: ledger.mesh, scope, to, what })
    } catch (error) {
      log.warn('a key cannot be sealed to a recipient', { scope, to, error })
      return undefined
    }
  }

  const keyOf = (scope: ScopeId, id: string): EpochKey => {
    const key = known(scope, id)
    if (key === undefined) throw new MeshError('bug', 'A key that was just made is not known.')
    return key
  }

  const current = async (scope: ScopeId, signal: AbortSignal | undefined): Promise<EpochKey> => {
    mayRead(scope)
    const holding = holdingOf(ledger, scope)
    const usable = holding.epochs.find((epoch) => holding.isUsable(epoch) && known(scope, epoch.id) !== undefined)
    return usable === undefined ? rotate(scope, signal) : keyOf(scope, usable.id)
  }

  const lackedAndKnown = (holding: KeyHolding, scope: ScopeId, to: Recipient): LedgerEpoch[] =>
    holding.lackedBy(to).filter((epoch) => known(scope, epoch.id) !== undefined)

  const shareHistory = async (scope: ScopeId, to: Recipient, signal: AbortSignal | undefined): Promise<void> => {
    mayRead(scope)
    const holding = holdingOf(ledger, scope)
    const publicKey = holding.recipients.get(to)
    if (publicKey === undefined)
      throw new MeshError('unauthorized', 'Keys are shared only with who may read what they open.')
    const lacked = lackedAndKnown(holding, scope, to)
    for (let start = 0; start < lacked.length; start += LEDGER_EPOCHS_PER_SHARE_MAX) {
      const some = lacked.slice(start, start + LEDGER_EPOCHS_PER_SHARE_MAX)
      const secrets = some.flatMap((epoch) => known(scope, epoch.id)?.bytes ?? [])
      const box = await sealFor(
        publicKey,
        to,
        secrets,
        scope,
        some.map(({ id }) => id),
      )
      if (box === undefined) return
      await ledger.append({ type: 'share', scope, to, epochs: some.map(({ id }) => fromHex(id)), box }, { signal })
    }
  }

  /** How long this device leaves it to the others. Whoever made it necessary goes first. */
  const delayFor = (holding: KeyHolding, isMine: boolean): number => {
    const devices = [...holding.recipients.keys()].filter((recipient) => !recipient.startsWith('recovery:'))
    if (isMine || devices.length === 1) return 0
    return Math.min((devices.indexOf(self) + 1) * EPOCH_STAGGER_MS, STAGGER_MAX_MS)
  }

  /** Ms until this device does what is undone; 0: now. */
  const waitFor = (what: string, delayMs: number, seen: Set<string>): number => {
    seen.add(what)
    const since = undoneSince.get(what) ?? clock.monotonic()
    undoneSince.set(what, since)
    return Math.max(0, since + delayMs - clock.monotonic())
  }

  const meshTags = (): readonly Uint8Array[] => {
    const { recipients, epochs } = holdingOf(ledger, 'mesh')
    if (!recipients.has(self)) return []
    const held = epochs.flatMap((epoch) => (epoch.counts ? (known('mesh', epoch.id)?.tag ?? []) : []))
    return held.slice(0, TAGGED_EPOCHS)
  }

  const isTooOld = (epoch: LedgerEpoch): boolean =>
    clock.now() - (ledger.receivedAt(epoch.id) ?? clock.now()) > EPOCH_MAX_AGE_MS

  /** Did this device do what makes a new key necessary? */
  const isMyRemoval = (holding: KeyHolding): boolean => {
    const state = ledger.state()
    const [newest] = holding.epochs
    if (newest === undefined) return true
    return holding
      .givenTo(newest)
      .some(
        (to) =>
          isMyRecovery(to) || (!holding.recipients.has(to) && state.devices.get(to as DeviceId)?.removedBy === self),
      )
  }

  /** Did this device set, replace or remove that recovery key? It sees to it at once: it may be gone in a minute. */
  const isMyRecovery = (to: Recipient): boolean => {
    if (!to.startsWith('recovery:')) return false
    const last = ledger.entries().findLast(({ fields }) => {
      return fields.type === 'recovery' && recoveryRecipient(fields.person) === to
    })
    return last?.author === self
  }

  /** Until when nothing is shared with a person, by the monotonic clock: the ledger takes no more for it now. */
  const fullUntil = new Map<PersonId | undefined, number>()
  const personOf = (to: Recipient): PersonId | undefined =>
    to.startsWith('recovery:')
      ? (to.slice('recovery:'.length) as PersonId)
      : ledger.state().devices.get(to as DeviceId)?.person

  /** Ms until something is shared with a recipient again, whose person was given keys too often; 0: it is. */
  const fullFor = (to: Recipient): number => Math.max(0, (fullUntil.get(personOf(to)) ?? 0) - clock.monotonic())

  /** @returns false where the ledger takes no more of this now: what others wait for does not wait for it */
  const ifRoom = async (what: string, work: () => Promise<unknown>): Promise<boolean> => {
    try {
      await work()
      return true
    } catch (error) {
      if (!isMeshError(error, 'busy')) throw error
      log.warn('keys are looked after later', { what, reason: error.message })
      return false
    }
  }

  /** A recipient that is given the same keys again and again says each time that it lost them: it waits for them longer. */
  const pauseFor = (holding: KeyHolding, scope: ScopeId, to: Recipient): number => {
    const shares = holding.sharesOf(to, lackedAndKnown(holding, scope, to))
    if (shares.length <= KEYS_FREE_SHARES) return 0
    const pauseMs = KEYS_SHARE_PAUSE_FIRST_MS * 2 ** Math.min(shares.length - KEYS_FREE_SHARES - 1, 20)
    const last = Math.max(...shares.map((entry) => ledger.receivedAt(entry) ?? 0))
    return Math.max(0, last + Math.min(pauseMs, KEYS_SHARE_PAUSE_MAX_MS) - clock.now())
  }

  /**
   * A key that this device was given and that does not open, and that no holder gave it in a while, is
   * one it cannot write with: it makes the next itself. Ms until then; undefined: it need not.
   */
  const withheldFor = (holding: KeyHolding, scope: ScopeId): number | undefined => {
    const usable = holding.epochs.filter((epoch) => holding.isUsable(epoch))
    const firstKnown = usable.findIndex((epoch) => known(scope, epoch.id) !== undefined)
    const unknown = usable.slice(0, firstKnown < 0 ? usable.length : firstKnown)
    const due = new Set(holding.dueTo(self))
    if (unknown.length === 0 || !unknown.every((epoch) => due.has(epoch))) return undefined
    const now = clock.now()
    // since the first of them: who makes one after the other wins no time
    const since = Math.min(...unknown.map((epoch) => ledger.receivedAt(epoch.id) ?? now))
    const own = holding.epochs.filter(({ by, at }) => by === self && now - at < DAY_MS).length
    return Math.max(0, since + KEYS_WITHHELD_MS * 2 ** Math.min(Math.max(0, own - 2), 10) - now)
  }

  const maintainScope = async (
    scope: ScopeId,
    seen: Set<string>,
    signal: AbortSignal | undefined,
  ): Promise<number | undefined> => {
    const waits: number[] = []
    const holding = holdingOf(ledger, scope)
    const usable = holding.epochs.find((epoch) => holding.isUsable(epoch))
    const withheldMs = usable === undefined ? undefined : withheldFor(holding, scope)
    if (withheldMs !== undefined && withheldMs > 0) waits.push(withheldMs)
    if (usable === undefined || isTooOld(usable) || withheldMs === 0) {
      const what = `${scope} rotate`
      const wait = waitFor(what, delayFor(holding, isMyRemoval(holding)), seen)
      if (wait > 0) waits.push(wait)
      else if (!(await ifRoom(what, () => rotate(scope, signal)))) waits.push(KEYS_SHARE_PAUSE_FIRST_MS)
    }
    const state = ledger.state()
    for (const to of holding.recipients.keys()) {
      throwIfAborted(signal)
      const now = holdingOf(ledger, scope)
      if (lackedAndKnown(now, scope, to).length === 0) continue
      const isMine = to === self || isMyRecovery(to) || state.devices.get(to as DeviceId)?.admittedBy === self
      const what = `${scope} share ${to}`
      const wait = Math.max(waitFor(what, Math.max(delayFor(now, isMine), pauseFor(now, scope, to)), seen), fullFor(to))
      if (wait > 0) waits.push(wait)
      else if (!(await ifRoom(what, () => shareHistory(scope, to, signal)))) {
        fullUntil.set(personOf(to), clock.monotonic() + KEYS_SHARE_PAUSE_FIRST_MS)
        waits.push(KEYS_SHARE_PAUSE_FIRST_MS)
      }
    }
    return waits.length === 0 ? undefined : Math.min(...waits)
  }

  const maintain = async (signal: AbortSignal | undefined): Promise<{ dueInMs: number | undefined }> => {
    const seen = new Set<string>()
    const waits: number[] = []
    for (const scope of scopesOf(ledger.state(), self)) {
      throwIfAborted(signal)
      const wait = await maintainScope(scope, seen, signal)
      if (wait !== undefined) waits.push(wait)
    }
    // done by somebody: the next time is a new time
    for (const what of undoneSince.keys()) if (!seen.has(what)) undoneSince.delete(what)
    return { dueInMs: waits.length === 0 ? undefined : Math.min(...waits) }
  }

  const afterRefresh = <Value>(work: () => Promise<Value>): Promise<Value> =>
    inTurn(async () => {
      await refresh()
      return work()
    })

  const stop = ledger.changes.subscribe(({ added }) => {
    unread.push(...added)
    tags = undefined
    void inTurn(refresh).catch((error: unknown) => {
      log.error('keys could not be opened', { error })
    })
  })
  throwIfAborted(options.signal)
  await inTurn(refresh)

  return {
    changes,
    current: (scope, { signal } = {}) => afterRefresh(() => current(scope, signal)),
    get: known,
    rotate: (scope, { signal } = {}) => afterRefresh(() => rotate(scope, signal)),
    shareHistory: (scope, to, { signal } = {}) => afterRefresh(() => shareHistory(scope, to, signal)),
    maintain: ({ signal } = {}) => afterRefresh(() => maintain(signal)),
    missing,
    give: (scope, to, wanted) => afterRefresh(() => give(scope, to, wanted)),
    take: (scope, given, { signal } = {}) => afterRefresh(() => take(scope, given, signal)),
    meshTags: () => (tags ??= meshTags()),
    close: stop,
  }
}
