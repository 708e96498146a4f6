import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { MeshError, messageOf } from '../../mesh/base/index.ts'
import type { TlsPair } from '../door/index.ts'
import { describeCertificate } from './authority.ts'

/** Where a person keeps their certificate. */
export interface OwnCertificateFiles {
  /** Certificate and chain, PEM. */
  readonly cert: string
  /** Its private key, PEM, without a passphrase. */
  readonly key: string
}

/** A certificate a person brought, checked. */
export interface OwnCertificate {
  readonly pair: TlsPair
  /** What it is for, lower case. */
  readonly names: readonly string[]
  /** ms since 1970 */
  readonly notAfter: number
}

/** Largest file that is read as a certificate or key, in bytes: a chain of many is 20 kB. */
const FILE_MAX_BYTES = 256 * 1024

/**
 * Reads and checks a certificate of the person's own.
 * @throws MeshError `config-invalid`; the sentence names the file and what is wrong with it.
 */
export async function loadOwnCertificate(files: OwnCertificateFiles, nowMs: number): Promise<OwnCertificate> {
  const [cert, key] = await Promise.all([readText(files.cert), readText(files.key)])
  const certificate = parse(files.cert, 'certificate', () => new X509Certificate(cert))
  const privateKey = parse(files.key, 'private key without a passphrase', () => createPrivateKey(key))
  const { names, notBefore, notAfter } = describeCertificate(cert)
  refuseUnfit(files, certificate, privateKey)
  if (notAfter <= nowMs) throw wrong(files.cert, `ended on ${dayOf(notAfter)}: renew it`)
  if (notBefore > nowMs) throw wrong(files.cert, `begins on ${dayOf(notBefore)}: is the clock of this computer right?`)
  if (names.length === 0) throw wrong(files.cert, 'names no host (it has no subjectAltName), so no browser takes it')
  parse(files.cert, 'certificate that TLS can use', () => createSecureContext({ cert, key }))
  return { pair: { cert, key }, names, notAfter }
}

/** Changes whenever one of the two files does. */
export async function markOfFiles(files: OwnCertificateFiles): Promise<string> {
  const marks = await Promise.all(
    [files.cert, files.key].map(async (file) => {
      try {
        const { mtimeMs, size, ino } = await stat(file)
        return [mtimeMs, size, ino].join(':')
      } catch {
        return 'gone'
      }
    }),
  )
  return marks.join(' ')
}

function refuseUnfit(files: OwnCertificateFiles, certificate: X509Certificate, key: KeyObject): void {
  if (!certificate.checkPrivateKey(key)) throw wrong(files.key, `is not the key of ${files.cert}`)
  // Chromium has no cipher for them: ERR_SSL_VERSION_OR_CIPHER_MISMATCH
  if (key.asymmetricKeyType !== 'ec' && key.asymmetricKeyType !== 'rsa')
    throw wrong(files.key, 'is of a kind that browsers do not take: use an ECDSA or RSA key')
}

function parse<Value>(file: string, what: string, read: () => Value): Value {
  try {
    return read()
  } catch (error) {
    throw wrong(file, `is no ${what} in PEM (${messageOf(error)})`, error)
  }
}

async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file)
    if (size > FILE_MAX_BYTES) throw wrong(file, 'is larger than any certificate')
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof MeshError) throw error
    throw wrong(file, `cannot be read (${messageOf(error)})`, error)
  }
}

function wrong(file: string, what: string, cause?: unknown): MeshError {
  return new MeshError('config-invalid', `${file} ${what}.`, { cause })
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
