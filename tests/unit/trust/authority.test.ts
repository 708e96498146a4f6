import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createServer } from 'node:https'
import { connect } from 'node:tls'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createAuthority,
  describeCertificate,
  fingerprintOf,
  isIssuedBy,
  issueLeaf,
  LEAF_LIFETIME_MS,
} from '../../../helper/trust/authority.ts'
import { isPermitted, nameConstraints } from '../../../helper/trust/constraints.ts'
import { makeTempDir } from '../../kit/helper-process.ts'
import { createSeededRandom } from '../../kit/random.ts'

const DAY_MS = 86_400_000
const now = Date.now()
const random = createSeededRandom('trust')
const making = { nowMs: now, random }

const openssl = (args: readonly string[], input?: string): string =>
  execFileSync('openssl', [...args], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
const hasOpenssl = ['/usr/bin/openssl', '/usr/local/bin/openssl', '/opt/homebrew/bin/openssl'].some(existsSync)

describe('the authority', () => {
  test('is constrained to private networks and two names, critically, and to servers', async () => {
    const authority = await createAuthority('Plexus on Amber', [], making)
    const certificate = new X509Certificate(authority.cert)
    expect(certificate.ca).toBe(true)
    expect(certificate.subject).toBe('CN=Plexus on Amber')
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
    expect(fingerprintOf(authority.cert)).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
    expect(Buffer.from(nameConstraints()).toString('hex')).toMatch(/^30.*82\w\w706c657875732e6c6f63616c/)
  })

  test.runIf(hasOpenssl)('reads to OpenSSL as it is meant', async () => {
    const authority = await createAuthority('Plexus on Amber', [], making)
    const text = openssl(['x509', '-noout', '-text'], authority.cert)
    expect(text).toMatch(/X509v3 Name Constraints: critical\s+Permitted:/)
    for (const part of [
      'DNS:plexus.local',
      'DNS:localhost',
      'IP:10.0.0.0/255.0.0.0',
      'IP:172.16.0.0/255.240.0.0',
      'IP:192.168.0.0/255.255.0.0',
      'IP:100.64.0.0/255.192.0.0',
      'IP:FC00:0:0:0:0:0:0:0/FE00:0:0:0:0:0:0:0',
      'IP:FE80:0:0:0:0:0:0:0/FFC0:0:0:0:0:0:0:0',
      'IP:0:0:0:0:0:0:0:1/FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF',
    ])
      expect(text).toContain(part)
    expect(text).toContain('CA:TRUE, pathlen:0')
  })

  test.runIf(hasOpenssl)('is of no use for any website: a leaf it signs for one is refused', async () => {
    const dir = await makeTempDir()
    const authority = await createAuthority('Plexus', [], making)
    const ca = join(dir.path, 'ca.pem')
    await writeFile(ca, authority.cert)
    await writeFile(join(dir.path, 'ca.key'), authority.key)
    const verdict = async (names: readonly string[]): Promise<string> => {
      const leaf = join(dir.path, 'leaf.pem')
      // by another program's hand: ours leaves such names out
      openssl([
        'req',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-subj',
        '/CN=x',
        '-keyout',
        join(dir.path, 'x.key'),
        '-out',
        join(dir.path, 'x.csr'),
      ])
      await writeFile(join(dir.path, 'ext'), `subjectAltName=${names.join(',')}\nextendedKeyUsage=serverAuth\n`)
      openssl([
        'x509',
        '-req',
        '-in',
        join(dir.path, 'x.csr'),
        '-CA',
        ca,
        '-CAkey',
        join(dir.path, 'ca.key'),
        '-days',
        '30',
        '-extfile',
        join(dir.path, 'ext'),
        '-out',
        leaf,
      ])
      try {
        return openssl(['verify', '-CAfile', ca, leaf]).includes('OK') ? 'OK' : 'refused'
      } catch {
        return 'refused'
      }
    }
    expect(await verdict(['IP:192.168.1.7', 'DNS:plexus.local'])).toBe('OK')
    for (const name of [
      'DNS:example.com',
      'DNS:nas.local',
      'DNS:plexus.local.example.com',
      'IP:203.0.113.5',
      'IP:8.8.8.8',
      'IP:172.32.0.1',
      'IP:2001:db8::1',
    ])
      expect([name, await verdict([name])]).toEqual([name, 'refused'])
    expect(await verdict(['IP:192.168.1.7', 'DNS:example.com'])).toBe('refused')
    await dir.remove()
  })
})

describe('a leaf', () => {
  test('is short enough for every browser and begins a day ago', async () => {
    const authority = await createAuthority('Plexus', [], making)
    const leaf = await issueLeaf(authority, ['192.168.1.7', 'plexus.local'], making)
    const { names, notBefore, notAfter } = describeCertificate(leaf.cert)
    expect(names).toEqual(['192.168.1.7', 'plexus.local'])
    expect(notAfter - notBefore).toBeLessThanOrEqual(LEAF_LIFETIME_MS)
    expect(LEAF_LIFETIME_MS).toBe(397 * DAY_MS)
    expect(now - notBefore).toBeGreaterThan(DAY_MS - 2_000)
    expect(isIssuedBy(leaf.cert, authority)).toBe(true)
    expect(isIssuedBy(leaf.cert, await createAuthority('Other', [], making))).toBe(false)
  })

  test('whatever addresses a machine has, names only what its authority may speak for', async () => {
    const authority = await createAuthority('Plexus', [], making)
    const octet = fc.integer({ min: 0, max: 255 })
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(octet, octet, octet, octet), { maxLength: 6 }), async (addresses) => {
        const given = [...addresses.map((parts) => parts.join('.')), '10.1.2.3']
        const { cert } = await issueLeaf(authority, given, making)
        const { names } = describeCertificate(cert)
        expect(names.length).toBeGreaterThan(0)
        for (const name of names) expect(isPermitted(name)).toBe(true)
      }),
      { numRuns: 25 },
    )
  })

  test('may name the public address its machine had when the authority was made, and no other', async () => {
    const authority = await createAuthority('Plexus', ['192.0.2.2', '10.0.0.1'], making)
    const { cert } = await issueLeaf(authority, ['192.0.2.2', '192.0.2.3', '10.9.9.9'], making)
    expect(describeCertificate(cert).names).toEqual(['192.0.2.2', '10.9.9.9'])
    const other = await createAuthority('Plexus', ['10.0.0.1'], making)
    expect(describeCertificate((await issueLeaf(other, ['192.0.2.2', '10.0.0.1'], making)).cert).names).toEqual([
      '10.0.0.1',
    ])
  })

  test('is accepted by a TLS client that trusts the authority, by address, and by no other', async () => {
    const authority = await createAuthority('Plexus', [], making)
    const leaf = await issueLeaf(authority, ['127.0.0.1', 'plexus.local'], making)
    const server = createServer(leaf).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const dial = (options: object): Promise<string> =>
      new Promise((resolve) => {
        const socket = connect({ port, host: '127.0.0.1', ...options }, () => {
          resolve('trusted')
          socket.destroy()
        })
        socket.on('error', (error: Error) => {
          resolve(error.message)
        })
      })
    expect(await dial({ ca: authority.cert })).toBe('trusted')
    expect(await dial({ ca: authority.cert, servername: 'plexus.local' })).toBe('trusted')
    expect(await dial({})).not.toBe('trusted')
    expect(await dial({ ca: authority.cert, servername: 'example.com' })).not.toBe('trusted')
    server.close()
  })
})

test.each([
  ['10.0.0.1', true],
  ['172.15.255.255', false],
  ['172.16.0.0', true],
  ['172.31.255.255', true],
  ['172.32.0.0', false],
  ['192.168.255.1', true],
  ['192.169.0.1', false],
  ['100.63.255.255', false],
  ['100.64.0.1', true],
  ['100.127.255.255', true],
  ['100.128.0.0', false],
  ['169.254.1.1', true],
  ['127.9.9.9', true],
  ['203.0.113.5', false],
  ['255.255.255.255', false],
  ['0.0.0.0', false],
  ['plexus.local', true],
  ['plexus.local.example.com', false],
  ['xplexus.local', false],
  ['example.com', false],
])('%s may stand in a leaf: %s', (name, expected) => {
  expect(isPermitted(name)).toBe(expected)
})
