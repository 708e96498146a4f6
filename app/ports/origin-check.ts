import * as z from 'zod/mini'
import type { Random } from '../../mesh/base/index.ts'
import { checkOriginProof, ORIGIN_NONCE_BYTES } from '../../mesh/identity/index.ts'
import { deviceId, fromBase64url, text, toBase64url } from '../../mesh/wire/index.ts'

/**
 * Who serves this page's origin now. `own`: the helper it always was. `unknown`: no
 * helper was ever seen here, and none proves itself (a host of files). `silent`: nobody
 * answers, as when the helper is off. `other`: somebody answers who is not the helper;
 * `isHelper` says whether it is at least one, whose device is then `device`.
 */
export type OriginVerdict =
  { readonly kind: 'own' | 'unknown' | 'silent' } | { readonly kind: 'other'; readonly device?: string }

/** What it takes of a browser. */
export interface OriginCheckPorts {
  readonly origin: string
  readonly fetch: typeof fetch
  readonly random: Random
  /** Where the device of this origin's helper is remembered; it must be readable before anything is opened. */
  readonly memory: Pick<Storage, 'getItem' | 'setItem'>
  /** Whether a helper served the page just now. A host of files is asked nothing while no helper was ever seen here. */
  readonly isHelper: boolean
  /** How long an answer is waited for, in ms. */
  readonly timeoutMs?: number
}

/** The device of the helper that served this origin first. */
export const ORIGIN_PIN = 'plexus-origin-device'
const ANSWER_MAX_LENGTH = 1_024
const TIMEOUT_MS = 3_000

const answerSchema = z.object({ device: deviceId, proof: text(128) })

/** True for origins that any user of the machine may serve while the helper is off: plain HTTP of this machine. */
export function canBeTaken(origin: string): boolean {
  const { protocol, hostname } = new URL(origin)
  return protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname)
}

/** Asks who serves this origin, and remembers the first helper that proves itself. Never throws. */
export async function checkOrigin(ports: OriginCheckPorts): Promise<OriginVerdict> {
  const pinned = ports.memory.getItem(ORIGIN_PIN) ?? undefined
  if (pinned === undefined && !ports.isHelper) return { kind: 'unknown' }
  const nonce = ports.random.bytes(ORIGIN_NONCE_BYTES)
  let answer: string
  try {
    answer = await ask(ports, nonce)
  } catch {
    // off, or too slow: nobody has said anything wrong
    return { kind: 'silent' }
  }
  const device = await proven(ports.origin, nonce, answer)
  if (pinned === undefined && device !== undefined) trustOrigin(ports.memory, device)
  if (pinned === undefined) return { kind: device === undefined ? 'unknown' : 'own' }
  if (device === pinned) return { kind: 'own' }
  return device === undefined ? { kind: 'other' } : { kind: 'other', device }
}

/** True when a helper proved itself at this origin before. */
export function isOriginKnown(memory: Pick<Storage, 'getItem'>): boolean {
  return memory.getItem(ORIGIN_PIN) !== null
}

/** From now on this helper is the one of this origin. */
export function trustOrigin(memory: OriginCheckPorts['memory'], device: string): void {
  try {
    memory.setItem(ORIGIN_PIN, device)
  } catch (error) {
    console.info('the helper of this address is not remembered', error)
  }
}

async function ask({ origin, fetch: send, timeoutMs }: OriginCheckPorts, nonce: Uint8Array): Promise<string> {
  const response = await send(new URL('/plexus/origin', origin), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ nonce: toBase64url(nonce) }),
    ...{ credentials: 'omit', cache: 'no-store', redirect: 'error' },
    signal: AbortSignal.timeout(timeoutMs ?? TIMEOUT_MS),
  })
  return response.ok ? await response.text() : ''
}

/** The device that signed this number for this origin; undefined: none did. */
async function proven(origin: string, nonce: Uint8Array, answer: string): Promise<string | undefined> {
  if (answer.length > ANSWER_MAX_LENGTH) return undefined
  try {
    const { device, proof } = z.parse(answerSchema, JSON.parse(answer))
    return (await checkOriginProof(device, origin, nonce, fromBase64url(proof))) ? device : undefined
  } catch {
    // no proof at all: some other server
    return undefined
  }
}
