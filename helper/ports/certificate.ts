import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { base64url } from 'multiformats/bases/base64'
import { sha256 } from 'multiformats/hashes/sha2'
import * as z from 'zod'
import { getWhole, silentLogger, type Clock, type Logger, type Random, type Store } from '../../mesh/base/index.ts'

const KEY = 'webrtc/certificate'
const LIFETIME_MS = 10 * 365 * 24 * 60 * 60_000

const record = z.object({ privateKey: z.string().min(1), pem: z.string().min(1), certhash: z.string().min(1) })

/** The certificate of the WebRTC-direct listener: PEM texts, and its hash as it stands in addresses. */
export type PeerCertificate = z.output<typeof record>

/**
 * The certificate browsers pin by the hash in this helper's addresses. Made once
 * for ten years and kept, so that addresses in links and QR codes do not rot: the
 * library's own lasts 14 days. P-256, which Chromium accepts for DTLS. One that is
 * damaged is made anew, and the log is told: links that named it lead here by the others
 * of their addresses only.
 * @throws MeshError of the store
 */
export async function loadPeerCertificate(
  ports: { readonly store: Store; readonly clock: Clock; readonly random: Random; readonly log?: Logger | undefined },
  options: { signal?: AbortSignal | undefined } = {},
): Promise<PeerCertificate> {
  const { log = silentLogger } = ports
  const stored = await getWhole(ports.store, KEY, log, options)
  if (stored !== undefined) {
    try {
      return record.parse(JSON.parse(new TextDecoder().decode(stored)))
    } catch (error) {
      log.warn('The stored certificate of this helper cannot be read; it is made anew.', { error })
    }
  }
  const made = await makeCertificate(ports.clock.now(), ports.random)
  await ports.store.put(KEY, new TextEncoder().encode(JSON.stringify(made)), options)
  return made
}

async function makeCertificate(now: number, random: Random): Promise<PeerCertificate> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
  const { crypto } = globalThis
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: Buffer.from(random.bytes(8)).toString('hex'),
      name: 'CN=plexus',
      notBefore: new Date(now - 24 * 60 * 60_000),
      notAfter: new Date(now + LIFETIME_MS),
      signingAlgorithm: { ...algorithm, hash: 'SHA-256' },
      keys,
    },
    crypto,
  )
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  const digest = await sha256.digest(new Uint8Array(certificate.rawData))
  return {
    privateKey: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'),
    pem: certificate.toString('pem'),
    certhash: base64url.encode(digest.bytes),
  }
}
