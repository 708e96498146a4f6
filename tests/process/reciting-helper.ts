import { join } from 'node:path'
import { writeTinyGguf } from '../kit/gguf.ts'
import { makeTempDir, startHelper } from '../kit/helper-process.ts'
import { RECITED, type OpenAiTarget } from './openai-cases.ts'

/** A helper process whose model recites the alphabet. */
export async function startRecitingHelper(): Promise<OpenAiTarget> {
  const temp = await makeTempDir()
  const model = join(temp.path, 'reciting.gguf')
  await writeTinyGguf(model, { says: RECITED, contextTokens: 512 })
  const helper = await startHelper({ model })
  return {
    url: helper.url,
    token: helper.token,
    async stop() {
      await helper.stop()
      await temp.remove()
    },
  }
}
