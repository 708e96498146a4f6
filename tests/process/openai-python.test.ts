import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { GATEWAY_LIMITS } from '../../helper/gateway/index.ts'
import { createFakeMesh, reciting } from '../kit/fake-mesh.ts'
import { startGatewayServer } from '../kit/gateway-server.ts'
import { ROOT } from '../kit/helper-process.ts'
import { findPythonOpenAi, type PythonOpenAi } from '../kit/python-openai.ts'
import { RECITED, type OpenAiTarget } from './openai-cases.ts'
import { startRecitingHelper } from './reciting-helper.ts'

const SCRIPT = join(ROOT, 'tests', 'process', 'openai_client.py')
const CASE_COUNT = 12

let python: PythonOpenAi
beforeAll(async () => {
  python = await findPythonOpenAi()
})

interface CaseResult {
  readonly case: string
  readonly ok: boolean
  readonly detail: string
}

async function runCases(target: OpenAiTarget, client: PythonOpenAi & { ok: true }): Promise<readonly CaseResult[]> {
  try {
    const result = await client.run(SCRIPT, [target.url, target.token, String(GATEWAY_LIMITS.bodyBytes)])
    if (result.code !== 0) throw new TypeError(`The script failed: ${result.stderr}`)
    return result.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as CaseResult)
  } finally {
    await target.stop()
  }
}

describe('the openai client of Python', () => {
  const targets: readonly [string, () => Promise<OpenAiTarget>][] = [
    [
      'the gateway alone',
      async () => {
        const server = await startGatewayServer({ mesh: createFakeMesh({ answer: reciting(RECITED) }) })
        return { url: server.url, token: server.token, stop: () => server.close() }
      },
    ],
    ['a real helper with a real engine', startRecitingHelper],
  ]
  test.for(targets)('passes its cases over %s', async ([, start], { skip }) => {
    if (!python.ok) return skip(`Skipped: ${python.reason}.`)
    const results = await runCases(await start(), python)
    expect(results.filter(({ ok }) => !ok)).toEqual([])
    expect(results).toHaveLength(CASE_COUNT)
  })
})
