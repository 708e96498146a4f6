import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createGateway, type ServingGateway } from '../../helper/gateway/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { systemRandom } from '../../helper/ports/random.ts'
import { silentLogger } from '../../mesh/base/index.ts'
import { createFakeMesh } from '../kit/fake-mesh.ts'

const SECRET = 'the file outside the page'
const TARGETS = ['secret.txt', 'page-secret/secret.txt', 'etc/passwd', 'windows/win.ini']
const UPS = [
  '../',
  '..%2f',
  '..%2F',
  '%2e%2e/',
  '%2e%2e%2f',
  '.%2e/',
  '%2E%2E%5C',
  '..\\',
  '..%5c',
  '%252e%252e%252f',
  '..%252f',
  '..%c0%af',
  '%c0%ae%c0%ae/',
  '..%e0%80%af',
  '..;/',
  '....//',
  '..%00/',
  '..%01/',
  './../',
  '/..//',
  '.../',
  '%uff0e%uff0e/',
  '%u002e%u002e/',
]
const NAMES = [
  '/link.txt',
  '/link.txt%00.js',
  '/linked/secret.txt',
  '/assets/../../secret.txt',
  '/assets/%2e%2e/%2e%2e/secret.txt',
  '//127.0.0.1/secret.txt',
  '/\\\\127.0.0.1\\share\\secret.txt',
  '/%5c%5c127.0.0.1%5cshare',
  '/C:/windows/win.ini',
  '/C:%5Cwindows%5Cwin.ini',
  '/c:secret.txt',
  '/CON',
  '/NUL',
  '/aux.txt',
  '/COM1',
  '/index.html::$DATA',
  '/index.html%20',
  '/index.html.',
  '/INDEX.HTML',
  '/index.html/',
  '/index.html%00',
  '/%',
  '/%zz',
  '/%ff%fe',
  '/.git/config',
  '/.env',
  '/~root/.ssh/id_rsa',
  '/assets/main.js/../../../secret.txt',
  '/file:///secret.txt',
  '/__proto__',
  '/constructor',
  '/assets',
  '/assets/..',
  '/?file=../secret.txt&x',
  '/index.html%2f..%2f..%2fsecret.txt',
  '/./%2e/%2e%2e/secret.txt',
]
const VECTORS = [
  ...UPS.flatMap((up) => [
    `/${up.repeat(1)}${TARGETS[0] ?? ''}`,
    `/assets/${up.repeat(3)}${TARGETS[1] ?? ''}`,
    `/${up.repeat(8)}${TARGETS[2] ?? ''}`,
  ]),
  ...NAMES,
]

let dir = ''
let gateway: ServingGateway
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'plexus-paths-'))
  await mkdir(join(dir, 'page/assets'), { recursive: true })
  await mkdir(join(dir, 'page-secret'))
  await writeFile(join(dir, 'secret.txt'), SECRET)
  await writeFile(join(dir, 'page-secret/secret.txt'), SECRET)
  await writeFile(join(dir, 'page/index.html'), 'shell')
  await writeFile(join(dir, 'page/assets/main.js'), 'script')
  await symlink(join(dir, 'secret.txt'), join(dir, 'page/link.txt')).catch(() => {})
  await symlink(dir, join(dir, 'page/linked')).catch(() => {})
  gateway = await createGateway({
    mesh: createFakeMesh(),
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
    token: 'token-of-the-paths-test',
    pageDir: join(dir, 'page'),
  }).listen({ port: 0 })
})
afterAll(async () => {
  await gateway.close()
  await rm(dir, { recursive: true, force: true })
})

/** Sends the target byte for byte: a URL class would tidy it up first. */
function sendRaw(target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(gateway.port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('close', () => {
      resolve(Buffer.concat(chunks).toString('latin1'))
    })
    socket.write(
      `GET ${target} HTTP/1.1\r\nHost: 127.0.0.1:${String(gateway.port)}\r\nAccept: */*\r\nConnection: close\r\n\r\n`,
    )
  })
}

test('there are at least 60 vectors', () => {
  expect(new Set(VECTORS).size).toBeGreaterThanOrEqual(60)
})

test('no spelling of a path leaves the folder of the page', async () => {
  const passed: string[] = []
  const seen = new Set<string>()
  for (const vector of VECTORS) {
    const answer = await sendRaw(vector)
    const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 'none'
    seen.add(status)
    const isShellItself = status === '200' && answer.endsWith('\r\n\r\nshell')
    const isRefused = status === '404' || status === '400'
    if (answer.includes(SECRET) || !(isRefused || isShellItself)) passed.push(`${vector} → ${status}`)
  }
  expect(passed).toEqual([])
  expect(seen.has('404')).toBe(true)
}, 60_000)

test('what is outside and what is nowhere read the same', async () => {
  const bodyOf = (answer: string) => answer.slice(answer.indexOf('\r\n\r\n'))
  const nowhere = bodyOf(await sendRaw('/nowhere.txt'))
  for (const path of ['/link.txt', '/linked/secret.txt', '/..%2fsecret.txt', '/%zz'])
    expect(bodyOf(await sendRaw(path))).toBe(nowhere)
})

test('a file of the page is there all the same', async () => {
  expect(await sendRaw('/assets/main.js')).toMatch(/^HTTP\/1\.1 200[^]*script$/)
})
