import type { Connection } from '@libp2p/interface'
import { MeshError, PENDING_JOIN_MS, type Clock, type DeviceId } from '../../../base/index.ts'
import type { JoinersWord } from '../join/join.ts'
import { FIRST_FRAME, openStream, type Protocol } from '../../protocol.ts'
import type { FrameStream } from '../../stream.ts'
import {
  COMPARE,
  inviterNonce,
  joinerNonce,
  joinersWord,
  joinerThere,
  type JoinerExchanged,
  type JoinerWaits,
} from './messages.ts'

/** The device at which people compare. */
export interface Comparing {
  /**
   * Another person's device has a joiner of this person on its line. This device draws its
   * own number, so that the other one, whatever it wants, chooses none of the pictures.
   * Resolves when the join is over here.
   * @throws MeshError `unauthorized`, `invitation-unknown`, `invitation-used`, `invitation-expired`, `integrity`, `busy`
   */
  compareFor(
    from: DeviceId,
    joiner: JoinerWaits,
    options: {
      exchange(nonce: Uint8Array): Promise<Uint8Array>
      /** As the joiner said it to the caller. */
      word(): Promise<JoinersWord>
      /** What is done at the cost of the caller. */
      work: FrameStream['work']
      readonly signal: AbortSignal
    },
  ): Promise<void>
  /** A device of the same person exchanged numbers with a joiner. @throws as {@link compareFor} */
  hear(
    from: DeviceId,
    joiner: JoinerExchanged,
    options: { word(): Promise<JoinersWord>; readonly signal: AbortSignal },
  ): Promise<void>
}

/** Devices of the mesh tell whom they have on their line; the stream is open for as long as that one waits. */
export function compareProtocol(comparing: Comparing): Protocol {
  return {
    ...COMPARE,
    callers: 'read-ledger',
    handling: 'waits',
    async handle(stream, { signal }) {
      const joiner = await stream.read(joinerThere, FIRST_FRAME)
      const word = async (): Promise<JoinersWord> => {
        const said = await stream.read(joinersWord, { signal })
        return said.type === 'differ' ? 'differ' : said.consent
      }
      if (joiner.type === 'exchanged') await comparing.hear(stream.peer, joiner, { word, signal })
      else {
        await comparing.compareFor(stream.peer, joiner, {
          signal,
          work: stream.work,
          async exchange(nonce) {
            await stream.write({ type: 'compare', nonce }, { signal })
            return (await stream.read(joinerNonce, FIRST_FRAME)).nonce
          },
          word,
        })
      }
      stream.close()
    },
  }
}

/** A comparison that another device takes part in. */
export interface ComparedThere {
  /** That device's number. */
  readonly nonce: Uint8Array
  /** Tells it the joiner's. */
  open(nonce: Uint8Array): Promise<void>
  /** Tells it what the joiner said: that it comes, or that its person sees other pictures. */
  tell(word: JoinersWord): Promise<void>
  /** Aborted when that device is gone or has no more to do with it. */
  readonly over: AbortSignal
}

/**
 * Has the device at the other end of `connection` compare a joiner that is on this one's line.
 * @throws MeshError what the other device told, `unsupported`, `timeout`, `peer-gone`, `aborted`
 */
export async function compareAt(
  connection: Connection,
  joiner: Omit<JoinerWaits, 'type'>,
  ports: { readonly clock: Clock },
  options: { readonly signal: AbortSignal },
): Promise<ComparedThere> {
  const { signal } = options
  const stream = await openStream(connection, COMPARE, ports, options)
  signal.addEventListener('abort', () => {
    stream.abort(signal.reason)
  })
  try {
    await stream.write({ type: 'waits', ...joiner }, options)
    const { nonce } = await stream.read(inviterNonce, { signal, timeoutMs: FIRST_FRAME.timeoutMs })
    const over = new AbortController()
    // it says nothing more: what comes is that it ends, and why
    stream.read(joinersWord, { signal }).then(
      () => {
        over.abort(new MeshError('malformed', 'The device that compares said something it does not say.'))
      },
      (error: unknown) => {
        over.abort(error)
      },
    )
    return {
      nonce,
      over: over.signal,
      async open(opened) {
        await stream.write({ type: 'open', nonce: opened }, options)
      },
      async tell(word) {
        await stream.write(wordFrame(word), options)
      },
    }
  } catch (error) {
    stream.abort(error)
    throw error
  }
}

/**
 * Tells a device of the same person whom this one has exchanged numbers with, and that one's word
 * once it is there, until `signal`.
 * @throws MeshError what the other device told, `unsupported`, `peer-gone`
 */
export async function tellExchanged(
  connection: Connection,
  joiner: Omit<JoinerExchanged, 'type'>,
  ports: { readonly clock: Clock },
  options: { readonly word: Promise<JoinersWord>; readonly signal: AbortSignal },
): Promise<void> {
  const stream = await openStream(connection, COMPARE, ports, options)
  const { signal } = options
  const end = (): void => {
    stream.abort(signal.reason)
  }
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  try {
    await stream.write({ type: 'exchanged', ...joiner }, options)
    void options.word.then((word) => stream.write(wordFrame(word), options)).catch(() => undefined)
    // says nothing until it is over, unless it refuses
    await stream.read(joinersWord, { signal, timeoutMs: PENDING_JOIN_MS })
  } finally {
    signal.removeEventListener('abort', end)
    stream.abort(signal.aborted ? signal.reason : 'done')
  }
}

function wordFrame(word: JoinersWord): object {
  return word === 'differ' ? { type: 'differ' } : { type: 'consent', consent: word }
}
