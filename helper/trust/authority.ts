import 'reflect-metadata'
import { createHash, X509Certificate, type webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'
import { MeshError, messageOf, type Random } from '../../mesh/base/index.ts'
import type { TlsPair } from '../door/index.ts'
import { mayName, nameConstraints } from './constraints.ts'

/** The certificate that devices are told to trust, with its key. */
export type Authority = TlsPair

interface Making {
  readonly nowMs: number
  readonly random: Random
}

const DAY_MS = 24 * 60 * 60_000
/** As long as the certificate of the peer: a phone that trusts it once is not asked again. */
const AUTHORITY_LIFETIME_MS = 3_650 * DAY_MS
/** Browsers refuse leaves of public authorities above 398 days, and Apple's those of private ones above 825. */
export const LEAF_LIFETIME_MS = 397 * DAY_MS
/** A clock that is a little behind must not find a certificate of the future. */
const BACKDATED_MS = DAY_MS

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const NAME_CONSTRAINTS = '2.5.29.30'
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'

/**
 * Makes an authority that can speak for this kind of network only: a stolen key of
 * it is of no use against any website. `label` stands in the lists of trusted
 * authorities, so that a person finds it again there; `addresses` are this machine's
 * own, which may be public ones.
 */
export async function createAuthority(
  label: string,
  addresses: readonly string[],
  { nowMs, random }: Making,
): Promise<Authority> {
  const { crypto } = globalThis
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serial(random),
      name: [{ CN: [label] }],
      notBefore: new Date(nowMs - BACKDATED_MS),
      notAfter: new Date(nowMs + AUTHORITY_LIFETIME_MS),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        // no authorities below it
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        // for servers: neither mail nor programs are signed with it
        new x509.ExtendedKeyUsageExtension([SERVER_AUTH]),
        new x509.Extension(NAME_CONSTRAINTS, true, Buffer.from(nameConstraints(addresses))),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, crypto),
      ],
    },
    crypto,
  )
  return { key: await exportKey(keys.privateKey), cert: certificate.toString('pem') }
}

/**
 * Issues a certificate with a fresh key for these names and addresses; those the
 * authority may not speak for are left out, because one of them spoils the rest.
 * @throws MeshError `storage-corrupt` when the authority cannot be read
 */
export async function issueLeaf(
  authority: Authority,
  names: readonly string[],
  { nowMs, random }: Making,
): Promise<TlsPair> {
  const { crypto } = globalThis
  const { issuer, signingKey } = await readAuthority(authority)
  const keys = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const permitted = namesWithin(authority, names)
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serial(random),
      subject: [{ CN: ['plexus.local'] }],
      issuer: issuer.subjectName,
      notBefore: new Date(nowMs - BACKDATED_MS),
      notAfter: new Date(nowMs - BACKDATED_MS + LEAF_LIFETIME_MS),
      signingAlgorithm: ALGORITHM,
      signingKey,
      publicKey: keys.publicKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([SERVER_AUTH]),
        new x509.SubjectAlternativeNameExtension(
          permitted.map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
        ),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey, false, crypto),
      ],
    },
    crypto,
  )
  return { key: await exportKey(keys.privateKey), cert: certificate.toString('pem') }
}

/** Those of these names that an authority may speak for, each once. */
export function namesWithin(authority: Authority, names: readonly string[]): string[] {
  const constraints =
    new x509.X509Certificate(authority.cert).getExtension(NAME_CONSTRAINTS)?.value ?? new ArrayBuffer(0)
  return [...new Set(names)].filter((name) => mayName(new Uint8Array(constraints), name))
}

/** SHA-256 of a certificate as devices show it: 32 pairs of hexadecimal digits with colons. */
export function fingerprintOf(certPem: string): string {
  return new X509Certificate(certPem).fingerprint256
}

/** The names and addresses a certificate is for, and until when it holds in ms since 1970. */
export function describeCertificate(certPem: string): {
  readonly names: readonly string[]
  readonly notBefore: number
  readonly notAfter: number
} {
  const certificate = new x509.X509Certificate(certPem)
  const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? []
  return {
    names: names.filter(({ type }) => type === 'dns' || type === 'ip').map(({ value }) => value.toLowerCase()),
    notBefore: certificate.notBefore.getTime(),
    notAfter: certificate.notAfter.getTime(),
  }
}

/** Whether this authority issued that certificate. */
export function isIssuedBy(certPem: string, authority: Authority): boolean {
  return new X509Certificate(certPem).verify(new X509Certificate(authority.cert).publicKey)
}

/** A short mark of an authority, to tell two of the same name apart. */
export function markOf(random: Random): string {
  return createHash('sha256').update(random.bytes(16)).digest('hex').slice(0, 4)
}

async function readAuthority(
  authority: Authority,
): Promise<{ issuer: x509.X509Certificate; signingKey: webcrypto.CryptoKey }> {
  try {
    const [pkcs8 = new ArrayBuffer(0)] = x509.PemConverter.decode(authority.key)
    return {
      issuer: new x509.X509Certificate(authority.cert),
      signingKey: await globalThis.crypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, false, ['sign']),
    }
  } catch (error) {
    throw new MeshError('storage-corrupt', `The authority of this helper cannot be read: ${messageOf(error)}.`, {
      cause: error,
    })
  }
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await globalThis.crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
}

/** 127 random bits: positive in DER, and never the number of another certificate of the same name (RFC 5280, 4.1.2.2). */
function serial(random: Random): string {
  const bytes = random.bytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return Buffer.from(bytes).toString('hex')
}
