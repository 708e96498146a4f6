import { createHash, timingSafeEqual } from 'node:crypto'
import type { CallHead, Refusal } from '../door/index.ts'

/** The parts of a request that decide whether it may come in. Header lists keep duplicates. */
export interface RequestHead extends CallHead {
  readonly authorization: readonly string[]
  readonly contentType: readonly string[]
  readonly contentEncoding: readonly string[]
}

/** What the network hears of everything that is for this machine only. */
export const HERE_ONLY: Refusal = {
  status: 403,
  message: 'This is for programs on the machine of the helper only.',
  code: 'this_machine_only',
}

/** Whether the request brings the token, as `Authorization: Bearer TOKEN` and in no other way. Undefined means yes. */
export function refuseStranger(authorization: readonly string[], isToken: TokenCheck): Refusal | undefined {
  const [value, ...others] = authorization
  if (value === undefined) {
    return stranger(
      'No token. Send the header "Authorization: Bearer TOKEN"; "plexus token" prints it.',
      'missing_api_key',
    )
  }
  const token = others.length === 0 ? /^bearer +(\S+)$/i.exec(value)?.[1] : undefined
  if (token === undefined || !isToken(token)) {
    return stranger('This token is not the one of this helper; "plexus token" prints it.', 'invalid_api_key')
  }
  return undefined
}

function stranger(message: string, code: string): Refusal {
  return { status: 401, message, code }
}

/** Says whether a text is the token. */
export type TokenCheck = (candidate: string) => boolean

/** Compares in constant time: hashes first, so that lengths tell nothing either. */
export function tokenCheck(token: string): TokenCheck {
  const expected = digest(token)
  return (candidate) => timingSafeEqual(digest(candidate), expected)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest()
}

const JSON_TYPE = /^application\/json(?: *; *charset *= *"?utf-8"?)? *;?$/i

/**
 * Whether the body is declared as plain JSON in UTF-8. Any other type can be sent
 * by a foreign page without asking (text/plain forms), so it is refused unread.
 */
export function refuseBodyType(head: Pick<RequestHead, 'contentType' | 'contentEncoding'>): Refusal | undefined {
  const [type, ...otherTypes] = head.contentType
  if (type === undefined || otherTypes.length > 0 || !JSON_TYPE.test(type.trim())) {
    return {
      status: 415,
      message: 'Send JSON with the header "Content-Type: application/json".',
      code: 'unsupported_media_type',
    }
  }
  const isPlain = head.contentEncoding.every((encoding) => encoding.trim().toLowerCase() === 'identity')
  if (!isPlain) return { status: 415, message: 'Send the body uncompressed.', code: 'unsupported_content_encoding' }
  return undefined
}
