import * as dagCbor from '@ipld/dag-cbor'
import type * as z from 'zod/mini'
import { MeshError, messageOf } from '../base/index.ts'

/**
 * Canonical bytes of plain data (DAG-CBOR, RFC 8949 §4.2). Fields that are
 * undefined are left out.
 */
export function encode(value: unknown): Uint8Array<ArrayBuffer> {
  return new Uint8Array(dagCbor.encode(withoutUndefined(value)))
}

/**
 * Reads bytes that may come from anywhere: bounded first, then decoded strictly
 * (shortest integers, no repeated keys, nothing behind the end), then checked
 * against the schema. Fields the schema does not name are dropped, so that newer
 * versions may add some.
 * @throws MeshError `too-large`, `malformed`
 */
export function decode<Schema extends z.ZodMiniType>(
  input: Uint8Array,
  schema: Schema,
  limits: { readonly maxBytes: number; readonly what: string },
): z.output<Schema> {
  if (input.byteLength > limits.maxBytes) {
    throw new MeshError('too-large', `${limits.what} is larger than ${String(limits.maxBytes)} bytes.`, {
      detail: { maxBytes: limits.maxBytes, gotBytes: input.byteLength },
      fault: 'peer',
    })
  }
  let value: unknown
  try {
    value = dagCbor.decode(input)
  } catch (error) {
    throw new MeshError('malformed', `${limits.what} is not valid DAG-CBOR: ${messageOf(error)}`, { cause: error })
  }
  const checked = schema.safeParse(value)
  if (!checked.success) {
    const [issue] = checked.error.issues
    throw new MeshError(
      'malformed',
      `${limits.what} has a wrong field: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim(),
    )
  }
  return checked.data
}

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([key, field]) => [key, withoutUndefined(field)]),
  )
}
