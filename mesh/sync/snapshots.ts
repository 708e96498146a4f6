import { hexToBytes } from '@noble/hashes/utils.js'
import * as z from 'zod/mini'
import { verifyBy } from '../identity/index.ts'
import { digest } from '../seal/index.ts'
import { decode, encode, exactBytes, toHex, whole } from '../wire/index.ts'
import type { Content } from './content.ts'
import type { DocumentName } from './document.ts'
import { documentKey } from './envelope.ts'
import type { Options } from './options.ts'
import type { EpochKey, SyncPorts } from './ports.ts'

type Saved = ReturnType<Content['save']>

/**
 * The content of a document as one box: sealed with the epoch's key, signed by this
 * device, and only ever read by it. Others are given the envelopes, which say who
 * wrote what; a snapshot would be the word of its maker.
 */
export async function sealSnapshot(
  name: DocumentName,
  saved: Saved,
  epoch: EpochKey,
  ports: Pick<SyncPorts, 'signer' | 'random'>,
  options: Options,
): Promise<Uint8Array> {
  const context = contextOf(name)
  const box = await epoch.key.seal(encode({ state: saved.state, applied: saved.applied }), context, ports.random)
  const signature = await ports.signer.sign(await signedText(context, box), options)
  return encode({ epoch: hexToBytes(epoch.id), box, signature })
}

/** The content of a snapshot, or undefined when it is not this device's or its key is gone. */
export async function openSnapshot(
  name: DocumentName,
  bytes: Uint8Array,
  ports: Pick<SyncPorts, 'signer' | 'keyring'>,
): Promise<Saved | undefined> {
  const { epoch, box, signature } = decode(bytes, snapshot, LIMITS)
  const context = contextOf(name)
  const key = ports.keyring.get(name.scope, toHex(epoch))?.key
  if (key === undefined || !(await verifyBy(ports.signer.id, await signedText(context, box), signature)))
    return undefined
  return decode(await key.open(box, context), content, LIMITS)
}

// from the own disk and checked by hash and signature: as large as the document is
const LIMITS = { maxBytes: Number.MAX_SAFE_INTEGER, what: 'The snapshot of a document' }

const snapshot = z.object({ epoch: exactBytes(32), box: z.instanceof(Uint8Array), signature: exactBytes(64) })
const content = z.object({ state: z.instanceof(Uint8Array), applied: z.array(z.tuple([whole(), whole()])) })

function contextOf(name: DocumentName): Uint8Array {
  return encode(['plexus/snapshot', documentKey(name)])
}

async function signedText(context: Uint8Array, box: Uint8Array): Promise<Uint8Array> {
  return encode([context, await digest(box)])
}
