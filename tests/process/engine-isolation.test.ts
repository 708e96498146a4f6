import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findIsolation, startEngineProcess } from '../../helper/engines/index.ts'
import { openLevelStore } from '../../helper/ports/level-store.ts'
import { silentLogger } from '../../mesh/base/index.ts'
import { writeTinyGguf } from '../kit/gguf.ts'
import { startHelper } from '../kit/helper-process.ts'
import { until } from '../kit/wait.ts'

const cleanups: (() => unknown)[] = []
let folder: string
beforeEach(async () => {
  folder = realpathSync(await mkdtemp(join(tmpdir(), 'plexus-apart-test-')))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8')
    .trim()
    .split(' ')
    .map(Number)

/** Where the descriptors of a process lead. */
const descriptorsOf = (pid: number): { readonly fd: number; readonly to: string }[] =>
  readdirSync(`/proc/${String(pid)}/fd`).map((fd) => ({
    fd: Number(fd),
    to: readlinkSync(`/proc/${String(pid)}/fd/${fd}`),
  }))

describe.runIf(process.platform === 'linux')('the engine process of a running helper', () => {
  test('holds no descriptor of the store or of a network, and no environment it does not need', async () => {
    const model = join(folder, 'tiny.gguf')
    await writeTinyGguf(model, { says: 'abcdefghij', contextTokens: 2_048 })
    const helper = await startHelper({
      model,
      env: { SECRET_OF_ANOTHER_PROGRAM: 'secret-1', PLEXUS_TOKEN: 'secret-2', NODE_OPTIONS: '--no-warnings' },
    })
    cleanups.push(() => helper.stop())
    // the helper's own store is open: this is what could be inherited
    expect(descriptorsOf(helper.pid).some(({ to }) => to.startsWith(join(helper.dataDir, 'store')))).toBe(true)
    const [engine = 0, ...others] = childrenOf(helper.pid)
    expect(others).toEqual([])
    const held = descriptorsOf(engine)
    expect(held.filter(({ to }) => to.startsWith(helper.dataDir))).toEqual([])
    // the ends of its standard error and of the line to the helper
    expect(held.filter(({ to }) => to.startsWith('socket:')).map(({ fd }) => fd)).toEqual([2, 3])
    const environment = readFileSync(`/proc/${String(engine)}/environ`, 'utf8')
    expect(environment).not.toMatch(/secret-|PLEXUS_|SECRET_OF|NODE_OPTIONS/)
  })
})

/** A model's maker who took the engine over tries to get somewhere, and tells what worked. */
const TAKEN_OVER = `
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
const [dataDir, model, port, helper] = process.argv.slice(2)
const got = {}
const attempt = (what, step) => {
  try { got[what] = step() !== false } catch { got[what] = false }
}
process.on('message', async () => {
  attempt('model', () => readFileSync(model).length > 0)
  attempt('store', () => readdirSync(dataDir + '/store').length > 0)
  attempt('token', () => readFileSync(dataDir + '/token').length > 0)
  attempt('otherModel', () => readFileSync(dataDir + '/models/other.gguf').length > 0)
  attempt('writeData', () => writeFileSync(dataDir + '/store.key', 'mine'))
  attempt('writeModel', () => writeFileSync(dataDir + '/models/new.gguf', 'mine'))
  attempt('uncover', () => spawnSync('umount', [dataDir]).status === 0)
  attempt('uncoverAnew', () => spawnSync('unshare', ['-U', '-r', '-m', 'umount', dataDir]).status === 0)
  attempt('storeAfter', () => readdirSync(dataDir + '/store').length > 0)
  attempt('openFiles', () => readdirSync('/proc/' + helper + '/fd').map((fd) => readlinkSync('/proc/' + helper + '/fd/' + fd)).length > 0)
  attempt('environment', () => readFileSync('/proc/' + helper + '/environ').length > 0)
  attempt('root', () => readdirSync('/proc/' + helper + '/root' + dataDir + '/store').length > 0)
  attempt('memory', () => {
    const [range] = readFileSync('/proc/' + helper + '/maps', 'utf8').split(' ')
    const fd = openSync('/proc/' + helper + '/mem', 'r')
    try { return readSync(fd, Buffer.alloc(16), 0, 16, parseInt(range.split('-')[0], 16)) > 0 } finally { closeSync(fd) }
  })
  got.network = await new Promise((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => resolve(true))
    socket.on('error', () => resolve(false))
  })
  process.send({ got })
})
process.on('disconnect', () => process.exit())
`

describe.runIf(findIsolation().isApart)(
  'an engine that was taken over, where the system has namespaces for everybody',
  () => {
    test('reads its one model, and neither the store nor the helper, and reaches no network', async () => {
      const dataDir = join(folder, 'data')
      await mkdir(join(dataDir, 'models'), { recursive: true })
      const model = join(dataDir, 'models', 'own.gguf')
      await writeFile(model, 'model')
      await writeFile(join(dataDir, 'models', 'other.gguf'), 'other')
      await writeFile(join(dataDir, 'token'), 'token')
      const store = await openLevelStore(join(dataDir, 'store'))
      cleanups.push(() => store.close())
      await store.put('a', new Uint8Array([1]))
      const server = createServer().listen(0, '127.0.0.1')
      cleanups.push(() => server.close())
      await until(() => server.listening, { what: 'a port' })
      const { port } = server.address() as AddressInfo
      const script = join(folder, 'taken-over.mjs')
      await writeFile(
        script,
        TAKEN_OVER.replace(
          'process.argv.slice(2)',
          JSON.stringify([dataDir, model, String(port), String(process.pid)]),
        ),
      )
      const link = startEngineProcess({ workerFile: script, modelFile: model, dataDir, log: silentLogger })
      cleanups.push(() => {
        link.kill()
      })
      const said = new Promise<unknown>((resolve) => {
        link.onMessage(resolve)
        link.onExit(resolve)
      })
      link.send({ type: 'ping', id: 1 })
      const refused = [
        ...['store', 'token', 'otherModel', 'writeData', 'writeModel', 'uncover', 'uncoverAnew', 'storeAfter'],
        ...['openFiles', 'environment', 'root', 'memory', 'network'],
      ]
      expect(await said).toEqual({ got: { model: true, ...Object.fromEntries(refused.map((what) => [what, false])) } })
      // and what is there for everybody else is untouched
      expect((await readdir(join(dataDir, 'models'))).sort()).toEqual(['other.gguf', 'own.gguf'])
      expect(Array.from((await store.get('a')) ?? [])).toEqual([1])
    })
  },
)
