import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import type { TlsPair } from '../../helper/door/index.ts'

/** What a certificate of a test says. */
export interface TestPairOptions {
  /** ms since 1970 */
  readonly notAfter?: number
  readonly names?: readonly string[]
}

/** A self-signed certificate with its key, as a person might bring their own. */
export async function makeTestPair(name = 'test', options: TestPairOptions = {}): Promise<TlsPair> {
  const { notAfter = Date.now() + 86_400_000, names = ['plexus.test'] } = options
  // named: another package may have set a default of its own
  const { crypto } = globalThis
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: '01',
      name: `CN=${name}`,
      notBefore: new Date(Math.min(Date.now(), notAfter) - 86_400_000),
      notAfter: new Date(notAfter),
      signingAlgorithm: algorithm,
      keys,
      extensions: [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns' as const, value })))],
    },
    crypto,
  )
  return {
    key: x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY'),
    cert: certificate.toString('pem'),
  }
}
