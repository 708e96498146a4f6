import { describe } from 'vitest'
import { createFakeMesh, reciting } from '../kit/fake-mesh.ts'
import { startGatewayServer } from '../kit/gateway-server.ts'
import { openAiCases, RECITED } from './openai-cases.ts'
import { startRecitingHelper } from './reciting-helper.ts'

describe('the openai client of npm, over the gateway alone', () => {
  openAiCases(async () => {
    const server = await startGatewayServer({ mesh: createFakeMesh({ answer: reciting(RECITED) }) })
    return { url: server.url, token: server.token, stop: () => server.close() }
  })
})

describe('the openai client of npm, over a real helper with a real engine', () => {
  openAiCases(startRecitingHelper)
})
