import { hexToBytes } from '@noble/hashes/utils.js'
import {
  AWARENESS_HOLDS_MS,
  AWARENESS_MAX_BYTES,
  AWARENESS_HEARD_MAX,
  AWARENESS_OF_DEVICE_PER_SECOND,
  AWARENESS_PER_SECOND,
  createEvents,
  isMeshError,
  MeshError,
  type DeviceId,
  type EventSource,
} from '../base/index.ts'
import { encode, toHex } from '../wire/index.ts'
import type { DocumentName } from './document.ts'
import { documentKey } from './envelope.ts'
import type { Options } from './options.ts'
import type { SyncPorts } from './ports.ts'

/** What another device says of itself in a document now. */
export interface Present {
  readonly bytes: Uint8Array
  /** When it was heard, ms since 1970, by this device's clock. */
  readonly heardAt: number
}

/**
 * Who is here and what they do: sealed for the document's scope, told to linked
 * devices alone, never stored, and gone after {@link AWARENESS_HOLDS_MS} of silence.
 */
export interface Presence {
  /**
   * Says what this device does in a document; undefined says no more. Told at most
   * {@link AWARENESS_PER_SECOND} times a second, the newest always, and again while it holds.
   * @throws MeshError `too-large`
   */
  set(document: DocumentName, bytes: Uint8Array | undefined): void
  /** Others in a document. */
  others(document: DocumentName): ReadonlyMap<DeviceId, Present>
  /** Somebody came, went or does something else: the document's key. */
  readonly heard: EventSource<string>
  /** This device's own presence is to be told: the document's key. */
  readonly changed: EventSource<string>
  /** Keys of documents in which this device is present. */
  own(): readonly string[]
  /** The newest presence, sealed, or undefined when the peer may not read it. */
  frameFor(key: string, peer: DeviceId, options: Options): Promise<PresenceFrame | undefined>
  /** Takes what a device told of itself; what is too often, unreadable or not its right is dropped. */
  hear(document: DocumentName, peer: DeviceId, frame: PresenceFrame): Promise<void>
  stop(): void
}

/** A sealed presence. */
export interface PresenceFrame {
  readonly epoch: Uint8Array
  readonly box: Uint8Array
}

const GONE = new Uint8Array()

interface Own {
  readonly name: DocumentName
  bytes: Uint8Array
  toldAt: number
  cancel: () => void
}

interface Heard extends Present {
  readonly cancel: () => void
}

/** Nobody is anywhere yet. */
export function createPresence(ports: SyncPorts): Presence {
  const { clock, log, keyring, writers, signer, random } = ports
  const onError = (error: unknown): void => {
    log.error('a listener of presence failed', { error })
  }
  const heard = createEvents<string>(onError)
  const changed = createEvents<string>(onError)
  const own = new Map<string, Own>()
  const others = new Map<string, Map<DeviceId, Heard>>()
  const lastHeard = new Map<string, number[]>()

  const tell = (key: string, one: Own): void => {
    one.cancel()
    one.toldAt = clock.monotonic()
    // said again before it is forgotten; a good-bye is said once
    one.cancel = one.bytes === GONE ? (): void => {} : clock.schedule(AWARENESS_HOLDS_MS / 3, () => tell(key, one))
    changed.emit(key)
  }

  const set: Presence['set'] = (name, bytes) => {
    if (bytes !== undefined && bytes.byteLength > AWARENESS_MAX_BYTES)
      throw new MeshError('too-large', `A presence has at most ${String(AWARENESS_MAX_BYTES)} bytes.`)
    const key = documentKey(name)
    const one = own.get(key) ?? { name, bytes: GONE, toldAt: -Infinity, cancel: (): void => {} }
    own.set(key, one)
    one.bytes = bytes === undefined || bytes.byteLength === 0 ? GONE : bytes
    one.cancel()
    const waitMs = one.toldAt + 1_000 / AWARENESS_PER_SECOND - clock.monotonic()
    if (waitMs <= 0) tell(key, one)
    else one.cancel = clock.schedule(waitMs, () => tell(key, one))
  }

  const forget = (key: string, peer: DeviceId): void => {
    if (others.get(key)?.delete(peer) === true) heard.emit(key)
  }

  /** False for more than so many in the last second. */
  const isWithin = (name: string, max: number): boolean => {
    const now = clock.monotonic()
    const recent = (lastHeard.get(name) ?? []).filter((at) => at > now - 1_000)
    const isRoom = recent.length < max
    if (isRoom) recent.push(now)
    lastHeard.delete(name)
    lastHeard.set(name, recent)
    const [oldest] = lastHeard.keys()
    if (lastHeard.size > AWARENESS_HEARD_MAX && oldest !== undefined) lastHeard.delete(oldest)
    return isRoom
  }

  /** False for more than an eye can follow, in one document or, from one device, in all. */
  const isInTime = (key: string, peer: DeviceId): boolean =>
    isWithin(`${key}/${peer}`, AWARENESS_PER_SECOND) && isWithin(peer, AWARENESS_OF_DEVICE_PER_SECOND)

  const contextOf = (key: string, author: DeviceId): Uint8Array => encode(['plexus/presence', key, author])

  const opened = async (
    { scope }: DocumentName,
    key: string,
    peer: DeviceId,
    frame: PresenceFrame,
  ): Promise<Uint8Array | undefined> => {
    const epoch = keyring.get(scope, toHex(frame.epoch))
    if (epoch === undefined) return undefined
    try {
      const bytes = await epoch.key.open(frame.box, contextOf(key, peer))
      return bytes.byteLength > AWARENESS_MAX_BYTES ? undefined : bytes
    } catch (error) {
      if (!isMeshError(error, 'integrity')) throw error
      log.debug('a presence could not be opened', { peer })
      return undefined
    }
  }

  return {
    heard,
    changed,
    set,
    own: () => [...own].filter(([, one]) => one.bytes !== GONE).map(([key]) => key),
    others: (name) => others.get(documentKey(name)) ?? new Map(),
    async frameFor(key, peer, options) {
      const one = own.get(key)
      if (one === undefined || !writers.mayRead(peer, one.name.scope)) return undefined
      const epoch = await keyring.current(one.name.scope, options)
      return { epoch: hexToBytes(epoch.id), box: await epoch.key.seal(one.bytes, contextOf(key, signer.id), random) }
    },
    async hear(name, peer, frame) {
      const key = documentKey(name)
      if (!writers.mayRead(peer, name.scope) || !isInTime(key, peer)) return
      const bytes = await opened(name, key, peer, frame)
      if (bytes === undefined) return
      const here = others.get(key) ?? new Map<DeviceId, Heard>()
      others.set(key, here)
      here.get(peer)?.cancel()
      if (bytes.byteLength === 0) {
        forget(key, peer)
        return
      }
      const cancel = clock.schedule(AWARENESS_HOLDS_MS, () => forget(key, peer))
      here.set(peer, { bytes, heardAt: clock.now(), cancel })
      heard.emit(key)
    },
    stop() {
      for (const one of own.values()) one.cancel()
      for (const here of others.values()) for (const one of here.values()) one.cancel()
    },
  }
}
